"""Catalog's lists over gRPC: products that are searched for, and reviews."""

from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from commerce.catalog.v1 import catalog_service_pb2 as pb
from commerce.customers.v1 import customers_events_pb2 as customers
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import embedded

from tests.services.clients import money, told
from tests.services.commerce.catalog.client import UUID, Catalogue


@pytest.fixture
async def catalog() -> AsyncIterator[Catalogue]:
    async with embedded("commerce.catalog") as world:
        yield Catalogue(world)


async def test_products_are_found_by_the_beginnings_of_words(catalog: Catalogue) -> None:
    await catalog.make("mug", name="Enamel mug", tags=["blue"])
    await catalog.make("pot", name="Pot", description="An enamel pot for tea")
    seen = (await catalog.make("hat", name="Hat", tags=["blue"])).revision
    assert await catalog.found(seen, text="ENAM") == ["mug", "pot"]
    assert await catalog.found(seen, text="blue mu") == ["mug"]
    assert await catalog.found(seen, text="namel") == []
    assert await catalog.found(seen) == ["mug", "hat", "pot"]


async def test_products_are_found_by_category_and_price(catalog: Catalogue) -> None:
    await catalog.ask("CreateCategory")
    await catalog.make("a", money(100), name="A", category="kitchen")
    await catalog.make("b", money(200), name="B")
    await catalog.make("c", money(200, "EUR"), name="C", category="kitchen")
    seen = (await catalog.make("d", money(300), name="D", category="kitchen")).revision
    assert await catalog.found(seen, category="kitchen") == ["a", "c", "d"]
    assert await catalog.found(seen, lowest_price=money(200)) == ["b", "d"]
    assert await catalog.found(seen, lowest_price=money(100), highest_price=money(200)) == ["a", "b"]
    assert await catalog.found(seen, category="kitchen", highest_price=money(250)) == ["a"]


async def test_a_category_has_the_products_of_its_parts(catalog: Catalogue) -> None:
    tree = {"house": "", "kitchen": "house", "cups": "kitchen", "garden": "house", "office": ""}
    for slug, parent in tree.items():
        await catalog.sort(slug, parent)
        seen = (await catalog.make(f"in-{slug}", name=slug, category=slug)).revision
    assert await catalog.found(seen, category="house") == ["in-cups", "in-garden", "in-house", "in-kitchen"]
    assert await catalog.found(seen, category="kitchen") == ["in-cups", "in-kitchen"]
    assert await catalog.found(seen, category="cups", text="cups") == ["in-cups"]
    assert await catalog.found(seen, category="attic") == []
    page = await catalog.ask("SearchProducts", category="house", page_size=3)
    rest = await catalog.ask("SearchProducts", category="house", page_size=3, page_token=page.next_page_token)
    assert [one.sku for one in rest.products] == ["in-kitchen"]


async def test_categories_are_listed_by_name_all_or_the_parts_of_one(catalog: Catalogue) -> None:
    for slug, parent, name in [("k", "", "Kitchen"), ("c", "k", "Cups"), ("b", "k", "Bowls"), ("t", "c", "Tea cups")]:
        await catalog.sort(slug, parent, name)
    first = await catalog.ask("ListCategories", page_size=3)
    assert [one.name for one in first.categories] == ["Bowls", "Cups", "Kitchen"]
    last = await catalog.ask("ListCategories", page_size=3, page_token=first.next_page_token)
    assert (list(last.categories), last.next_page_token) == ([pb.Category(slug="t", name="Tea cups", parent="c")], "")
    assert [one.slug for one in (await catalog.ask("ListCategories", parent="k")).categories] == ["b", "c"]
    assert not (await catalog.ask("ListCategories", parent="t")).categories


