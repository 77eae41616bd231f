"""Page tokens: each leads on in its own list, and only a process with one of our keys can make one."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from commerce.catalog.v1 import catalog_service_pb2 as catalog
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from treaty.digests import TAG_BYTES, DigestKeys
from treaty.domain import Invalid
from treaty.projections import FIRST, Page
from treaty.rpc import page_of, to_token
from treaty.rpc.pages import from_token, paging

PATH = "commerce.ordering.v1.OrderingService/ListOrders"
OLD, BOTH, NEW = DigestKeys.of("old"), DigestKeys.of("new", "old"), DigestKeys.of("new")
KEY = ("a", "id")


def made(key: Any = KEY, *, keys: DigestKeys = OLD, path: str = PATH, request: Any = None) -> str:
    with paging(keys, path, request or ordering.ListOrdersRequest()):
        return to_token(key)


def read(token: str, *, keys: DigestKeys = OLD, path: str = PATH, request: Any = None) -> Any:
    with paging(keys, path, request or ordering.ListOrdersRequest()):
        return from_token(token)


def is_refused(token: str, **where: Any) -> bool:
    try:
        read(token, **where)
    except Invalid as refused:
        return refused.field == "page_token" and "begin again" in refused.message
    return False


@pytest.mark.parametrize("value", ["a", "ü€🙂", "", 0, -1, 2**63 - 1, 1.5, datetime(2026, 7, 1, 12, 0, 0, 5000, UTC)])
def test_a_token_leads_back_to_its_position(value: Any) -> None:
    assert read(made((value, "id"))) == (value, "id")
    assert (made(None), read("")) == ("", None)


def test_a_token_leads_on_in_its_own_list_only() -> None:
    of_ann = ordering.ListOrdersRequest(customer_id="ann")
    token = made(request=of_ann)
    assert read(token, request=of_ann) == KEY
    assert is_refused(token, request=ordering.ListOrdersRequest(customer_id="bob"))
    assert is_refused(token, request=ordering.ListOrdersRequest())
    assert is_refused(token, request=of_ann, path="commerce.ordering.v1.OrderingService/ListReturns")
    assert is_refused(token, request=catalog.SearchProductsRequest())


def test_the_size_of_the_pages_and_the_wanted_revision_may_change() -> None:
    token = made(request=ordering.ListOrdersRequest(page_size=2))
    again = ordering.ListOrdersRequest(page_size=9, page_token=token, not_before="order-1@1")
    assert read(token, request=again) == KEY


def test_a_token_from_before_a_change_of_keys_is_taken_after_it() -> None:
    assert read(made(keys=OLD), keys=BOTH) == KEY
    assert is_refused(made(keys=OLD), keys=NEW)


def test_a_token_from_after_a_change_of_keys_is_taken_by_a_process_that_knows_the_new_key_already() -> None:
    assert read(made(keys=BOTH), keys=DigestKeys.of("old", "new")) == KEY
    assert is_refused(made(keys=BOTH), keys=OLD)


def test_a_token_that_differs_in_any_place_is_refused() -> None:
    token = base64.urlsafe_b64decode(made())
    for place in range(len(token)):
        other = token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :]
        assert is_refused(base64.urlsafe_b64encode(other).decode()), place
        assert is_refused(base64.urlsafe_b64encode(token[:place]).decode()) or place == 0


WRONG = ["x", "====", "ü", "\ud800", "W1tb" * 20_000, base64.urlsafe_b64encode(b"\0" * TAG_BYTES).decode()]


@pytest.mark.parametrize("token", WRONG, ids=range(len(WRONG)))
def test_a_text_that_is_no_token_is_refused(token: str) -> None:
    assert is_refused(token)


@pytest.mark.parametrize("position", [["v", "a", "id"], ["t", "2026-07-01T12:00:00+00:00", "id"], [], None, {"a": 1}])
def test_a_token_of_the_version_before_is_refused_and_says_what_to_do(position: Any) -> None:
    assert is_refused(base64.urlsafe_b64encode(json.dumps(position).encode()).decode())


def _read_by_the_version_before(token: str) -> Any:
    """Reads a token as the code before tags did."""
    return json.loads(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))


def test_the_version_before_refuses_a_token_of_this_one_as_it_refuses_all_that_it_did_not_make() -> None:
    for number in range(300):
        with pytest.raises(ValueError):
            _read_by_the_version_before(made((number, "id")))


def test_the_longest_position_fits_into_the_field_of_a_request() -> None:
    assert len(made((2**63 - 1, "x" * 200))) < 400


def test_a_request_becomes_a_page() -> None:
    token = made(request=ordering.ListOrdersRequest())
    request = ordering.ListOrdersRequest(page_size=7, page_token=token, not_before="order-1@1")
    with paging(OLD, PATH, request):
        assert page_of(request) == Page(size=7, after=KEY, not_before="order-1@1")
    assert page_of(ordering.ListOrdersRequest()) == FIRST
