"""`scripts/bench uses`: reports of uses of licenses a second, with exact totals, and the CPU time of a report."""

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

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as pb
from media.licensing.v1.licensing_service_pb2_grpc import LicensingServiceStub
from media.money.v1.money_pb2 import Money
from treaty.chance import RandomIds
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.operations.backlog import backlog
from treaty.rabbit.broker import RabbitBroker
from treaty.rpc.client import channel, until_answered
from treaty.service.contexts import load_context
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings

from scripts.lib.bench import commands
from scripts.lib.bench.idle import servers_of
from scripts.lib.bench.used import used
from scripts.lib.databases import temporary
from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import service
from scripts.lib.ready import ASSETS, ready

LICENSING, COMPLIANCE = AGENCY = ("media.licensing", "media.compliance")
_PARTITIONS = 4
_DRAINED_WITHIN = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement. Each round measures the echo and the reports, in turn.

    Attributes:
        reports: in each round; each has one use.
        licenses: which they are spread over.
        callers: how many reports are on their way at a time.
    """

    reports: int = 10_000
    rounds: int = 3
    licenses: int = 200
    callers: int = 64
    seconds: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agency:
    stub: Any
    echo: str
    pids: Mapping[str, int]
    stores: Mapping[str, MongoStores]
    broker: RabbitBroker

    async def open(self, prefix: str, count: int) -> Sequence[pb.License]:
        """Sells licenses whose last few uses will be too many."""
        terms = pb.Terms(
            model=pb.MODEL_RIGHTS_MANAGED,
            territories=["DE"],
            media=[events.MEDIUM_WEB],
            allowed=20,
            valid_for=Duration(seconds=86_400),
            price=Money(minor_units=100, currency="EUR"),
        )
        await self._ask("DefineLicenseType", pb.DefineLicenseTypeRequest(type_id=prefix, name=prefix, terms=terms))
        await self.broker.publish(ASSETS, ready(prefix))
        await self._offer(pb.OfferAssetRequest(asset_id=prefix, type_ids=[prefix]))
        purchases = [
            pb.PurchaseLicenseRequest(asset_id=prefix, buyer_id=f"b-{n}", type_id=prefix) for n in range(count)
        ]
        sold = await asyncio.gather(*(self._ask("PurchaseLicense", one) for one in purchases))
        return [answer.license for answer in sold]

    async def _offer(self, request: pb.OfferAssetRequest) -> None:
        """Offers an asset as soon as Licensing has heard that it is ready."""
        async with asyncio.timeout(_DRAINED_WITHIN):
            while True:
                try:
                    await self._ask("OfferAsset", request)
                except grpc.aio.AioRpcError as error:
                    if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                        raise
                    await asyncio.sleep(0.05)
                else:
                    return

    async def report(self, licenses: Sequence[pb.License], plan: Plan) -> None:
        """Reports uses, the licenses in turn."""
        left = iter(range(plan.reports))

        async def caller() -> None:
            for number in left:
                license = licenses[number % len(licenses)]
                request = pb.ReportUsageRequest(license_id=license.license_id, usages=[_usage(number)])
                await self._ask("ReportUsage", request)

        await asyncio.gather(*(caller() for _ in range(plan.callers)))

    async def counted(self, licenses: Sequence[pb.License]) -> tuple[int, int]:
        """Returns the uses that the licenses have, and those that the read model of days has."""
        got = [await self._ask("GetLicense", pb.GetLicenseRequest(license_id=one.license_id)) for one in licenses]
        days = await self._ask("ListUsageByDay", pb.ListUsageByDayRequest(asset_id=licenses[0].asset_id))
        return sum(one.license.counted + one.license.excess for one in got), sum(day.uses for day in days.days)

    async def _ask(self, method: str, request: Any) -> Any:
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = str(uuid.uuid4())
        return await until_answered(lambda: getattr(self.stub, method)(request, timeout=30.0))

    async def left(self) -> int:
        """Returns the number of items that are left to do in both contexts."""
        total = 0
        for name, stores in self.stores.items():
            service_ = load_context(name)(Ports(stores=stores, surroundings=Surroundings()))
            total += (await backlog(service_, stores, self.broker, _PARTITIONS)).total
        return total

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


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures; rates, backlogs and CPU times are medians over the rounds."""
    rounds = []
    async with _agency(environ, logs) as agency:
        for number in range(plan.rounds):
            rounds.append(await _round(agency, plan, f"p{number}"))
            print(f"round {number + 1}: {rounds[-1]}", file=sys.stderr)
    sums = ("reported", "counted", "by_day")
    figures = {name: round(median(one[name] for one in rounds), 3) for name in rounds[0] if name not in sums}
    return {
        **figures,
        **{name: sum(one[name] for one in rounds) for name in sums},
        "reports_ratio_to_echo": round(figures["reports_per_s"] / figures["echo_per_s"], 3),
        "cpu_of_report_in_echoes": round(figures["cpu_ms_per_report"] / figures["cpu_ms_per_echo"], 1),
    }


