"""Every call ends with a status that its client can read, and that is counted as what it was."""

import asyncio
import base64
import json
from collections import Counter
from typing import Any

import grpc
import pytest
from commerce.ordering.v1 import ordering_service_pb2 as pb
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from google.rpc import status_pb2
from grpc_status import rpc_status
from treaty.domain import Invalid
from treaty.memory.commits import Fault
from treaty.rpc.errors import InvalidRequest, details_of, status_of
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.recorder import Recorder
from treaty.testing.world import embedded

from tests.services.clients import Shop, line

MOST_BYTES = 4_000


class Statuses(Recorder):
    """Counts the statuses of calls, and keeps the attributes that are noted on spans."""

    def __init__(self) -> None:
        super().__init__()
        self.codes: Counter[str] = Counter()

    def measure(self, name: str, value: float, **attributes: str) -> None:
        if name == "rpc.server.call.duration":
            self.codes[attributes["code"]] += 1


@pytest.mark.parametrize("lines", [1, 32, 2000])
async def test_however_much_is_wrong_the_details_arrive_and_say_how_much_is_left_out(lines: int) -> None:
    async with embedded("commerce.ordering") as world:
        shop = Shop(world)
        bad = shop.order(*(line("sku " * 30, quantity=-1) for _ in range(lines)))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await shop.ordering.PlaceOrder(bad, timeout=TIMEOUT)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        status = rpc_status.from_call(caught.value)
        assert status is not None
        assert status.ByteSize() <= MOST_BYTES
        found = await refusal(shop.ordering.PlaceOrder(bad, timeout=TIMEOUT))
        assert (found.reason, found.domain) == ("INVALID_REQUEST", "commerce.ordering")
        assert any(field.startswith("lines[0].") for field in found.fields)
        if lines == 32:
            assert found.fields[""].endswith("more; correct these first")


def test_no_error_makes_a_status_that_is_too_large() -> None:
    everything = "ü" * 5_000
    known: list[Exception] = [
        Invalid(everything, field=everything, reason=everything),
        InvalidRequest([(everything, everything)] * 500),
        InvalidRequest([("", everything)]),
    ]
    for error in known:
        status = status_of(error, "commerce.ordering")
        assert status is not None
        assert status.ByteSize() <= MOST_BYTES
        assert status.message


def test_a_status_that_contradicts_its_details_is_read_without_them() -> None:
    class Cut:
        """A call that a proxy has given another code."""

        def code(self) -> grpc.StatusCode:
            return grpc.StatusCode.RESOURCE_EXHAUSTED

        def details(self) -> str:
            return "too much metadata"

        def trailing_metadata(self) -> Any:
            other = status_pb2.Status(code=3, message="something else")
            return (("grpc-status-details-bin", other.SerializeToString()),)

    assert details_of(Cut()) is None


async def test_a_method_that_does_not_exist_and_a_request_that_is_too_large_have_reasons() -> None:
    async with embedded("commerce.ordering", environ={"GRPC_MAX_MESSAGE_BYTES": "20000"}) as world:
        unknown = await refusal(world.channel.unary_unary("/commerce.ordering.v1.OrderingService/Sing")(b"", timeout=5))
        assert (unknown.code, unknown.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NO_SUCH_METHOD")
        assert unknown.domain == "commerce.ordering"
        for path in ("/x/y", "/" + "long" * 2000 + "/y", "/commerce.ordering.v1.Other/Sing"):
            other = await refusal(world.channel.unary_unary(path)(b"", timeout=5))
            assert other.code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        shop = Shop(world)
        large = shop.order(line(), customer="c" * 30_000)
        refused = await refusal(shop.ordering.PlaceOrder(large, timeout=TIMEOUT))
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
        huge = await _code(shop.ordering.PlaceOrder(shop.order(line(), customer="c" * 90_000), timeout=TIMEOUT))
        assert huge is grpc.StatusCode.RESOURCE_EXHAUSTED


async def _code(call: Any) -> grpc.StatusCode:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.slow
async def test_calls_that_expired_or_were_cancelled_are_counted_as_such() -> None:
    probe = Statuses()
    async with embedded("commerce.ordering", probe=probe) as world:
        shop = Shop(world)
        await shop.offer("tea", line().unit_price)
        world.stores["commerce.ordering"].commits.faults.extend([Fault.LOST] * 10_000)
        before, before_spans = Counter(probe.codes), _begun(probe)
        expiring = [_code(shop.ordering.PlaceOrder(shop.order(line()), timeout=0.3)) for _ in range(10)]
        assert set(await asyncio.gather(*expiring)) == {grpc.StatusCode.DEADLINE_EXCEEDED}
        calls = [shop.ordering.PlaceOrder(shop.order(line()), timeout=20) for _ in range(7)]
        waiting = [asyncio.ensure_future(_code(call)) for call in calls]
        await eventually(lambda: _begun(probe) >= before_spans + 17)
        for call in calls:
            call.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await eventually(lambda: probe.codes["CANCELLED"] == 7)
        counted = probe.codes - before
        assert (counted["DEADLINE_EXCEEDED"], counted["CANCELLED"], counted["OK"]) == (10, 7, 0)
        world.stores["commerce.ordering"].commits.faults.clear()


def _begun(probe: Statuses) -> int:
    """Returns the number of orders that a server has begun to decide."""
    return sum(span.name == "commerce.ordering.v1.OrderingService/PlaceOrder" for span in probe.spans)


def _token(value: Any) -> str:
    """Returns a token as the version before made it, without a tag."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


async def test_wrong_page_tokens_are_refused_over_the_wire() -> None:
    async with embedded("commerce.catalog", "commerce.ordering") as world:
        stub: Any = OrderingServiceStub(world.channel)
        for token in (_token(["v", 10**200, "a"]), _token(["v", "\ud800", "a"]), _token(["t", "2026-07-01", "a"])):
            refused = await refusal(stub.ListOrders(pb.ListOrdersRequest(page_token=token), timeout=TIMEOUT))
            assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_token"])
