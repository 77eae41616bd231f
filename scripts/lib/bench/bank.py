"""`scripts/bench bank`: postings on one hot account, and transfers with the CPU time of each process."""

import asyncio
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from treaty.chance import RandomIds
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.audit import history
from treaty.operations.backlog import backlog
from treaty.rabbit.broker import RabbitBroker
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings

from scripts.lib.bench import commands
from scripts.lib.bench.idle import servers_of
from scripts.lib.bench.used import used
from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service
from services.finance.accounts.domain.events import Posted
from services.finance.accounts.storage import ACCOUNTS as STORED

ACCOUNTS, FRAUD, TRANSFERS = BANK = ("finance.accounts", "finance.fraud", "finance.transfers")
_PARTITIONS = 4
_DRAINED_WITHIN = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement. Each round measures the echo, the hot account and the transfers, in turn.

    Attributes:
        seconds: how long the echo and the hot account are loaded in each round.
        transfers: how many transfers are made in each round.
        people: the number of accounts. None of them pays so often that Fraud asks a person.
        callers: how many callers credit the hot account, and how many transfers are on their way at a time.
    """

    seconds: float = 5.0
    rounds: int = 3
    transfers: int = 300
    people: int = 200
    callers: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bank:
    """Three contexts and an echo that run, with their ports and the ids of their processes."""

    targets: Mapping[str, str]
    pids: Mapping[str, int]
    stores: Mapping[str, MongoStores]
    services: Mapping[str, Service]
    broker: RabbitBroker

    async def load(self, what: str, prefix: str, **options: object) -> dict[str, Any]:
        own = {"accounts": self.targets[ACCOUNTS], "transfers": self.targets[TRANSFERS], "prefix": prefix, **options}
        return await commands.run_load("scripts.lib.bench.bank_load", what, own)

    async def left(self, *contexts: str) -> int:
        """Returns the number of items that are left to do: messages, calls, and commits to show in read models."""
        total = 0
        for name in contexts or BANK:
            stores = self.stores[name]
            total += (await backlog(self.services[name], stores, self.broker, _PARTITIONS)).total
        return total

    async def watch(self, seen: list[int]) -> None:
        """Reads the backlog of Accounts twice a second."""
        while True:
            seen.append(await self.left(ACCOUNTS))
            await asyncio.sleep(0.5)

    async def drained(self) -> float:
        """Waits until nothing is left to do; returns the seconds."""
        begun = time.perf_counter()
        async with asyncio.timeout(_DRAINED_WITHIN):
            while await self.left():
                await asyncio.sleep(0.1)
        return time.perf_counter() - begun

    def cpu(self) -> Mapping[str, float]:
        """Returns the CPU seconds that each process has used."""
        return used(self.pids)

    async def balance(self, account: str) -> tuple[int, int]:
        """Returns the balance of an account, and the sum of its postings."""
        stream, total, balance = STORED.stream_of(account), 0, 0
        async for commit in history(self.stores[ACCOUNTS].log):
            if commit.stream == stream:
                for event in map(STORED.events.decode, commit.events):
                    if isinstance(event, Posted):
                        total, balance = total + event.posting.amount.minor_units, event.posting.balance
        return balance, total


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures; rates, backlogs and CPU times are medians over the rounds."""
    rounds = []
    async with _bank(environ, logs) as bank:
        for number in range(plan.rounds):
            rounds.append(await _round(bank, plan, f"b{number}"))
            print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
    names = [name for name in rounds[0] if name not in _SUMS]
    figures = {name: round(median(one[name] for one in rounds), 3) for name in names}
    return {
        **figures,
        **{name: sum(one[name] for one in rounds) for name in _SUMS},
        "hot_ratio_to_echo": round(figures["hot_per_s"] / figures["echo_per_s"], 3),
        "transfers_ratio_to_echo": round(figures["transfers_per_s"] / figures["echo_per_s"], 4),
        "cpu_of_transfer_in_echoes": round(figures["cpu_ms_per_transfer"] / figures["cpu_ms_per_echo"], 1),
    }


_SUMS = ("postings", "units", "units_found", "transfers", "completed")


