"""The use cases of Licensing.

A purchase makes two commits: the sale of the asset grants the right, and then the license is issued. The grant decides,
so of two buyers of an exclusive right one is refused, and has no license. The commit of the grant holds a durable call
that issues the license too, so a crash in between loses nothing; each step is done once (see `_once`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from treaty.causes import Cause, current_cause
from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call
from treaty.projections import Between, Key, Page, View, Where

from services.media.licensing.application.commands import (
    CorrectUsage,
    DefineLicenseType,
    ExpireLicense,
    GetLicense,
    GetSale,
    IssueLicense,
    ListDays,
    ListLicenses,
    ListLicenseTypes,
    NoteAssetReady,
    OfferAsset,
    ProlongLicense,
    PurchaseLicense,
    RenewLicense,
    ReportUsage,
    TellLicensees,
    WithdrawAsset,
)
from services.media.licensing.domain.events import (
    AssetWithdrawn,
    LicenseesTold,
    LicenseEvent,
    LicensePurchased,
    LicenseRenewed,
    RightGranted,
    RightProlonged,
    SaleEvent,
)
from services.media.licensing.domain.license import License
from services.media.licensing.domain.license_type import LicenseType
from services.media.licensing.domain.sale import Sale
from services.media.licensing.domain.terms import Scope, Terms
from services.media.licensing.projections import LicenseRow, LicenseTypeRow, PurchaseDay, UsageDay

TOLD_AGAIN = timedelta(hours=1)
"""The time after a withdrawal when the list has all licenses that were purchased before it."""

_TOLD_AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Licensing:
    """The use cases of Licensing."""

    types: Repository[LicenseType]
    sales: Repository[Sale]
    licenses: Repository[License]
    license_type_rows: View[LicenseTypeRow]
    license_rows: View[LicenseRow]
    usage_days: View[UsageDay]
    purchase_days: View[PurchaseDay]
    clock: Clock

    async def define_license_type(self, command: DefineLicenseType) -> Committed[LicenseType]:
        return await self.types.add(command.type_id, lambda it: it.define(command.name, command.terms))

    async def note_asset_ready(self, command: NoteAssetReady) -> Committed[Sale]:
        """Lets an asset be offered."""
        return await self.sales.add(command.asset_id, lambda it: it.make_ready(editorial_only=command.editorial_only))

    async def offer_asset(self, command: OfferAsset) -> Committed[Sale]:
        """Puts an asset on sale with license types, or changes its offer."""
        types = {id: (await self.types.get(id)).state.known_terms() for id in command.type_ids}
        return await self.sales.add(command.asset_id, lambda it: it.offer(types, command.embargo_until))

    async def withdraw_asset(self, command: WithdrawAsset) -> Committed[Sale]:
        """Ends the sale of an asset. The licenses that were sold remain."""
        return await self.sales.change(command.asset_id, lambda it: it.withdraw(command.reason))

    async def tell_licensees(self, command: TellLicensees) -> None:
        """Records a withdrawal with some licenses of the asset; the commit that says how far has a call for the others.

        Those that were told before are left as they are, without a commit. If the asset is on sale again, no others are
        told.
        """
        sale, withdrawal = (await self.sales.get(command.asset_id)).state, command.withdrawal
        if not sale.is_withdrawn_by(withdrawal):
            return
        after = None if command.after is None else (command.after, command.after_id)
        rows, rest = await self.license_rows.page({"asset_id": sale.id}, Page(size=_TOLD_AT_ONCE, after=after))
        for row in rows:
            if (await self.licenses.get(row.license_id)).state.must_hear_of(withdrawal):
                await self.licenses.change(row.license_id, lambda it: it.note_withdrawal(withdrawal, sale.reason))
        if rest is not None:
            await self.sales.change(sale.id, lambda it: it.note_told(withdrawal, *rest))

    async def purchase_license(self, command: PurchaseLicense) -> Committed[License]:
        terms = (await self.types.get(command.type_id)).state.known_terms()
        now = self.clock.now()
        granted = await self.sales.change(
            command.asset_id,
            lambda it: it.grant(
                license_id=command.license_id,
                buyer_id=command.buyer_id,
                type_id=command.type_id,
                terms=terms,
                scope=_scope(command, terms),
                starts_at=command.starts_at or now,
                now=now,
            ),
        )
        [right] = [event for event in granted.events if isinstance(event, RightGranted)]
        return await self.issue_license(IssueLicense(asset_id=command.asset_id, right=right))

    async def issue_license(self, command: IssueLicense) -> Committed[License]:
        id = command.right.license_id
        return await self.licenses.add(
            id, lambda it: it.purchase(command.asset_id, command.right), cause=_once("issue", id)
        )

    async def renew_license(self, command: RenewLicense) -> Committed[License]:
        """Adds a period and its uses to a license that has not expired."""
        license = (await self.licenses.get(command.license_id)).state
        now = self.clock.now()

        def prolong(sale: Sale) -> None:
            terms, scope, ends_at = license.renewable()
            sale.prolong(
                license_id=license.id,
                renewal_id=command.renewal_id,
                type_id=license.type_id,
                terms=terms,
                scope=scope,
                ends_at=ends_at,
                now=now,
            )

        prolonged = await self.sales.change(license.asset_id, prolong)
        [right] = [event for event in prolonged.events if isinstance(event, RightProlonged)]
        return await self.prolong_license(ProlongLicense(right=right))

    async def prolong_license(self, command: ProlongLicense) -> Committed[License]:
        """Renews a license whose right was prolonged."""
        right = command.right
        return await self.licenses.change(
            right.license_id, lambda it: it.renew(right), cause=_once("renew", right.renewal_id)
        )

    async def expire_license(self, command: ExpireLicense) -> Committed[License]:
        return await self.licenses.change(command.license_id, lambda it: it.expire(command.ends_at))

    async def report_usage(self, command: ReportUsage) -> Committed[License]:
        now = self.clock.now()
        return await self.licenses.change(command.license_id, lambda it: it.report(command.usages, now))

    async def correct_usage(self, command: CorrectUsage) -> Committed[License]:
        return await self.licenses.change(command.license_id, lambda it: it.correct(command.usage_id, command.uses))

    async def get_license(self, query: GetLicense) -> Committed[License]:
        return await self.licenses.get(query.license_id)

    async def get_sale(self, query: GetSale) -> Committed[Sale]:
        return await self.sales.get(query.asset_id)

    async def list_license_types(self, query: ListLicenseTypes) -> tuple[list[LicenseTypeRow], Key | None]:
        """Returns a page of license types, sorted by id, and the key of the next page, or None at the end."""
        return await self.license_type_rows.page({}, query.page)

    async def list_licenses(self, query: ListLicenses) -> tuple[list[LicenseRow], Key | None]:
        """Returns a page of licenses, the latest first, and the key of the next page, or None at the end."""
        where = {"buyer_id": query.buyer_id, "asset_id": query.asset_id, "usable": query.usable}
        return await self.license_rows.page({name: value for name, value in where.items() if value}, query.page)

    async def list_usage_days(self, query: ListDays) -> tuple[list[UsageDay], Key | None]:
        """Returns a page of the uses of each day and asset, the latest first, and the key of the next page, or None."""
        return await self.usage_days.page(_days(query), query.page)

    async def list_purchase_days(self, query: ListDays) -> tuple[list[PurchaseDay], Key | None]:
        """Returns a page of the purchases of each day, the latest first, and the key of the next page, or None."""
        return await self.purchase_days.page(_days(query), query.page)


def _scope(command: PurchaseLicense, terms: Terms) -> Scope:
    territories = tuple(dict.fromkeys(command.territories)) or terms.scope.territories
    return Scope(territories=territories, media=tuple(dict.fromkeys(command.media)) or terms.scope.media)


def _days(query: ListDays) -> Where:
    where: dict[str, Any] = {"asset_id": query.asset_id} if query.asset_id else {}
    if query.first or query.last:
        where["day"] = Between(query.first or None, query.last or None)
    return where


def _once(step: str, id: str) -> Cause:
    """Returns a cause with the id of the license or renewal, so that the step is done once, by whichever way it comes.

    The request and the durable call may both come to it.
    """
    return replace(current_cause(), id=f"{step}/{id}", digest="", durable=True)


def follow_sale(sale: Sale, event: SaleEvent) -> Iterator[Call]:
    """Policy: issues or prolongs the license of a right, even if the request that asked for it ends too early.

    The licensees are told of a withdrawal twice: a license that was purchased a moment ago may not be listed yet.
    """
    match event:
        case AssetWithdrawn():
            tell = TellLicensees(asset_id=sale.id, withdrawal=sale.withdrawals)
            yield Call(tell)
            yield Call(tell, after=TOLD_AGAIN)
        case LicenseesTold():
            told = event.withdrawal
            yield Call(
                TellLicensees(asset_id=sale.id, withdrawal=told, after=event.purchased_at, after_id=event.license_id)
            )
        case RightGranted():
            yield Call(IssueLicense(asset_id=sale.id, right=event))
        case RightProlonged():
            yield Call(ProlongLicense(right=event))
        case _:
            return


def set_expiry(license: License, event: LicenseEvent) -> Iterator[Call]:
    """Policy: sets the timer for the end of a license, after its purchase and after each renewal."""
    match event:
        case LicensePurchased() | LicenseRenewed() if event.period.ends_at is not None:
            end = event.period.ends_at
            yield Call(ExpireLicense(license_id=license.id, ends_at=end), due=end)
        case _:
            return
