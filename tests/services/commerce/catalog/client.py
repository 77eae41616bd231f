"""A client of Catalog, which knows what a request says if nothing else is said."""

from typing import Any

from commerce.catalog.v1 import catalog_service_pb2 as pb
from commerce.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.testing.clients import TIMEOUT
from treaty.testing.world import SeededIds, World

from tests.services.clients import money

UUID = "11111111-2222-4333-8444-555555555555"
LONG_AGO, FAR_AHEAD = Timestamp(seconds=1_000_000_000), Timestamp(seconds=4_000_000_000)

KNOWN: dict[str, dict[str, Any]] = {
    "CreateProduct": {"request_id": UUID, "sku": "mug", "name": "Enamel mug", "list_price": money(1200)},
    "DescribeProduct": {"request_id": UUID, "sku": "mug", "name": "Tin mug"},
    "ChangePrice": {"request_id": UUID, "sku": "mug", "list_price": money(1300)},
    "StartPromotion": {
        "request_id": UUID,
        "sku": "mug",
        "price": money(900),
        "starts_at": LONG_AGO,
        "ends_at": FAR_AHEAD,
    },
    "EndPromotion": {"request_id": UUID, "sku": "mug"},
    "DiscontinueProduct": {"request_id": UUID, "sku": "mug", "reason": "sold out"},
    "CreateCategory": {"request_id": UUID, "slug": "kitchen", "name": "Kitchen"},
    "SubmitReview": {"request_id": UUID, "sku": "mug", "author": "ann", "rating": 5, "title": "Good"},
    "ModerateReview": {"request_id": UUID, "review_id": UUID, "verdict": pb.REVIEW_VERDICT_PUBLISH},
    "GetProduct": {"sku": "mug"},
    "SearchProducts": {},
    "GetCategory": {"slug": "kitchen"},
    "ListCategories": {},
    "ListReviews": {"sku": "mug"},
}


class Catalogue:
    """A client of Catalog, which knows what a request says if nothing else is said."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ids = SeededIds("requests")
        self._stub: Any = CatalogServiceStub(world.channel)

    async def ask(self, method: str, **changes: Any) -> Any:
        request = getattr(pb, f"{method}Request")(**{**KNOWN[method], **changes})
        return await getattr(self._stub, method)(request, timeout=TIMEOUT)

    async def make(self, sku: str, price: Any = None, **changes: Any) -> Any:
        """Creates a product under a request id of its own."""
        known = {"request_id": self.ids.new(), "sku": sku, "list_price": price or money(100), **changes}
        return await self.ask("CreateProduct", **known)

    async def sort(self, slug: str, parent: str = "", name: str = "") -> str:
        """Creates a category; returns the revision once the list shows it."""
        known = {"request_id": self.ids.new(), "slug": slug, "name": name or slug.title(), "parent": parent}
        revision: str = (await self.ask("CreateCategory", **known)).revision
        await self.ask("ListCategories", not_before=revision)
        return revision

    async def review(self, title: str, **changes: Any) -> Any:
        return await self.ask("SubmitReview", **{"request_id": self.ids.new(), "title": title, **changes})

    async def found(self, revision: str, **wanted: Any) -> list[str]:
        """Returns the SKUs that a search finds once the read model has come to the revision."""
        answer = await self.ask("SearchProducts", not_before=revision, **wanted)
        return [product.sku for product in answer.products]
