"""On real servers, a read model that raises on one row holds up nothing but itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import Int64Value
from treaty.chance import RandomIds
from treaty.commits.commit import Outgoing
from treaty.commits.log import Place
from treaty.messaging.broker import Topology
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.process.runner import Runner
from treaty.projections.projection import Projection
from treaty.rabbit.broker import RabbitBroker
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing import while_moving
from treaty.testing.recorder import Recorder
from treaty.testing.samples import NOON, NOTES, bare_api, noted

pytestmark = pytest.mark.slow

EVENT = "google.protobuf.Int64Value"
COMMITS = 2_500


class Mended:
    """The read model of notes, which raises on the note `poison` until it is mended."""

    def __init__(self) -> None:
        self.done = False

    def project(self, id: str, row: Any, event: Any) -> Any:
        if id == "poison" and not self.done:
            raise RuntimeError("this row cannot be shown")
        return NOTES.project(id, row, event)


@asynccontextmanager
async def _running(
    servers: dict[str, str], context: str, projection: Projection[Any], probe: Recorder
) -> AsyncIterator[tuple[Runner, MongoStores, RabbitBroker]]:
    client = connect(servers["MONGODB_URI"], "motor")
    broker = RabbitBroker(servers["AMQP_URL"], name="test", ids=RandomIds())
    surroundings = Surroundings(probe=probe)
    stores = MongoStores(client, context, surroundings=surroundings)
    service = Service(
        name=context,
        api=bare_api(f"{context}.v1.Test"),
        publishes=[Int64Value],
        projections=[projection, replace(NOTES, name="others")],
    )
    runner = Runner(service=service, stores=stores, broker=broker, surroundings=surroundings, lease_seconds=2.0)
    await runner.start()
    try:
        yield runner, stores, broker
    finally:
        await runner.stop()
        await broker.close()
        await close(client)


async def test_a_row_that_raises_halts_its_read_model_alone(servers: dict[str, str], context: str) -> None:
    mended, probe = Mended(), Recorder()
    projection = replace(NOTES, project=mended.project)
    inbox = Topology(context=f"{context}x", publishes=[], subscribes={context: [EVENT]}, partitions=1)
    async with _running(servers, context, projection, probe) as (runner, stores, broker):
        await while_moving(lambda: runner.ready, lambda: 0)
        await broker.declare(inbox)
        first = noted("poison", 1, "ann", 1)
        for n in range(COMMITS + 1):
            commit = first if n == 0 else noted(f"n{n}", 1, "ann", n)
            event = Outgoing(type=EVENT, body=b"", time=NOON, cause=0)
            await stores.log.append(replace(commit, outbox=[event], sequence=1))
            if n == 0:
                await while_moving(lambda: _halted(stores), lambda: dict(probe.gauges))

        async def progress() -> object:
            return await broker.queued(inbox), len(await stores.rows(NOTES).everything(0))

        async def all_is_out() -> bool:
            return await broker.queued(inbox) == COMMITS + 1

        async def all_is_shown(name: str) -> bool:
            return len(await stores.rows(replace(NOTES, name=name)).everything(0)) == COMMITS + 1

        await while_moving(all_is_out, progress)
        await while_moving(lambda: all_is_shown("others"), progress)
        assert "this row cannot be shown" in (await stores.checkpoints.halted())["projection notes"]
        assert runner.ready
        assert probe.counts["treaty.relay.published"] == COMMITS + 1, "no event was published twice"
        mended.done = True
        await while_moving(lambda: all_is_shown("notes"), progress, still=90)
        await while_moving(lambda: _nothing_is_halted(stores), progress)

        async def place_is_the_last() -> bool:
            places = await stores.checkpoints.load()  # stored some time after the rows
            return places["projection notes"].position == (await _last(stores)).position

        await while_moving(place_is_the_last, stores.checkpoints.load)


async def _halted(stores: MongoStores) -> bool:
    return "projection notes" in await stores.checkpoints.halted()


async def _nothing_is_halted(stores: MongoStores) -> bool:
    return not await stores.checkpoints.halted()


async def _last(stores: MongoStores) -> Place:
    found = await stores.log.peek(Place(), COMMITS + 10)
    return Place("", max(commit.position for commit in found))
