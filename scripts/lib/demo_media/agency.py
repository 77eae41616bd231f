"""The people of the demo: buyers, reporters of uses, and the team of Compliance; and the figures that must come out."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from media.compliance.v1 import compliance_events_pb2 as outcomes
from media.compliance.v1 import compliance_service_pb2 as compliance
from media.compliance.v1.compliance_service_pb2_grpc import ComplianceServiceStub
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as licensing
from media.licensing.v1.licensing_service_pb2_grpc import LicensingServiceStub

from scripts.lib.demo.calls import new_trace, reason_of
from scripts.lib.demos.clients import Clients
from services.media.samples import opening

BUYERS = ("ada", "grace", "edsger", "barbara", "alan", "katherine")

STUBS: Mapping[str, Any] = {"media.licensing": LicensingServiceStub, "media.compliance": ComplianceServiceStub}


@dataclass(slots=True, kw_only=True)
class Agency:
    """The deeds of one run. Its assets have names of their own, so a run on servers with data begins from nothing.

    Attributes:
        pictures: the names of those that are sold.
        refused: how often each reason for a refusal came.
        within, outside: by license, the numbers of uses in its scope and outside of it, after corrections.
        trace: the traceparent of the report that is traced.
    """

    clients: Clients
    run: str
    pictures: Sequence[str]
    dice: random.Random
    bought: list[licensing.License] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    within: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    reports: int = 0
    sightings: int = 0
    trace: str = ""

    @property
    def assets(self) -> Sequence[str]:
        return [f"{picture}-{self.run}" for picture in self.pictures]

    async def open(self) -> None:
        """Defines the license types, and offers the pictures."""
        types = [one for one in opening() if isinstance(one, licensing.DefineLicenseTypeRequest)]
        for request in types:
            await self.clients.ask(request)
        for asset in self.assets:
            await self.clients.ask(licensing.OfferAssetRequest(asset_id=asset, type_ids=[one.type_id for one in types]))

    async def sell(self) -> None:
        """Sells campaigns, each wanted by two buyers at once, and then other licenses of all pictures."""
        for asset in self.assets[:3]:
            await asyncio.gather(*(self._buy(asset, buyer, "campaign") for buyer in BUYERS[:2]))
        wanted = [(asset, buyer) for asset in self.assets for buyer in BUYERS]
        await asyncio.gather(*(self._buy(asset, buyer, "web-month") for asset, buyer in wanted))
        await asyncio.gather(*(self._buy(asset, BUYERS[0], "royalty-free") for asset in self.assets))

    async def _buy(self, asset: str, buyer: str, type_id: str) -> None:
        request = licensing.PurchaseLicenseRequest(asset_id=asset, buyer_id=buyer, type_id=type_id)
        try:
            self.bought.append((await self.clients.ask(request)).license)
        except grpc.aio.AioRpcError as error:
            self.refused[reason_of(error)[0]] += 1

    async def use(self) -> None:
        """Reports uses of the licenses for the web, in ten calls each, some too many and some in another territory."""
        planned = [(license, [self._draw() for _ in range(10)]) for license in self._web]
        await asyncio.gather(*(self._report(license, uses) for license, uses in planned))
        if not planned:
            return
        too_much = self._web[0]
        await self.clients.ask(licensing.CorrectUsageRequest(license_id=too_much.license_id, usage_id="u-0", uses=1))
        self.trace = new_trace(sampled=True)
        await self._send(too_much, "traced", 5000, "DE", trace=self.trace)

    @property
    def _web(self) -> Sequence[licensing.License]:
        """The licenses for the web. Their order, and so the uses of each, is the same in every run."""
        web = [license for license in self.bought if license.type_id == "web-month"]
        return sorted(web, key=lambda one: (one.asset_id, one.buyer_id))

    def _draw(self) -> tuple[int, str]:
        """Returns a number of uses, and their territory."""
        return self.dice.randint(20, 140), "US" if self.dice.random() < 0.03 else "DE"

    async def _report(self, license: licensing.License, planned: Sequence[tuple[int, str]]) -> None:
        for n, (uses, place) in enumerate(planned):
            await self._send(license, f"u-{n}", uses, place)
            if n == 0 and license is self._web[0]:
                self._count(license, 1 - uses, place)

    async def _send(self, license: licensing.License, id: str, uses: int, place: str, *, trace: str = "") -> None:
        usage = licensing.Usage(usage_id=id, uses=uses, used_at=_now(), territory=place, medium=events.MEDIUM_WEB)
        request = licensing.ReportUsageRequest(license_id=license.license_id, usages=[usage])
        await self.clients.ask(request, trace=trace)
        self.reports += 1
        self._count(license, uses, place)

    def _count(self, license: licensing.License, uses: int, place: str) -> None:
        counts = self.within if place == "DE" else self.outside
        counts[license.license_id] += uses

    async def look(self) -> None:
        """Reports pictures that were seen: in advertisements in Japan, which only campaigns cover."""
        for asset in self.assets[2:5]:
            request = compliance.ReportSightingRequest(
                work_id=asset, place="JP", medium="advertising", used_at=_now(), reporter="eve", holder_id="mallory"
            )
            await self.clients.ask(request)
            self.sightings += 1

    async def decide(self, alerts: Sequence[compliance.Alert]) -> None:
        """Assigns all cases but the last two, and closes them; one is reopened and closed again."""
        ends = (outcomes.OUTCOME_SETTLED, outcomes.OUTCOME_DISMISSED, outcomes.OUTCOME_LAWYERS)
        for n, alert in enumerate(alerts[:-2]):
            await self.clients.ask(compliance.AssignCaseRequest(case_id=alert.case_id, reviewer="rita", by="max"))
            close = compliance.CloseCaseRequest(case_id=alert.case_id, by="rita", outcome=ends[n % 3])
            await self.clients.ask(close)
            if n == 0:
                again = compliance.ReopenCaseRequest(case_id=alert.case_id, by="max", reason="the invoice is not paid")
                await self.clients.ask(again)
                close.request_id = ""
                await self.clients.ask(close)

    async def alerts(self) -> list[compliance.Alert]:
        """Returns the alerts about the pictures of this run."""
        found: list[compliance.Alert] = []
        for asset in self.assets:
            answer = await self.clients.ask(compliance.ListAlertsRequest(work_id=asset, page_size=200))
            found.extend(answer.alerts)
        return found

    async def usage_days(self) -> list[licensing.UsageDay]:
        found: list[licensing.UsageDay] = []
        for asset in self.assets:
            answer = await self.clients.ask(licensing.ListUsageByDayRequest(asset_id=asset, page_size=200))
            found.extend(answer.days)
        return found

    async def licenses(self) -> list[licensing.License]:
        """Returns the licenses of this run, as the read model has them."""
        found: list[licensing.License] = []
        for asset in self.assets:
            answer = await self.clients.ask(licensing.ListLicensesRequest(asset_id=asset, page_size=200))
            found.extend(answer.licenses)
        return found


def _now() -> Timestamp:
    message = Timestamp()
    message.FromDatetime(datetime.now(UTC) - timedelta(milliseconds=2))
    return message
