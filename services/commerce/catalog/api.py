"""The gRPC API of Catalog: translates requests, calls the use cases, translates their results."""

from collections.abc import Sequence
from typing import Any, Protocol

from commerce.catalog.v1 import catalog_service_pb2 as pb
from commerce.catalog.v1 import catalog_service_pb2_grpc as pb_grpc
from commerce.money.v1 import money_pb2
from treaty.domain import Invalid
from treaty.rpc import EnumTable, page_of, to_token

from services.commerce.catalog.application.catalog import (
    Catalog,
    ChangePrice,
    CreateProduct,
    DescribeProduct,
    DiscontinueProduct,
    EndPromotion,
    ListReviews,
    ModerateReview,
    SearchProducts,
    StartPromotion,
    SubmitReview,
)
from services.commerce.catalog.application.categories import Categories, CreateCategory, ListCategories
from services.commerce.catalog.domain.categories import Category
from services.commerce.catalog.domain.prices import KEPT
from services.commerce.catalog.domain.products import Product
from services.commerce.catalog.domain.reviews import Review, Status
from services.commerce.catalog.domain.values import Details, Opinion, Promotion
from services.commerce.catalog.projections import ProductRow, ReviewRow
from services.commerce.catalog.publishing import promotion_to_wire
from services.commerce.money import Money
from services.commerce.wire import money_from_wire, money_to_wire, time_from_wire, time_to_wire

_STATUS = EnumTable(
    {
        Status.PENDING: pb.REVIEW_STATUS_PENDING,
        Status.PUBLISHED: pb.REVIEW_STATUS_PUBLISHED,
        Status.REJECTED: pb.REVIEW_STATUS_REJECTED,
    }
)


class CatalogApi(pb_grpc.CatalogServiceServicer):
    """The gRPC servicer. The id of a new review is its request_id, so a repeated request finds the same review."""

    def __init__(self, catalog: Catalog, categories: Categories) -> None:
        self._catalog, self._categories = catalog, categories

    async def CreateProduct(self, request: pb.CreateProductRequest, context: Any) -> pb.CreateProductResponse:
        command = CreateProduct(
            sku=request.sku, details=_details(request), list_price=_price(request.list_price, "list_price")
        )
        created = await self._catalog.create_product(command)
        return pb.CreateProductResponse(product=_product(created.state), revision=created.revision)

    async def DescribeProduct(self, request: pb.DescribeProductRequest, context: Any) -> pb.DescribeProductResponse:
        command = DescribeProduct(sku=request.sku, details=_details(request))
        described = await self._catalog.describe_product(command)
        return pb.DescribeProductResponse(product=_product(described.state), revision=described.revision)

    async def ChangePrice(self, request: pb.ChangePriceRequest, context: Any) -> pb.ChangePriceResponse:
        command = ChangePrice(sku=request.sku, list_price=_price(request.list_price, "list_price"))
        changed = await self._catalog.change_price(command)
        return pb.ChangePriceResponse(product=_product(changed.state), revision=changed.revision)

    async def StartPromotion(self, request: pb.StartPromotionRequest, context: Any) -> pb.StartPromotionResponse:
        promotion = Promotion(
            price=_price(request.price, "price"),
            starts_at=time_from_wire(request.starts_at),
            ends_at=time_from_wire(request.ends_at),
        )
        started = await self._catalog.start_promotion(StartPromotion(sku=request.sku, promotion=promotion))
        return pb.StartPromotionResponse(product=_product(started.state), revision=started.revision)

    async def EndPromotion(self, request: pb.EndPromotionRequest, context: Any) -> pb.EndPromotionResponse:
        ended = await self._catalog.end_promotion(EndPromotion(sku=request.sku))
        return pb.EndPromotionResponse(product=_product(ended.state), revision=ended.revision)

    async def DiscontinueProduct(
        self, request: pb.DiscontinueProductRequest, context: Any
    ) -> pb.DiscontinueProductResponse:
        command = DiscontinueProduct(sku=request.sku, reason=request.reason)
        discontinued = await self._catalog.discontinue_product(command)
        return pb.DiscontinueProductResponse(product=_product(discontinued.state), revision=discontinued.revision)

    async def CreateCategory(self, request: pb.CreateCategoryRequest, context: Any) -> pb.CreateCategoryResponse:
        command = CreateCategory(slug=request.slug, name=request.name, parent=request.parent)
        created = await self._categories.create_category(command)
        return pb.CreateCategoryResponse(category=_category(created.state), revision=created.revision)

    async def SubmitReview(self, request: pb.SubmitReviewRequest, context: Any) -> pb.SubmitReviewResponse:
        opinion = Opinion(
            sku=request.sku, author=request.author, rating=request.rating, title=request.title, text=request.text
        )
        command = SubmitReview(review_id=request.request_id.lower(), opinion=opinion)
        submitted, opinion = await self._catalog.submit_review(command)
        return pb.SubmitReviewResponse(review=_review(submitted.state, opinion), revision=submitted.revision)

    async def ModerateReview(self, request: pb.ModerateReviewRequest, context: Any) -> pb.ModerateReviewResponse:
        command = ModerateReview(
            review_id=request.review_id.lower(),
            publish=request.verdict == pb.REVIEW_VERDICT_PUBLISH,
            reason=request.reason,
        )
        moderated, opinion = await self._catalog.moderate_review(command)
        return pb.ModerateReviewResponse(review=_review(moderated.state, opinion), revision=moderated.revision)

    async def GetProduct(self, request: pb.GetProductRequest, context: Any) -> pb.GetProductResponse:
        found, current, lowest = await self._catalog.get_product(request.sku)
        assert current is not None
        assert lowest is not None
        return pb.GetProductResponse(
            product=_product(found.state),
            revision=found.revision,
            current_price=money_to_wire(current),
            lowest_price=money_to_wire(lowest),
        )

    async def SearchProducts(self, request: pb.SearchProductsRequest, context: Any) -> pb.SearchProductsResponse:
        query = SearchProducts(
            text=request.text,
            category=request.category,
            lowest=_price(request.lowest_price, "lowest_price") if request.HasField("lowest_price") else None,
            highest=_price(request.highest_price, "highest_price") if request.HasField("highest_price") else None,
            include_discontinued=request.include_discontinued,
            page=page_of(request),
        )
        rows, after = await self._catalog.search_products(query)
        return pb.SearchProductsResponse(products=[_summary(row) for row in rows], next_page_token=to_token(after))

    async def GetCategory(self, request: pb.GetCategoryRequest, context: Any) -> pb.GetCategoryResponse:
        found = await self._categories.get_category(request.slug)
        return pb.GetCategoryResponse(category=_category(found.state), revision=found.revision)

    async def ListCategories(self, request: pb.ListCategoriesRequest, context: Any) -> pb.ListCategoriesResponse:
        query = ListCategories(parent=request.parent, page=page_of(request))
        rows, after = await self._categories.list_categories(query)
        categories = [pb.Category(slug=row.slug, name=row.name, parent=row.parent) for row in rows]
        return pb.ListCategoriesResponse(categories=categories, next_page_token=to_token(after))

    async def ListReviews(self, request: pb.ListReviewsRequest, context: Any) -> pb.ListReviewsResponse:
        query = ListReviews(
            sku=request.sku,
            status=_STATUS.find(request.status) or Status.PUBLISHED,
            page=page_of(request),
        )
        rows, after = await self._catalog.list_reviews(query)
        return pb.ListReviewsResponse(reviews=[_listed(row) for row in rows], next_page_token=to_token(after))