def faults(figures: Mapping[str, Any]) -> Sequence[str]:
    """Returns a sentence for each total that is not exact."""
    totals = {"the licenses": figures["counted"], "the days": figures["by_day"]}
    return [
        f"{figures['reported']} uses were reported, and {place} have {total}"
        for place, total in totals.items()
        if total != figures["reported"]
    ]


async def _round(agency: _Agency, plan: Plan, prefix: str) -> dict[str, float]:
    before = agency.cpu()
    echo = await commands.load(agency.echo, prefix, plan.licenses, plan.callers, plan.seconds)
    of_echo = agency.cpu()["echo"] - before["echo"]
    licenses = await agency.open(prefix, plan.licenses)
    await agency.drained()
    before, begun = agency.cpu(), time.perf_counter()
    await agency.report(licenses, plan)
    per_s, left = plan.reports / (time.perf_counter() - begun), await agency.left()
    drain = await agency.drained()
    spent = {name: 1000 * (after - before[name]) / plan.reports for name, after in agency.cpu().items()}
    counted, by_day = await agency.counted(licenses)
    return {
        "echo_per_s": echo["per_s"],
        "reports_per_s": per_s,
        "backlog": left,
        "drain_s": drain,
        "cpu_ms_per_echo": 1000 * of_echo / echo["acknowledged"],
        "cpu_ms_per_report": sum(ms for name, ms in spent.items() if name != "echo"),
        **{f"cpu_ms_per_report_{name}": ms for name, ms in spent.items() if name != "echo"},
        "reported": plan.reports,
        "counted": counted,
        "by_day": by_day,
    }


@asynccontextmanager
async def _agency(environ: Mapping[str, str], logs: Path) -> AsyncIterator[_Agency]:
    """Runs Licensing and Compliance, in databases of their own, and the echo."""
    prefix = f"uses_{uuid.uuid4().hex[:8]}"
    uri = environ["MONGODB_URI"].replace("/?", f"/{prefix}?")
    settings = {"MONGODB_URI": uri, "LOG_LEVEL": "warning", "GRPC_HOST": "127.0.0.1", "HTTP_PORT": "0"}
    runs = {name.rpartition(".")[2]: ["-m", "treaty.cli", "run", name] for name in AGENCY} | {
        "echo": ["-m", "scripts.lib.bench.rivals", "echo"]
    }
    databases = [f"{prefix}_{name.replace('.', '_')}" for name in AGENCY]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(temporary(environ["MONGODB_URI"], databases))
        pids, targets = {}, {}
        for (name, arguments), port in zip(runs.items(), free_ports(len(runs)), strict=True):
            targets[name] = f"127.0.0.1:{port}"
            own = {**environ, **settings, "GRPC_PORT": str(port)}
            run = service(f"uses-{name}", arguments, own, logs, targets[name])
            pids[name] = await stack.enter_async_context(run)
        pids |= {type(one).__name__.lower(): pid for one in servers_of(environ) if (pid := one.pid())}
        client = connect(uri, "motor")
        stack.push_async_callback(close, client)
        broker = RabbitBroker(environ["AMQP_URL"], name="bench", ids=RandomIds())
        stack.push_async_callback(broker.close)
        opened = channel(targets["licensing"])
        stack.push_async_callback(opened.close)
        stores = {name: MongoStores(client, name, surroundings=Surroundings()) for name in AGENCY}
        yield _Agency(stub=LicensingServiceStub(opened), echo=targets["echo"], pids=pids, stores=stores, broker=broker)


def _usage(number: int) -> pb.Usage:
    used_at = Timestamp()
    used_at.FromNanoseconds(time.time_ns() - 2_000_000)
    return pb.Usage(usage_id=f"u-{number}", uses=1, used_at=used_at, territory="DE", medium=events.MEDIUM_WEB)
