"""The samples of the domain media: the opening fills the contexts, and each deed does as its name says."""

import random
from functools import partial
from typing import Any

import grpc
import pytest
from media.compliance.v1 import compliance_service_pb2 as compliance
from treaty.chance import RandomIds
from treaty.rpc.errors import details_of
from treaty.testing import eventually
from treaty.testing.world import World, embedded

from scripts.lib.up.calls import Refused, method_of, with_steady_id
from scripts.lib.up.traffic import Day, Traffic
from services.media import samples
from tests.services.media.agency import Agency
from tests.services.media.studio import Studio
from tests.services.media.team import Team

CONTEXTS = ("media.assets", "media.licensing", "media.compliance")
REFUSED = {"EXCLUSIVELY_LICENSED", "LICENSED_ALREADY", "RENEWED_ALREADY", "CASE_CLOSED"}
"""The reasons with which a deed may be refused."""


async def _send(world: World, request: Any) -> Any:
    stubs = (Agency(world.channel).licensing, Team(world.channel).compliance, Studio(world.channel, RandomIds()).stub)
    name = type(request).__name__.removesuffix("Request")
    [method] = [getattr(stub, name) for stub in stubs if hasattr(stub, name)]
    if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
        request.request_id = RandomIds().new()
    return await method([request] if method_of(request).client_streaming else request, timeout=10)


async def _is_taken(world: World, request: Any) -> bool:
    """Sends a request; returns whether it is done, and not refused because a picture is not ready yet."""
    try:
        await _send(world, request)
    except grpc.aio.AioRpcError as error:
        if "ASSET_NOT_READY" not in f"{details_of(error)}":
            raise
        return False
    return True


@pytest.mark.slow
async def test_the_opening_and_every_deed_are_answered_or_refused_for_a_reason_of_the_business() -> None:
    reasons: list[str] = []
    async with embedded(*CONTEXTS) as world:

        async def ask(request: Any) -> Any:
            try:
                return await _send(world, request)
            except grpc.aio.AioRpcError as error:
                raise Refused(f"{details_of(error)}") from None

        for _ in range(2):
            for request in samples.opening():
                await eventually(partial(_is_taken, world, with_steady_id(request)))
        studio = Studio(world.channel, RandomIds())
        await eventually(lambda: studio.is_searchable("sunset"))
        listed = await Agency(world.channel).find(page_size=100)
        assert sorted(one.buyer_id for one in listed.licenses) == ["ada", "edsger", "grace"]
        traffic = Traffic(
            day=Day(),
            deeds=samples.DEEDS,
            ask=ask,
            refused=reasons.append,
            dice=random.Random(4),
        )
        for _ in range(30):
            for name in samples.DEEDS:
                await traffic.do(name)
        assert [why for why in reasons if not any(reason in why for reason in REFUSED)] == []
        await eventually(world.is_settled)
        days = await Agency(world.channel).usage_days()
        assert sum(day.reports for day in days) >= 30
        assert sum(day.excess + day.outside for day in days) > 0
        assert await Team(world.channel).alerts(status=compliance.CASE_STATUS_CLOSED, reviewer="rita")