class _Described(Protocol):
    """A request that describes a product."""

    name: str
    description: str
    category: str

    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def images(self) -> Sequence[str]: ...
    @property
    def related(self) -> Sequence[str]: ...


def _details(request: _Described) -> Details:
    return Details(
        name=request.name,
        description=request.description,
        category=request.category,
        tags=frozenset(request.tags),
        images=tuple(request.images),
        related=tuple(request.related),
    )


def _price(message: money_pb2.Money, field: str) -> Money:
    try:
        return money_from_wire(message)
    except Invalid as invalid:
        raise Invalid(invalid.message, field=f"{field}.{invalid.field}", reason=invalid.reason) from None


def _product(product: Product) -> pb.Product:
    assert product.list_price is not None
    details, promotion = product.details, product.promotion
    return pb.Product(
        sku=product.id,
        name=details.name,
        description=details.description,
        category=details.category,
        tags=sorted(details.tags),
        images=details.images,
        related=details.related,
        list_price=money_to_wire(product.list_price),
        promotion=None if promotion is None else promotion_to_wire(promotion),
        price_history=[
            pb.PastPrice(list_price=money_to_wire(past.price), since=time_to_wire(past.since))
            for past in product.price_history[-KEPT:]
        ],
        discontinued=product.discontinued,
        promotion_history=[promotion_to_wire(past) for past in product.promotion_history[-KEPT:]],
    )


def _category(category: Category) -> pb.Category:
    return pb.Category(slug=category.id, name=category.name, parent=category.parent)


def _review(review: Review, opinion: Opinion) -> pb.Review:
    assert review.submitted_at is not None
    row = ReviewRow(
        review_id=review.id,
        sku=opinion.sku,
        status=review.status,
        opinion=opinion,
        submitted_at=review.submitted_at,
        reason=review.reason,
    )
    return _listed(row)


def _listed(row: ReviewRow) -> pb.Review:
    return pb.Review(
        review_id=row.review_id,
        sku=row.sku,
        author=row.opinion.author,
        rating=row.opinion.rating,
        title=row.opinion.title,
        text=row.opinion.text,
        status=_STATUS.to_wire(row.status),
        reason=row.reason,
        submitted_at=time_to_wire(row.submitted_at),
    )


def _summary(row: ProductRow) -> pb.ProductSummary:
    return pb.ProductSummary(
        sku=row.sku,
        name=row.name,
        category=row.category,
        list_price=money_to_wire(row.list_price),
        discontinued=row.discontinued,
    )
