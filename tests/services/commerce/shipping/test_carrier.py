"""The carrier: its foreign format, its simulator, and our client on either side of a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from treaty.causes import Cause, acting, current_cause
from treaty.clock import SystemClock
from treaty.domain import Invalid
from treaty.testing import eventually
from treaty.web.webhooks import Webhook, sign

from services.commerce.shipping.application import CarrierAway, Delivery, Method, TrackParcel, Undeliverable
from services.commerce.shipping.domain.events import Parcel
from services.commerce.shipping.domain.tracking import Report
from services.commerce.shipping.external.carrier.client import HttpCarrier, InProcessCarrier, carrier_at
from services.commerce.shipping.external.carrier.messages import consignment, report_from, report_of
from services.commerce.shipping.external.carrier.simulator import Simulator, SimulatorServer

NOW = datetime(2024, 5, 6, 7, 8, 9, 123_000, tzinfo=UTC)
HOME = Delivery(
    method=Method.EXPRESS,
    name="Ann",
    line1="1 High Street",
    line2="",
    city="Leeds",
    region="",
    postal_code="LS1 1AA",
    country="GB",
)
PARCELS = [Parcel(warehouse="main", pieces=3)]
SECRET = "a secret of the carrier"
NORMAL = [Report.COLLECTED, Report.IN_TRANSIT, Report.OUT_FOR_DELIVERY, Report.DELIVERED]
CAUSE = Cause(id="test", durable=True, trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def test_a_booking_is_written_as_the_carrier_wants_it() -> None:
    assert consignment("o", HOME, PARCELS) == {
        "reference": "o",
        "service": "EXP",
        "to": {
            "name": "Ann",
            "line1": "1 High Street",
            "line2": "",
            "city": "Leeds",
            "region": "",
            "postal_code": "LS1 1AA",
            "country": "GB",
        },
        "parcels": [{"from": "main", "pieces": 3}],
    }


def test_an_address_is_not_to_be_seen_in_a_log() -> None:
    assert "Ann" not in repr(HOME)
    assert "High Street" not in str(HOME)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("COLLECTED", Report.COLLECTED),
        ("IN_TRANSIT", Report.IN_TRANSIT),
        ("OUT_FOR_DELIVERY", Report.OUT_FOR_DELIVERY),
        ("DELIVERED", Report.DELIVERED),
        ("EXCEPTION", Report.EXCEPTION),
        ("RETURNED_TO_SENDER", Report.RETURNED),
        ("CANCELLED", Report.CANCELLED),
        ("HELD_BY_CUSTOMS", Report.NOTE),
        ("delivered", Report.NOTE),
    ],
)
def test_only_a_word_that_we_know_moves_a_parcel(word: str, kind: Report) -> None:
    told = report_from(report_of("PN1", "O", word, NOW, "depot"))
    assert (told.order_id, told.tracking_number) == ("o", "PN1")
    assert (told.report.status, told.report.word, told.report.at, told.report.place) == (kind, word, NOW, "depot")


GOOD = {"tracking_number": "PN1", "reference": "o", "status": "COLLECTED", "at": "2024-05-06T07:08:09Z"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": ""},
        {"status": 7},
        {"reference": None},
        {"tracking_number": "N" * 65},
        {"at": "yesterday"},
        {"at": "2024-05-06T07:08:09"},
        {"at": 5},
        {"place": ["x"]},
    ],
)
def test_what_is_not_of_the_format_is_refused(wrong: dict[str, Any]) -> None:
    assert report_from(json.dumps(GOOD).encode()).report.place == ""
    with pytest.raises(Invalid):
        report_from(json.dumps({**GOOD, **wrong}).encode())


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"7", b"\xff"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        report_from(body)


class Desk:
    """Takes reports, after some refusals; a repeat of one changes nothing."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.told: list[TrackParcel] = []
        self.causes: list[str] = []
        self.webhook = Webhook(path="/webhooks/carrier", secret=SECRET, take=self.take)

    async def take(self, body: bytes) -> None:
        if self.refusals:
            self.refusals -= 1
            raise RuntimeError("not now")
        if current_cause().id not in self.causes:
            self.told.append(report_from(body))
            self.causes.append(current_cause().id)

    @property
    def kinds(self) -> list[Report]:
        return [told.report.status for told in self.told]