async def test_a_list_shows_what_a_command_changed_once_its_revision_is_asked_for(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    described = await catalog.ask("DescribeProduct")
    assert await catalog.found(described.revision, text="tin") == ["mug"]
    assert await catalog.found(described.revision, text="enamel") == []
    changed = await catalog.ask("ChangePrice")
    assert await catalog.found(changed.revision, lowest_price=money(1300)) == ["mug"]
    gone = await catalog.ask("DiscontinueProduct")
    assert await catalog.found(gone.revision) == []
    [row] = (await catalog.ask("SearchProducts", include_discontinued=True)).products
    assert row == pb.ProductSummary(sku="mug", name="Tin mug", list_price=money(1300), discontinued=True)


async def test_products_are_listed_page_by_page(catalog: Catalogue) -> None:
    for name in ["eve", "ada", "cid", "bob"]:
        await catalog.make(f"sku-{name}", name=name)
    seen = (await catalog.make("sku-dan", name="dan")).revision
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        page = await catalog.ask("SearchProducts", page_size=2, page_token=token, not_before=seen)
        pages.append([product.name for product in page.products])
        token = page.next_page_token
    assert pages == [["ada", "bob"], ["cid", "dan"], ["eve"]]


async def test_a_review_is_read_by_others_once_it_is_published(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    submitted = await catalog.ask("SubmitReview", text="Holds tea indeed")
    assert (submitted.review.review_id, submitted.review.status) == (UUID, pb.REVIEW_STATUS_PENDING)
    assert list((await catalog.ask("ListReviews", not_before=submitted.revision)).reviews) == []
    published = await catalog.ask("ModerateReview")
    assert published.review.status == pb.REVIEW_STATUS_PUBLISHED
    assert list((await catalog.ask("ListReviews", not_before=published.revision)).reviews) == [published.review]


async def test_a_rejected_review_is_read_with_its_reason_by_who_asks_for_it(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    await catalog.ask("SubmitReview")
    rejected = await catalog.ask("ModerateReview", verdict=pb.REVIEW_VERDICT_REJECT, reason="spam")
    assert (rejected.review.status, rejected.review.reason) == (pb.REVIEW_STATUS_REJECTED, "spam")
    seen = rejected.revision
    assert list((await catalog.ask("ListReviews", not_before=seen)).reviews) == []
    wanted = {"sku": "", "status": pb.REVIEW_STATUS_REJECTED}
    assert list((await catalog.ask("ListReviews", not_before=seen, **wanted)).reviews) == [rejected.review]


async def test_reviews_of_a_product_are_listed_the_newest_first(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    await catalog.make("pot")
    handed_in = [await catalog.review(f"no. {n}", sku="pot" if n == 2 else "mug") for n in range(4)]
    mine = [answer.review for answer in handed_in if answer.review.sku == "mug"]
    expected = sorted(mine, key=lambda review: (review.submitted_at.ToNanoseconds(), review.review_id), reverse=True)
    pending = {"status": pb.REVIEW_STATUS_PENDING, "not_before": handed_in[-1].revision}
    page = await catalog.ask("ListReviews", page_size=2, **pending)
    rest = await catalog.ask("ListReviews", page_size=2, page_token=page.next_page_token, **pending)
    assert ([*page.reviews, *rest.reviews], rest.next_page_token) == (expected, "")


async def test_of_the_reviews_of_a_forgotten_customer_only_the_rating_is_left(catalog: Catalogue) -> None:
    await catalog.ask("CreateProduct")
    mine = await catalog.review("Good", text="Holds tea indeed")
    other = await catalog.review("Bad", author="bob")
    store = catalog.world.stores["commerce.catalog"]
    assert "Holds tea indeed" not in repr(store.commits.commits), "the words of a review never enter a commit"
    forgotten = customers.CustomerForgotten(customer_id="ann")
    catalog.world.broker.deliver("commerce.catalog", told("ann", forgotten, catalog.ids.new()))

    async def refused() -> bool:
        with suppress(AssertionError):
            return (await refusal(catalog.review("Still good"))).reason == "CUSTOMER_FORGOTTEN"
        return False

    await eventually(refused)
    pending = {"status": pb.REVIEW_STATUS_PENDING, "not_before": other.revision}
    seen = {one.review_id: one for one in (await catalog.ask("ListReviews", **pending)).reviews}
    left = seen[mine.review.review_id]
    assert (left.author, left.title, left.text, left.rating) == ("", "", "", 5)
    assert (seen[other.review.review_id].author, seen[other.review.review_id].title) == ("bob", "Bad")
