"""The people of an agency: buyers that want the same exclusive rights, and reporters of uses, some of them too many."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as pb
from media.money.v1.money_pb2 import Money
from treaty.dependencies import DependencyAway
from treaty.domain import DomainError

from scripts.lib.prove.agency import LICENSING
from services.media.licensing.api.requests import license_id_of

Ask = Callable[[str, str, Any], Awaitable[Any]]
"""(context, method, request) → the answer. Raises DomainError for a refusal, DependencyAway if there is no answer."""

Announce = Callable[[str], Awaitable[None]]
"""Announces that an asset is ready."""

Outcome = Literal["unknown", "ok", "refused"]

ALLOWED = 20
"""The uses that a license for the web allows."""

_WEB, _CAMPAIGN = "web", "campaign"


@dataclass(slots=True)
class Purchase:
    """A purchase, what was told of it, and how often it was sent.

    The license starts by the clock of the process that sold it, which may be wrong; so uses are reported from then on.
    """

    license_id: str
    asset_id: str
    exclusive: bool
    outcome: Outcome = "unknown"
    tries: int = 0
    starts_at: Timestamp = field(default_factory=Timestamp)


@dataclass(slots=True, kw_only=True)
class People:
    """Purchase licenses and report uses, each under one request id until it is answered.

    Attributes:
        uses: by license and usage id, the number of uses, after corrections, and whether their place is licensed.
    """

    ask: Ask
    announce: Announce
    assets: int
    chance: random.Random
    new_id: Callable[[], str]
    purchases: list[Purchase] = field(default_factory=list)
    uses: dict[str, dict[str, tuple[int, bool]]] = field(default_factory=lambda: defaultdict(dict))
    commands: int = 0

    async def open(self) -> None:
        """Defines the license types, and offers the assets as soon as Licensing has heard that they are ready."""
        price = Money(minor_units=100, currency="EUR")
        web = pb.Terms(
            model=pb.MODEL_RIGHTS_MANAGED,
            territories=["DE"],
            media=[events.MEDIUM_WEB],
            allowed=ALLOWED,
            valid_for=Duration(seconds=86_400),
            price=price,
        )
        campaign = pb.Terms(
            model=pb.MODEL_RIGHTS_MANAGED,
            territories=["WORLD"],
            media=[events.MEDIUM_ADVERTISING],
            valid_for=Duration(seconds=86_400),
            exclusive=True,
            price=price,
        )
        for type_id, terms in ((_WEB, web), (_CAMPAIGN, campaign)):
            await self._command(
                "DefineLicenseType", pb.DefineLicenseTypeRequest(type_id=type_id, name="n", terms=terms)
            )
        for number in range(self.assets):
            await self.announce(f"a-{number}")
            request = pb.OfferAssetRequest(asset_id=f"a-{number}", type_ids=[_WEB, _CAMPAIGN])
            while (await self._command("OfferAsset", request))[0] != "ok":
                await asyncio.sleep(0.1)

    async def work(self, turns: int) -> None:
        """Purchases a license or two, and reports uses of them."""
        own: list[Purchase] = []
        for _ in range(turns):
            if not own or self.chance.random() < 0.2:
                purchase = await self._purchase()
                if purchase.outcome == "ok" and not purchase.exclusive:
                    own.append(purchase)
            if own:
                await self._use(self.chance.choice(own))

    async def _purchase(self) -> Purchase:
        exclusive = self.chance.random() < 0.4
        asset = f"a-{self.chance.randrange(self.assets)}"
        request = pb.PurchaseLicenseRequest(
            request_id=self.new_id(),
            asset_id=asset,
            buyer_id=self.chance.choice(["ann", "bob", "cid"]),
            type_id=_CAMPAIGN if exclusive else _WEB,
        )
        purchase = Purchase(license_id_of(request), asset, exclusive)
        self.purchases.append(purchase)
        purchase.outcome, purchase.tries, answer = await self._command("PurchaseLicense", request)
        if answer is not None:
            purchase.starts_at.CopyFrom(answer.license.starts_at)
        return purchase

    async def _use(self, purchase: Purchase) -> None:
        """Reports some uses; some reports are outside of the territory, and some are corrected."""
        license_id, known = purchase.license_id, self.uses[purchase.license_id]
        if known and self.chance.random() < 0.15:
            usage_id = self.chance.choice(sorted(known))
            uses, licensed = known[usage_id][0] // 2, known[usage_id][1]
            correct = pb.CorrectUsageRequest(license_id=license_id, usage_id=usage_id, uses=uses)
            if (await self._command("CorrectUsage", correct))[0] == "ok":
                known[usage_id] = (uses, licensed)
            return
        usage_id, uses, licensed = f"u-{len(known)}", self.chance.randint(1, 8), self.chance.random() > 0.1
        usage = pb.Usage(
            usage_id=usage_id,
            uses=uses,
            used_at=purchase.starts_at,
            territory="DE" if licensed else "US",
            medium=events.MEDIUM_WEB,
        )
        report = pb.ReportUsageRequest(license_id=license_id, usages=[usage])
        if (await self._command("ReportUsage", report))[0] == "ok":
            known[usage_id] = (uses, licensed)

    async def _command(self, method: str, request: Any) -> tuple[Outcome, int, Any]:
        """Sends a command under one request id until it is answered.

        Returns:
            The outcome, how often it was sent, and the answer, or None for a refusal.
        """
        request.request_id = request.request_id or self.new_id()
        tries = 0
        while True:
            tries += 1
            try:
                answer = await self.ask(LICENSING, method, request)
            except DependencyAway:
                await asyncio.sleep(self.chance.uniform(0.1, 0.5))
            except DomainError:
                self.commands += 1
                return "refused", tries, None
            else:
                self.commands += 1
                return "ok", tries, answer