@asynccontextmanager
async def in_process(desk: Desk, **simulator: Any) -> AsyncIterator[InProcessCarrier]:
    mind = Simulator(**{"pace": 0.001, "again": 0.001, **simulator})
    async with InProcessCarrier(mind, 0.5, SystemClock()) as carrier:
        carrier.report_to(desk.webhook)
        with acting(CAUSE):
            yield carrier


@asynccontextmanager
async def over_http(desk: Desk, **simulator: Any) -> AsyncIterator[HttpCarrier]:
    """The simulator behind one socket, and a desk behind another."""

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            with acting(desk.webhook.verified(request.headers, body, SystemClock().now())):
                await desk.webhook.take(body)
        except RuntimeError:
            return web.Response(status=500)
        assert request.headers["traceparent"] == CAUSE.trace
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/webhooks/carrier", take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    mind = Simulator(**{"pace": 0.001, "again": 0.001, **simulator})
    callback = f"http://127.0.0.1:{runner.addresses[0][1]}/webhooks/carrier"
    server = SimulatorServer(mind, callback=callback, secret=SECRET)
    try:
        async with (
            server.listening("127.0.0.1", 0) as port,
            HttpCarrier(f"http://127.0.0.1:{port}/", 0.5) as carrier,
        ):
            with acting(CAUSE):
                yield carrier
    finally:
        await runner.cleanup()


WAYS = pytest.mark.parametrize("reach", [in_process, over_http])


@WAYS
async def test_a_booked_parcel_is_reported_until_it_is_delivered(reach: Any) -> None:
    desk = Desk()
    async with reach(desk) as carrier:
        number = await carrier.book("o", HOME, PARCELS)
        await eventually(lambda: len(desk.told) == 4)
    assert desk.kinds == NORMAL
    assert {(told.order_id, told.tracking_number) for told in desk.told} == {("o", number)}
    assert len(set(desk.causes)) == 4


@WAYS
async def test_booking_twice_with_one_reference_is_one_booking(reach: Any) -> None:
    desk = Desk()
    async with reach(desk) as carrier:
        numbers = await asyncio.gather(*(carrier.book("o", HOME, PARCELS) for _ in range(3)))
        other = await carrier.book("p", HOME, PARCELS)
        assert (len({*numbers}), other in numbers) == (1, False)
        status, books = await carrier.exchange("GET", "/consignments")
    assert (status, [entry["reference"] for entry in books]) == (200, ["o", "p"])


@WAYS
async def test_a_report_that_is_not_taken_comes_again_under_the_same_id(reach: Any) -> None:
    desk = Desk(refusals=5)
    async with reach(desk) as carrier:
        await carrier.book("o", HOME, PARCELS)
        await eventually(lambda: len(desk.told) == 4)
    assert desk.kinds == NORMAL


@WAYS
@pytest.mark.parametrize(
    ("end", "kinds"),
    [
        ("EXC", [*NORMAL[:2], Report.EXCEPTION, *NORMAL[2:]]),
        ("RTS", [*NORMAL[:2], Report.EXCEPTION, Report.RETURNED]),
        ("ODD", [*NORMAL[:2], Report.NOTE, *NORMAL[2:]]),
        ("twc", [kind for kind in NORMAL for _ in range(2)]),
    ],
)
async def test_the_simulator_misbehaves_by_rule(reach: Any, end: str, kinds: list[Report]) -> None:
    desk = Desk()
    async with reach(desk) as carrier:
        await carrier.book("o", replace(HOME, postal_code=f"LS1 {end}"), PARCELS)
        await eventually(lambda: len(desk.told) == len(kinds))
    assert desk.kinds == kinds


@WAYS
async def test_a_parcel_that_nobody_will_ever_take_is_undeliverable(reach: Any) -> None:
    async with reach(Desk()) as carrier:
        with pytest.raises(Undeliverable, match="nobody delivers to this postal code"):
            await carrier.book("o", replace(HOME, postal_code="LS1 BAD"), PARCELS)


