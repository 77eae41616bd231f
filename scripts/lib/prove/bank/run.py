"""The run of the bank test: processes of the three contexts, customers, and one fault after another."""

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finance.accounts.v1.accounts_service_pb2_grpc import AccountsServiceStub
from finance.fraud.v1.fraud_service_pb2_grpc import FraudServiceStub
from finance.transfers.v1.transfers_service_pb2_grpc import TransfersServiceStub
from treaty.causes import Cause, acting
from treaty.probes import NoProbe
from treaty.rpc.peers import Peer
from treaty.service.contexts import load_context
from treaty.testing import while_moving

from scripts.lib.prove.bank import ACCOUNTS, BANK, FRAUD, TRANSFERS
from scripts.lib.prove.bank.audit import audit
from scripts.lib.prove.bank.customers import LARGE, MEAN, Customers
from scripts.lib.prove.checker import Verdict
from scripts.lib.prove.faults import Faults
from scripts.lib.prove.fleet import Fleet, fleet
from scripts.lib.prove.nemesis import Injected
from scripts.lib.prove.outcome import Looking, looking
from scripts.lib.prove.proxy import Proxy, proxy
from scripts.lib.prove.servers import Servers

_STUBS: Mapping[str, Any] = {
    ACCOUNTS: AccountsServiceStub,
    FRAUD: FraudServiceStub,
    TRANSFERS: TransfersServiceStub,
}

_QUIET_SECONDS = 0.7
_STILL = 60.0
"""Seconds without a new commit after which transfers that have not ended are given up: more than any deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a run.

    Attributes:
        transfers: at least how many transfers are made.
        people: the number of accounts.
        rounds: how often each kind of fault is injected.
        clients: how many transfers are on their way at a time.
    """

    transfers: int = 2_000
    people: int = 200
    rounds: int = 1
    clients: int = 96


@dataclass(slots=True)
class Banked:
    """The outcome of a run.

    Attributes:
        transfers: how many were made.
        by_end: how many have each end: completed, or the code of the failure. Failures by a rule are legal ends.
        settled_after: the seconds from the last new transfer until no work was left.
    """

    faults: list[Injected] = field(default_factory=list)
    transfers: int = 0
    by_end: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    settled_after: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def by_kind(self) -> Counter[str]:
        return Counter(fault.kind for fault in self.faults)


