"""Catalog over gRPC."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from commerce.catalog.v1 import catalog_service_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp
from treaty.testing.clients import refusal
from treaty.testing.world import embedded

from tests.services.clients import money
from tests.services.commerce.catalog.client import FAR_AHEAD, LONG_AGO, Catalogue

INVALID, REFUSED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION


@pytest.fixture
async def catalog() -> AsyncIterator[Catalogue]:
    async with embedded("commerce.catalog") as world:
        yield Catalogue(world)


async def test_a_product_is_created_and_read(catalog: Catalogue) -> None:
    await catalog.ask("CreateCategory")
    told: dict[str, Any] = {
        "description": "Holds tea",
        "category": "kitchen",
        "tags": ["blue", "cup"],
        "images": ["https://example.com/mug.png"],
        "related": ["pot"],
    }
    created = await catalog.ask("CreateProduct", **told)
    assert created.revision == "product-mug@1"
    [first] = created.product.price_history
    assert created.product == pb.Product(
        sku="mug", name="Enamel mug", list_price=money(1200), price_history=[first], **told
    )
    read = await catalog.ask("GetProduct")
    assert (read.product, read.revision, read.current_price) == (created.product, created.revision, money(1200))


async def test_a_repeated_creation_takes_effect_once_and_gets_the_same_answer(catalog: Catalogue) -> None:
    first = await catalog.ask("CreateProduct")
    await catalog.ask("ChangePrice")
    assert await catalog.ask("CreateProduct") == first
    assert (await catalog.ask("GetProduct")).product.list_price == money(1300)


async def test_a_request_id_with_another_body_is_refused(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    refused = await refusal(catalog.ask("CreateProduct", name="Cup"))
    assert (refused.code, refused.reason) == (INVALID, "REQUEST_ID_REUSED")


async def test_a_sku_is_created_once(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    refused = await refusal(catalog.make("mug"))
    assert (refused.code, refused.reason, refused.domain) == (REFUSED, "PRODUCT_CREATED_ALREADY", "commerce.catalog")


async def test_a_product_stands_in_a_category_that_exists(catalog: Catalogue) -> None:
    refused = await refusal(catalog.ask("CreateProduct", category="kitchen"))
    assert (refused.code, refused.reason) == (REFUSED, "CATEGORY_UNKNOWN")
    await catalog.ask("CreateProduct")
    assert (await refusal(catalog.ask("DescribeProduct", category="kitchen"))).reason == "CATEGORY_UNKNOWN"
    await catalog.ask("CreateCategory")
    assert (await catalog.ask("DescribeProduct", category="kitchen")).product.category == "kitchen"


async def test_a_category_is_a_part_of_one_that_exists(catalog: Catalogue) -> None:
    assert (await refusal(catalog.ask("CreateCategory", parent="house"))).reason == "CATEGORY_UNKNOWN"
    assert list((await refusal(catalog.ask("CreateCategory", parent="kitchen"))).fields) == ["parent"]
    await catalog.ask("CreateCategory", slug="house", name="House")
    created = await catalog.ask("CreateCategory", parent="house", request_id=catalog.ids.new())
    assert created.category == pb.Category(slug="kitchen", name="Kitchen", parent="house")
    assert (await catalog.ask("GetCategory")).category == created.category


async def test_a_promotion_lowers_the_price_until_it_is_ended(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    started = await catalog.ask("StartPromotion")
    assert (started.product.promotion.price, started.product.promotion.ends_at) == (money(900), FAR_AHEAD)
    read = await catalog.ask("GetProduct")
    assert (read.current_price, read.lowest_price) == (money(900), money(1200))
    assert not (await catalog.ask("EndPromotion")).product.HasField("promotion")
    read = await catalog.ask("GetProduct")
    assert (read.current_price, read.lowest_price) == (money(1200), money(900))
    [past] = read.product.promotion_history
    held = past.starts_at.seconds > LONG_AGO.seconds, past.ends_at.seconds < FAR_AHEAD.seconds
    assert (past.price, held) == (money(900), (True, True))


async def test_a_promotion_to_come_does_not_lower_the_price_yet(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    await catalog.ask("StartPromotion", starts_at=Timestamp(seconds=FAR_AHEAD.seconds - 1))
    assert (await catalog.ask("GetProduct")).current_price == money(1200)


async def test_what_a_price_was_is_read_with_the_product(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    await catalog.ask("ChangePrice")
    history = (await catalog.ask("GetProduct")).product.price_history
    assert [past.list_price for past in history] == [money(1200), money(1300)]
    assert history[0].since.ToNanoseconds() <= history[1].since.ToNanoseconds()


@pytest.mark.parametrize(
    ("method", "changes", "reason"),
    [
        ("ChangePrice", {"list_price": money(1300, "EUR")}, "CURRENCY_DIFFERS"),
        ("StartPromotion", {"price": money(1200)}, "PROMOTION_NOT_CHEAPER"),
    ],
)
async def test_a_price_that_breaks_a_rule_is_refused(
    catalog: Catalogue, method: str, changes: Any, reason: str
) -> None:
    await catalog.ask("CreateProduct")
    refused = await refusal(catalog.ask(method, **changes))
    assert (refused.code, refused.reason) == (REFUSED, reason)


@pytest.mark.parametrize("method", ["DescribeProduct", "ChangePrice", "StartPromotion", "EndPromotion"])
async def test_a_discontinued_product_is_read_and_changes_no_more(catalog: Catalogue, method: str) -> None:
    await catalog.ask("CreateProduct")
    assert (await catalog.ask("DiscontinueProduct")).product.discontinued
    refused = await refusal(catalog.ask(method))
    assert (refused.code, refused.reason) == (REFUSED, "PRODUCT_DISCONTINUED")
    assert (await catalog.ask("GetProduct")).product.discontinued


@pytest.mark.parametrize(
    "method",
    [
        "DescribeProduct",
        "ChangePrice",
        "StartPromotion",
        "EndPromotion",
        "DiscontinueProduct",
        "SubmitReview",
        "ModerateReview",
        "GetProduct",
        "GetCategory",
    ],
)
async def test_what_is_not_there_is_not_found(catalog: Catalogue, method: str) -> None:
    assert (await refusal(catalog.ask(method))).code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "changes", "field"),
    [
        ("CreateProduct", {"request_id": "42"}, "request_id"),
        ("CreateProduct", {"sku": "-mug"}, "sku"),
        ("CreateProduct", {"name": ""}, "name"),
        ("CreateProduct", {"name": " "}, "name"),
        ("CreateProduct", {"category": "Kitchen"}, "category"),
        ("CreateProduct", {"tags": [""]}, "tags[0]"),
        ("CreateProduct", {"images": ["no address"]}, "images[0]"),
        ("CreateProduct", {"related": ["mug"]}, "related"),
        ("CreateProduct", {"related": ["a b"]}, "related[0]"),
        ("CreateProduct", {"list_price": None}, "list_price"),
        ("CreateProduct", {"list_price": money(-1)}, "list_price"),
        ("CreateProduct", {"list_price": money(1, "XXX")}, "list_price.currency"),
        ("StartPromotion", {"starts_at": None}, "starts_at"),
        ("StartPromotion", {"starts_at": FAR_AHEAD}, "ends_at"),
        ("StartPromotion", {"ends_at": Timestamp(seconds=5_000_000_000)}, "ends_at"),
        ("StartPromotion", {"price": money(1, "XXX")}, "price.currency"),
        ("DiscontinueProduct", {"reason": "x" * 201}, "reason"),
        ("CreateCategory", {"slug": "Kitchen"}, "slug"),
        ("SubmitReview", {"rating": 6}, "rating"),
        ("SubmitReview", {"text": "x" * 2001}, "text"),
        ("SubmitReview", {"author": ""}, "author"),
        ("ModerateReview", {"verdict": pb.REVIEW_VERDICT_UNSPECIFIED}, "verdict"),
        ("SearchProducts", {"page_token": "nonsense"}, "page_token"),
        ("SearchProducts", {"page_size": -1}, "page_size"),
        ("SearchProducts", {"lowest_price": money(1), "highest_price": money(2, "EUR")}, "highest_price.currency"),
        ("SearchProducts", {"not_before": "nonsense"}, "not_before"),
        ("SearchProducts", {"not_before": "review-1@1"}, "not_before"),
        ("ListReviews", {"status": 99}, "status"),
    ],
)
async def test_wrong_input_is_refused_with_the_field_named(
    catalog: Catalogue, method: str, changes: Any, field: str
) -> None:
    refused = await refusal(catalog.ask(method, **changes))
    assert (refused.code, list(refused.fields)) == (INVALID, [field])


async def test_a_rejection_without_a_reason_is_refused(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    await catalog.ask("SubmitReview")
    refused = await refusal(catalog.ask("ModerateReview", verdict=pb.REVIEW_VERDICT_REJECT))
    assert (refused.code, list(refused.fields)) == (INVALID, ["reason"])
