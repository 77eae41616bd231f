"""Licensing in two processes on the real servers: exclusive rights once, exact counts, expiry, rebuilt read models."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from media.licensing.v1 import licensing_service_pb2 as pb
from treaty.rpc.client import until_answered
from treaty.testing.clients import refusal
from treaty.testing.world import SeededIds

from tests.real.newsroom import Newsroom, newsroom
from tests.services.media.agency import Agency, usage

pytestmark = pytest.mark.slow

NAMES = ("media.licensing", "media.licensing 2")


@pytest.fixture
async def room(servers: dict[str, str], tmp_path: Path) -> AsyncIterator[Newsroom]:
    async with newsroom(servers, tmp_path, NAMES) as running:
        yield running


@pytest.fixture
async def agencies(room: Newsroom) -> tuple[Agency, Agency]:
    """A client of each process; the license types "web" and "only", which is exclusive, and the asset "sunset"."""
    one, other = (Agency(room.channel(name), SeededIds(name), room.broker) for name in NAMES)
    await one.define()
    await one.define("only", exclusive=True)
    await one.define("brief", valid_for=Duration(seconds=2))
    await one.offer("sunset", "web", "only", "brief")
    return one, other


async def test_an_exclusive_right_is_granted_once_by_two_processes(agencies: tuple[Agency, Agency]) -> None:
    for n in range(20):
        asset = f"asset-{n}"
        await agencies[0].offer(asset, "only")
        wanted = [
            (agency, agency.purchase(asset_id=asset, type_id="only", buyer_id=f"buyer-{m}"))
            for m, agency in enumerate(agencies)
        ]
        calls = [until_answered(partial(agency.buy, one)) for agency, one in wanted]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        [bought] = [one for one in outcomes if isinstance(one, pb.PurchaseLicenseResponse)]
        for agency, one in wanted:
            if one.buyer_id != bought.license.buyer_id:
                assert (await refusal(agency.buy(one))).reason == "EXCLUSIVELY_LICENSED"
        listed = await agencies[0].find(asset_id=asset, not_before=bought.revision)
        assert list(listed.licenses) == [bought.license]


async def test_reports_through_two_processes_one_of_which_is_killed_count_exactly(
    room: Newsroom, agencies: tuple[Agency, Agency]
) -> None:
    ids = [(await agencies[0].buy(buyer_id=f"buyer-{n}")).license.license_id for n in range(4)]
    chance, requests = random.Random(4), SeededIds("reports")
    reports = [(chance.choice(ids), usage(f"u-{n}", chance.randint(1, 3)), requests.new()) for n in range(200)]

    async def send(n: int) -> None:
        """Sends a report to either process, and to the living one until it is answered; every third one twice."""
        license_id, one, request_id = reports[n]
        agency = agencies[n % 2]
        try:
            await agency.report(license_id, one, request_id=request_id)
        except Exception:
            await until_answered(partial(agencies[0].report, license_id, one, request_id=request_id), attempts=100)
        if n % 3 == 0:
            await until_answered(partial(agencies[0].report, license_id, one, request_id=request_id), attempts=100)

    first = [asyncio.create_task(send(n)) for n in range(200)]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    await room.kill(NAMES[1])
    await asyncio.gather(*first)
    await room.settled()
    for license_id in ids:
        license = await agencies[0].license(license_id)
        reported = sum(one.uses for id, one, _ in reports if id == license_id)
        assert (license.counted, license.excess) == (min(reported, 10), max(reported - 10, 0))
    days = await agencies[0].usage_days()
    assert sum(day.uses for day in days) == sum(one.uses for _, one, _ in reports)
    assert sum(day.reports for day in days) == len(reports)
    assert sum(day.excess for day in days) == sum([(await agencies[0].license(id)).excess for id in ids])
    assert set((await room.rebuilt()).values()) == {True}


async def test_a_license_expires_although_its_process_was_killed(
    room: Newsroom, agencies: tuple[Agency, Agency]
) -> None:
    bought = await agencies[0].buy(type_id="brief")
    await room.kill(NAMES[0])
    assert await room.eventually(lambda: agencies[1].is_expired(bought.license.license_id))


async def test_ten_thousand_reports_keep_exact_totals(room: Newsroom, agencies: tuple[Agency, Agency]) -> None:
    bought = [(await agencies[n % 2].buy(buyer_id=f"buyer-{n}")).license for n in range(50)]
    requests, places = SeededIds("many"), asyncio.Semaphore(32)

    async def send(n: int) -> None:
        """Sends ten reports in one call, to either process."""
        license_id, request_id = bought[n % 50].license_id, requests.new()
        usages = [usage(f"u-{n}-{m}", 1 + m % 3, territory="US" if m == 9 else "DE") for m in range(10)]
        async with places:
            call = partial(agencies[n % 2].report, license_id, *usages, request_id=request_id)
            await until_answered(call, attempts=100)

    await asyncio.gather(*(send(n) for n in range(1000)))
    await room.settled()
    uses = 1000 * sum(1 + m % 3 for m in range(9))
    days = await agencies[0].usage_days(asset_id="sunset")
    assert (sum(day.reports for day in days), sum(day.uses for day in days)) == (10_000, uses)
    assert (sum(day.outside for day in days), sum(day.excess for day in days)) == (1000, uses - 50 * 10)
    assert set((await room.rebuilt()).values()) == {True}