@dataclass(slots=True, kw_only=True)
class _Bank:
    """A bank that runs: its processes, a proxy before each context, its customers, and a look into its stores."""

    services: Fleet
    doors: Mapping[str, Proxy]
    faults: Faults
    customers: Customers
    look: Looking

    async def peers_cut(self) -> None:
        """Resets the connections to Accounts five times, so that answers to transfers are lost on their way."""
        for _ in range(5):
            self.doors[ACCOUNTS].cut()
            await asyncio.sleep(0.4)

    @property
    def all(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """The faults by name: each process is killed and stopped, and the servers fail as in the nemesis run."""
        faults = self.faults
        own = {
            name: fault
            for context in BANK
            for name, fault in (
                (f"{context.partition('.')[2]}_killed", lambda of=context: faults.service_killed(of)),
                (f"{context.partition('.')[2]}_stopped", lambda of=context: faults.service_stopped(of)),
            )
        }
        return {
            **own,
            "peers_cut": self.peers_cut,
            "clients_cut": faults.clients_cut,
            "primary_killed": faults.primary_killed,
            "primary_stopped": faults.primary_stopped,
            "primary_stepped_down": faults.primary_stepped_down,
            "replication_stopped": faults.replication_stopped,
            "broker_restarted": faults.broker_restarted,
            "broker_half_open": faults.broker_half_open,
        }


async def run_bank(servers: Servers, folder: Path, plan: Plan, *, seed: int = 1) -> Banked:
    """Makes transfers until the plan is fulfilled and every fault has been injected; then audits the bank."""
    found, loop = Banked(), asyncio.get_running_loop()
    async with _bank(servers, folder, plan, random.Random(seed)) as bank:
        begun = loop.time()
        await bank.customers.open()
        paying = [asyncio.create_task(bank.customers.pay()) for _ in range(plan.clients)]
        try:
            await _befall(bank, plan.rounds, found, begun)
            with contextlib.suppress(AssertionError):
                await while_moving(
                    lambda: len(bank.customers.told) >= plan.transfers,
                    bank.look.moved,
                    still=_STILL,
                    within=float("inf"),
                )
            bank.customers.stop()
            found.seconds = loop.time() - begun
            left = await _settle(bank, paying)
            found.settled_after = loop.time() - begun - found.seconds
        finally:
            await _give_up(paying)
        audited = await audit(bank.look.stores, bank.customers.told, bank.customers.paid_in, settled=not left)
    found.transfers, found.by_end, found.verdict = audited.transfers, audited.by_end, audited.verdict
    if left:
        found.verdict.unsettled.append(f"after all faults had ended some work was not done: {left}")
    return found


async def _befall(bank: _Bank, rounds: int, found: Banked, begun: float) -> None:
    loop, chance = asyncio.get_running_loop(), bank.faults.chance
    for kind in [kind for _ in range(rounds) for kind in chance.sample(list(bank.all), len(bank.all))]:
        await asyncio.sleep(_QUIET_SECONDS * chance.uniform(0.5, 1.5))
        fault = Injected(kind, loop.time() - begun)
        found.faults.append(fault)
        await bank.all[kind]()
        fault.mended = loop.time() - begun


async def _settle(bank: _Bank, paying: "list[asyncio.Task[None]]") -> str:
    """Waits for the ends of all transfers as long as anything moves, and then until no work is left.

    Returns a description of the work that is left, empty if there is none. A transfer that has not ended, although
    nothing is left to do for it, is for the audit.
    """
    with contextlib.suppress(AssertionError):
        await while_moving(
            lambda: all(one.done() for one in paying), bank.look.moved, still=_STILL, within=float("inf")
        )
    return await bank.look.settled(still=_STILL)


async def _give_up(paying: "list[asyncio.Task[None]]") -> None:
    """Cancels the clients whose transfers do not end; raises the error of a client that failed."""
    ended = [one for one in paying if one.done()]
    for one in paying:
        one.cancel()
    await asyncio.gather(*paying, return_exceptions=True)
    for one in ended:
        one.result()


@asynccontextmanager
async def _bank(servers: Servers, folder: Path, plan: Plan, chance: random.Random) -> AsyncIterator[_Bank]:
    """Runs a bank inside the block, on databases and a virtual host of its own."""
    uri = servers.mongodb_uri.replace("/?", "/bank?")
    async with AsyncExitStack() as stack:
        direct = await stack.enter_async_context(servers.virtual_host("bank"))
        to_broker = await stack.enter_async_context(proxy(lambda: servers.amqp_port))
        services: list[Fleet] = []
        doors = {
            name: await stack.enter_async_context(proxy(lambda of=name: _port(services[0], of, chance)))  # type: ignore[misc]
            for name in BANK
        }
        settings = {
            "TREATY_PEERS": ",".join(f"{name}=127.0.0.1:{door.port}" for name, door in doors.items()),
            "TRANSFERS_LARGE": str(LARGE),
            "TRANSFERS_DAILY_LIMIT": str(int(0.8 * MEAN * plan.transfers / plan.people)),
        }
        proxied = f"amqp://guest:guest@127.0.0.1:{to_broker.port}/bank"
        services.append(await stack.enter_async_context(fleet(uri, proxied, folder, **settings)))
        await asyncio.gather(*(services[0].start(name) for name in BANK))
        look = await stack.enter_async_context(looking(uri, direct, BANK, load_context))
        peers = {
            name: await stack.enter_async_context(Peer(name, lambda of: f"127.0.0.1:{doors[of].port}", NoProbe()))
            for name in BANK
        }
        customers = Customers(
            ask=_asking(peers), people=plan.people, chance=random.Random(chance.random()), new_id=_new_id
        )
        faults = Faults(servers, services[0], to_broker, doors[TRANSFERS], chance, direct)
        yield _Bank(services=services[0], doors=doors, faults=faults, customers=customers, look=look)


def _asking(peers: Mapping[str, Peer]) -> Callable[[str, str, Any], Awaitable[Any]]:
    async def ask(context: str, method: str, request: Any) -> Any:
        with acting(Cause(id="a customer", digest="")):
            return await peers[context].ask(_STUBS[context], method, request, timeout=3.0)

    return ask


def _new_id() -> str:
    return str(uuid.uuid4())


def _port(services: Fleet, context: str, chance: random.Random) -> int:
    """Returns the port of a running process of a context; if none runs, a port on which no process listens."""
    living = services.living(context)
    return chance.choice(living).port if living else 1
