"""The environment of a run on the real stack: a process of each context, clients with commands, and a subscriber."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
from treaty.concurrency.tasks import ended
from treaty.messaging.broker import exchange_of

from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.faults import Faults
from scripts.lib.prove.fleet import Clients, Fleet, fleet
from scripts.lib.prove.ground import ACCOUNTS, CONTEXTS, LEDGER
from scripts.lib.prove.ground.ledger_pb2 import Noted
from scripts.lib.prove.outcome import Looking, looking
from scripts.lib.prove.proxy import proxy
from scripts.lib.prove.servers import Servers

_FAR_BEHIND = 5_000
"""Movements between the clients and the subscriber behind the ledger, above which the clients wait."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """The parts of a run.

    Attributes:
        flow: the times, by the loop's clock, at which the subscriber received the ledger's events.
        noted: the number of the latest movement of each account that the ledger noted, as the subscriber heard of it.
        begun: the time at which the clients began.
    """

    services: Fleet
    faults: Faults
    clients: Clients
    look: Looking
    flow: list[float]
    noted: dict[str, int]
    begun: float
    _asking: "asyncio.Task[None]"
    _helping: "list[asyncio.Task[None]]" = field(default_factory=list)

    def now(self) -> float:
        """Returns the seconds since the clients began."""
        return asyncio.get_running_loop().time() - self.begun

    async def finish(self) -> Verdict:
        """Waits for the last answers and until no work is left; returns the verdict of the checker."""
        self.clients.stop()
        await self._asking
        left = await self.look.settled()
        for task in self._helping:
            task.cancel()
        await asyncio.gather(*self._helping, return_exceptions=True)
        verdict = await self.look.verdict(self.clients.operations, settled=not left)
        verdict.untrue += self.faults.broken
        if left:
            verdict.unsettled.append(f"after all faults had ended some work was not done: {left}")
        return verdict


@asynccontextmanager
async def stage(
    servers: Servers,
    folder: Path,
    name: str,
    *,
    seed: int = 1,
    clients: int = 12,
    accounts: int = 40,
    pause: float = 0.1,
    first: Mapping[str, str] | None = None,
    **settings: str,
) -> AsyncIterator[Stage]:
    """Runs the processes, the clients and the subscriber inside the block, on new databases and a new virtual host.

    Args:
        folder: the folder for the logs of the processes.
        name: the prefix of the databases' names, and the name of the broker's virtual host.
        clients: the number of clients. They wait while the ledger is far behind them.
        accounts: the number of accounts that they move money between.
        pause: about how many seconds a client waits between an answer and its next command.
        first: additional environment of the first process of each context.
        settings: additional settings of the services.
    """
    chance = random.Random(seed)
    uri = servers.mongodb_uri.replace("/?", f"/{name}?")
    flow: list[float] = []
    noted: dict[str, int] = {}
    async with contextlib.AsyncExitStack() as stack:
        direct = await stack.enter_async_context(servers.virtual_host(name))
        to_broker = await stack.enter_async_context(proxy(lambda: servers.amqp_port))
        proxied = f"amqp://guest:guest@127.0.0.1:{to_broker.port}/{name}"
        services = await stack.enter_async_context(fleet(uri, proxied, folder, **settings))
        to_accounts = await stack.enter_async_context(proxy(lambda: _port(services, chance)))
        await asyncio.gather(*(services.start(context, first) for context in CONTEXTS))
        look = await stack.enter_async_context(looking(uri, direct))
        asking = Clients(
            lambda: f"127.0.0.1:{to_accounts.port}", accounts=accounts, chance=random.Random(seed), pause=pause
        )
        helpers = (_tap(direct, flow, noted), _keep_asking(look), _keep_together(asking, noted))
        helping = [asyncio.create_task(helper) for helper in helpers]
        asked = asyncio.create_task(asking.run(clients))
        stack.push_async_callback(ended, [asked, *helping])
        yield Stage(
            services=services,
            faults=Faults(servers, services, to_broker, to_accounts, chance, direct, flow),
            clients=asking,
            look=look,
            flow=flow,
            noted=noted,
            begun=asyncio.get_running_loop().time(),
            _asking=asked,
            _helping=helping,
        )


def _port(services: Fleet, chance: random.Random) -> int:
    """Returns the port of a running accounts process; if none runs, a port on which no process listens."""
    living = services.living(ACCOUNTS)
    return chance.choice(living).port if living else 1


async def _keep_asking(look: Looking) -> None:
    """Requests retries of failed messages, as a person would do, while faults are injected."""
    while True:
        with contextlib.suppress(Exception):
            await look.ask_for_retries()
        await asyncio.sleep(1.0)


async def _keep_together(clients: Clients, noted: Mapping[str, int]) -> None:
    """Holds the clients while the ledger is far behind, or if they have done as much as they may.

    Otherwise replays, rebuilds and repairs would last longer and longer.
    """
    while True:
        behind = sum(max(0, number - noted.get(account, 0)) for account, number in clients.numbers.items())
        clients.held = behind > _FAR_BEHIND or sum(clients.numbers.values()) >= clients.most
        await asyncio.sleep(0.5)


async def _tap(url: str, flow: list[float], noted: dict[str, int]) -> None:
    """Records the times at which the ledger's events arrive at a subscriber of another team, with a durable queue."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    while task is None or not task.cancelling():  # the client may drop a cancellation
        try:
            async with _queue(url) as queue, queue.iterator(no_ack=True) as messages:
                async for message in messages:
                    flow.append(loop.time())
                    told = Noted.FromString(message.body)
                    noted[told.account_id] = max(noted.get(told.account_id, 0), told.number)
        except Exception:
            await asyncio.sleep(0.2)


@asynccontextmanager
async def _queue(url: str) -> AsyncIterator[aio_pika.abc.AbstractQueue]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("proof.tap", durable=True, arguments={"x-queue-type": "quorum"})
        await queue.bind(exchange_of(LEDGER), routing_key="#")
        yield queue