@WAYS
async def test_a_busy_carrier_is_asked_again(reach: Any) -> None:
    async with reach(Desk()) as carrier:
        for _ in range(2):
            with pytest.raises(CarrierAway):
                await carrier.book("o", replace(HOME, postal_code="LS1 BSY"), PARCELS)
        assert await carrier.book("o", replace(HOME, postal_code="LS1 BSY"), PARCELS)


@pytest.mark.slow
@WAYS
async def test_an_answer_that_comes_too_late_is_had_by_asking_again(reach: Any) -> None:
    desk = Desk()
    async with reach(desk) as carrier:
        slow = replace(HOME, postal_code="LS1 SLO")
        with pytest.raises(CarrierAway):
            await carrier.book("o", slow, PARCELS)

        async def ask_again() -> str:
            """Asks once more; a busy machine may need several attempts."""
            with suppress(CarrierAway):
                return str(await carrier.book("o", slow, PARCELS))
            return ""

        number = await eventually(ask_again, within=60)
        await eventually(lambda: len(desk.told) == 4)
    assert {told.tracking_number for told in desk.told} == {number}


@WAYS
async def test_a_booking_can_be_taken_back_until_it_is_collected(reach: Any) -> None:
    desk = Desk()
    held = replace(HOME, postal_code="LS1 HLD")
    async with reach(desk) as carrier:
        kept, dropped = await carrier.book("kept", held, PARCELS), await carrier.book("dropped", held, PARCELS)
        assert await carrier.cancel(dropped)
        assert await carrier.cancel(dropped)
        assert await carrier.exchange("POST", "/release") == (200, {"released": 2})
        await eventually(lambda: len(desk.told) == 4)
        assert not await carrier.cancel(kept)
    assert {told.order_id for told in desk.told} == {"kept"}


async def test_a_carrier_that_cannot_be_reached_is_away() -> None:
    async with HttpCarrier("http://127.0.0.1:9", 0.5) as carrier:
        with acting(CAUSE), pytest.raises(CarrierAway):
            await carrier.book("o", HOME, PARCELS)


async def test_nonsense_is_answered_but_not_booked() -> None:
    async with over_http(Desk()) as carrier:
        assert (await carrier.exchange("POST", "/consignments", b"hello"))[0] == 400
        assert (await carrier.exchange("DELETE", "/consignments/none"))[0] == 404
        assert (await carrier.exchange("GET", "/nothing"))[0] == 404
        assert (await carrier.exchange("GET", "/health"))[0] == 200
        assert await carrier.exchange("GET", "/consignments") == (200, [])


async def test_where_the_carrier_is_decides_how_it_is_reached() -> None:
    assert isinstance(carrier_at("simulated", 1.0, 0.0, SystemClock()), InProcessCarrier)
    assert isinstance(carrier_at("http://carrier:7410", 1.0, 0.0, SystemClock()), HttpCarrier)


async def test_the_simulator_signs_what_it_tells() -> None:
    headers = sign(SECRET, "PN1-1", int(NOW.timestamp()), b"{}")
    assert Desk().webhook.verified(headers, b"{}", NOW).id == "webhook/webhooks/carrier/PN1-1"
    assert aiohttp.hdrs.CONTENT_TYPE not in headers


async def test_an_answer_of_the_carrier_that_leads_elsewhere_or_has_no_end_is_not_followed() -> None:
    followed: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        followed.append(request.path)
        if request.path == "/far/consignments":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        return web.Response(status=201, body=b'{"tracking_number": "PN1", "x": "' + b"x" * 1_000_000 + b'"}')

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    for path in ("far", "long"):
        async with HttpCarrier(f"http://127.0.0.1:{runner.addresses[0][1]}/{path}", 5.0) as carrier:
            with acting(CAUSE), pytest.raises(CarrierAway):
                await carrier.book("o", HOME, PARCELS)
    await runner.cleanup()
    assert followed == ["/far/consignments", "/long/consignments"]