def faults(figures: Mapping[str, Any]) -> Sequence[str]:
    """Returns a sentence for each reason for which the figures are not valid."""
    found = []
    if figures["units"] != figures["units_found"]:
        found.append(f"{figures['units']} units were acknowledged, but the hot account has {figures['units_found']}")
    if figures["completed"] != figures["transfers"]:
        found.append(f"{figures['completed']} of {figures['transfers']} transfers were completed")
    return found


async def _round(bank: _Bank, plan: Plan, prefix: str) -> dict[str, float]:
    before = bank.cpu()
    echo = await commands.load(bank.targets["echo"], prefix, plan.people, plan.callers, plan.seconds)
    of_echo = bank.cpu()["echo"] - before["echo"]
    seen: list[int] = []
    looking = asyncio.create_task(bank.watch(seen))
    hot = await bank.load("hot", prefix, callers=plan.callers, seconds=plan.seconds)
    looking.cancel()
    seen.append(await bank.left(ACCOUNTS))
    drain = await bank.drained()
    balance, total = await bank.balance(f"{prefix}-hot")
    await bank.load("open", prefix, people=plan.people)
    await bank.drained()
    before = bank.cpu()
    made = await bank.load("transfers", prefix, people=plan.people, count=plan.transfers, callers=plan.callers)
    await bank.drained()
    spent = {name: 1000 * (after - before[name]) / plan.transfers for name, after in bank.cpu().items()}
    ours = {name: ms for name, ms in spent.items() if name != "echo"}
    return {
        "echo_per_s": echo["per_s"],
        "hot_per_s": hot["per_s"],
        "hot_backlog_most": max(seen),
        "hot_backlog": seen[-1],
        "hot_drain_s": drain,
        "transfers_per_s": made["per_s"],
        "cpu_ms_per_echo": 1000 * of_echo / echo["acknowledged"],
        "cpu_ms_per_transfer": sum(ours.values()),
        **{f"cpu_ms_per_transfer_{name.rpartition('.')[2]}": ms for name, ms in ours.items()},
        "postings": hot["acknowledged"],
        "units": hot["units"],
        "units_found": balance if balance == total else -1,
        "transfers": plan.transfers,
        "completed": made["completed"],
    }


@asynccontextmanager
async def _bank(environ: Mapping[str, str], logs: Path) -> AsyncIterator[_Bank]:
    """Runs the contexts, in databases of their own, and the echo."""
    prefix = f"bank_{uuid.uuid4().hex[:8]}"
    uri = environ["MONGODB_URI"].replace("/?", f"/{prefix}?")
    names = ("echo", *BANK)
    targets = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)), strict=True)}
    peers = ",".join(f"{name}={targets[name]}" for name in BANK)
    settings = {"MONGODB_URI": uri, "TREATY_PEERS": peers, "LOG_LEVEL": "warning", "GRPC_HOST": "127.0.0.1"}
    settings |= {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "TRANSFERS_SCREENING_SECONDS": "300"}
    async with AsyncExitStack() as stack:
        databases = [f"{prefix}_{name.replace('.', '_')}" for name in BANK]
        await stack.enter_async_context(temporary(environ["MONGODB_URI"], databases))
        pids = {}
        for name, target in targets.items():
            own = {**environ, **settings, "GRPC_PORT": target.rpartition(":")[2]}
            run = service(f"bank-{name}", _arguments(name), own, logs, target)
            pids[name] = await stack.enter_async_context(run)
        pids |= {type(one).__name__.lower(): pid for one in servers_of(environ) if (pid := one.pid())}
        client = connect(uri, "motor")
        stack.push_async_callback(close, client)
        broker = RabbitBroker(environ["AMQP_URL"], name="bench", ids=RandomIds())
        stack.push_async_callback(broker.close)
        stores = {name: MongoStores(client, name, surroundings=Surroundings()) for name in BANK}
        services = {
            name: load_context(name)(Ports(stores=own, surroundings=Surroundings())) for name, own in stores.items()
        }
        yield _Bank(targets=targets, pids=pids, stores=stores, services=services, broker=broker)


def _arguments(name: str) -> Sequence[str]:
    return ["-m", "scripts.lib.bench.rivals", "echo"] if name == "echo" else ["-m", "treaty.cli", "run", name]
