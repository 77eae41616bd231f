"""A process of an operator, with the settings of a service in its environment.

Usage: operate rebuild CONTEXT NUMBER    rebuilds one of the read models of a context, counted from 0 and round again
       operate replay PRODUCER CONSUMER  replays the last minute of one context to another
       operate abandon CONSUMER          gives up the replays that are open

It ends with 1 if the work was not done.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from treaty.chance import RandomIds
from treaty.clock import SystemClock
from treaty.messaging.replays import Replay
from treaty.messaging.subscriptions import by_producer
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.rebuild import rebuild
from treaty.operations.replay import Replayer
from treaty.rabbit.broker import RabbitBroker
from treaty.service.ports import Ports
from treaty.service.service import Service, topology_of
from treaty.settings import ProcessSettings, read_settings
from treaty.surroundings import Surroundings

from scripts.lib.prove.ground import CONTEXTS, load

_REPLAYED = timedelta(minutes=1)
"""A run that goes on for hours would not end if each of its replays began at its beginning."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The stores of both contexts, and the broker."""

    settings: ProcessSettings
    stores: Mapping[str, MongoStores]
    broker: RabbitBroker
    surroundings: Surroundings

    async def rebuild(self, context: str, number: str) -> bool:
        models = self._service(context).read_models
        await rebuild(
            models[int(number) % len(models)],
            self.stores[context],
            owner=RandomIds().new(),
            lease_seconds=self.settings.lease_seconds,
        )
        return True

    async def replay(self, producer: str, consumer: str) -> bool:
        """Replays the last minute, and gives the replay up if it does not come to its end."""
        service, stores, partitions = self._service(consumer), self.stores[consumer], self.settings.partitions
        now = SystemClock().now()
        replay = Replay(
            id=RandomIds().new(),
            producer=producer,
            types=by_producer(service.subscriptions)[producer],
            partitions=partitions,
            reason="a proof",
            by="an operator",
            at=now,
            since=now - _REPLAYED,
        )
        replayer = Replayer(
            self.stores[producer].log,
            stores.replays,
            stores.leases,
            self.broker,
            topology_of(service, partitions),
            chance=self.surroundings.chance,
        )
        try:
            await replayer.run(replay)
            return not await replayer.left(replay.id)
        finally:
            await self.abandon(consumer)

    async def abandon(self, consumer: str) -> bool:
        replays = self.stores[consumer].replays
        for replay in await replays.open():
            await replays.abandon(replay.id)
        return True

    def _service(self, context: str) -> Service:
        return load(context)(Ports(stores=self.stores[context], surroundings=self.surroundings, environ=os.environ))


@asynccontextmanager
async def _operator() -> AsyncIterator[Operator]:
    settings, surroundings = read_settings(ProcessSettings, os.environ), Surroundings()
    client = connect(settings.mongodb_uri.get_secret_value(), settings.mongodb_driver)
    broker = RabbitBroker(settings.amqp_url.get_secret_value(), name="operator", ids=RandomIds())
    stores = {name: MongoStores(client, name, surroundings=surroundings) for name in CONTEXTS}
    try:
        yield Operator(settings, stores, broker, surroundings)
    finally:
        await broker.close()
        await close(client)


async def _operate(action: str, arguments: Sequence[str]) -> bool:
    async with _operator() as operator:
        actions: Mapping[str, Callable[..., Awaitable[bool]]] = {
            "rebuild": operator.rebuild,
            "replay": operator.replay,
            "abandon": operator.abandon,
        }
        return await actions[action](*arguments)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(_operate(sys.argv[1], sys.argv[2:])) else 1)
