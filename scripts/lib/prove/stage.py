"""The stage of a run on the real stack: one process of each context, clients who ask, a subscriber who listens."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
from treaty.messaging.broker import exchange_of

from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.faults import Faults
from scripts.lib.prove.fleet import Clients, Fleet, fleet
from scripts.lib.prove.ground import ACCOUNTS, LEDGER
from scripts.lib.prove.outcome import Looking, looking
from scripts.lib.prove.proxy import proxy
from scripts.lib.prove.servers import Servers


@dataclass(slots=True, kw_only=True)
class Stage:
    """What a run has at hand.

    Attributes:
        flow: when events came out that have been through both contexts, by the loop's clock.
        begun: when the clients began to ask.
    """

    services: Fleet
    faults: Faults
    clients: Clients
    look: Looking
    flow: list[float]
    begun: float
    _asking: "asyncio.Task[None]"
    _helping: "list[asyncio.Task[None]]" = field(default_factory=list)

    def now(self) -> float:
        """Returns the seconds since the clients began."""
        return asyncio.get_running_loop().time() - self.begun

    async def finish(self, within: float) -> Verdict:
        """Lets the clients have their last answers, waits until nothing is left to do, and lets the checker look."""
        self.clients.stop()
        await self._asking
        left = await self.look.settled(within)
        for task in self._helping:
            task.cancel()
        await asyncio.gather(*self._helping, return_exceptions=True)
        verdict = await self.look.verdict(self.clients.operations, settled=not left)
        if left:
            verdict.lost.append(f"when all faults had ended there was work left: {left}")
        return verdict


@asynccontextmanager
async def stage(
    servers: Servers, folder: Path, name: str, *, seed: int = 1, clients: int = 12, pause: float = 0.1, **settings: str
) -> AsyncIterator[Stage]:
    """Sets the stage, in databases and exchanges whose names begin anew.

    Args:
        folder: where the processes write their logs.
        name: goes before the names of the databases.
        clients: how many ask at a time.
        pause: seconds, about, between an answer and the next question of a client.
        settings: what the services are told besides.
    """
    chance = random.Random(seed)
    direct = f"amqp://guest:guest@127.0.0.1:{servers.amqp_port}/"
    uri = servers.mongodb_uri.replace("/?", f"/{name}?")
    flow: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        to_broker = await stack.enter_async_context(proxy(lambda: servers.amqp_port))
        proxied = f"amqp://guest:guest@127.0.0.1:{to_broker.port}/?heartbeat=4"
        services = await stack.enter_async_context(fleet(uri, proxied, folder, **settings))
        to_accounts = await stack.enter_async_context(proxy(lambda: _port(services, chance)))
        await asyncio.gather(services.start(ACCOUNTS), services.start(LEDGER))
        look = await stack.enter_async_context(looking(uri, direct))
        helping = [asyncio.create_task(_tap(direct, flow)), asyncio.create_task(_keep_asking(look))]
        asking = Clients(lambda: f"127.0.0.1:{to_accounts.port}", chance=random.Random(seed), pause=pause)
        yield Stage(
            services=services,
            faults=Faults(servers, services, to_broker, to_accounts, chance),
            clients=asking,
            look=look,
            flow=flow,
            begun=asyncio.get_running_loop().time(),
            _asking=asyncio.create_task(asking.run(clients)),
            _helping=helping,
        )


def _port(services: Fleet, chance: random.Random) -> int:
    """Returns where one of the accounts answers; a port where nobody does, if there is none."""
    living = services.living(ACCOUNTS)
    return chance.choice(living).port if living else 1


async def _keep_asking(look: Looking) -> None:
    """Does what a person does, while faults go on."""
    while True:
        with contextlib.suppress(Exception):
            await look.ask_for_retries()
        await asyncio.sleep(1.0)


async def _tap(url: str, flow: list[float]) -> None:
    """Notes when the ledger's events come out, as another team's subscriber with a queue of its own, that lasts."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            async with _queue(url) as queue, queue.iterator(no_ack=True) as messages:
                async for _ in messages:
                    flow.append(loop.time())
        except Exception:
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _queue(url: str) -> AsyncIterator[aio_pika.abc.AbstractQueue]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("proof.tap", durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange_of(LEDGER), routing_key="#")
        yield queue
