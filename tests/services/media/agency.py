"""The clients of the media contexts, as a test uses them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as pb
from media.licensing.v1.licensing_service_pb2_grpc import LicensingServiceStub
from media.money.v1.money_pb2 import Money
from treaty.chance import Ids
from treaty.testing import eventually
from treaty.testing.world import SeededIds

from scripts.lib.ready import ASSETS, ready

TIMEOUT = 20.0


def at(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def now(**ago: float) -> Timestamp:
    """Returns the present, or a moment so long ago."""
    return at(datetime.now(UTC) - timedelta(**ago))


def terms(**values: Any) -> pb.Terms:
    """Returns rights-managed terms for a month and ten uses on the web."""
    known: dict[str, Any] = {
        "model": pb.MODEL_RIGHTS_MANAGED,
        "territories": ["DE", "FR"],
        "media": [events.MEDIUM_WEB],
        "allowed": 10,
        "valid_for": Duration(seconds=30 * 86_400),
        "price": Money(minor_units=20_000, currency="EUR"),
    }
    return pb.Terms(**{**known, **values})


def usage(usage_id: str = "u-1", uses: int = 1, **values: Any) -> pb.Usage:
    known: dict[str, Any] = {"used_at": now(), "territory": "DE", "medium": events.MEDIUM_WEB}
    return pb.Usage(usage_id=usage_id, uses=uses, **{**known, **values})


@dataclass(slots=True)
class Agency:
    """What buyers and reporters do. `channel` leads to Licensing.

    Assets are made up: with a `broker` they are announced as ready before they are offered.
    """

    channel: Any
    ids: Ids = field(default_factory=lambda: SeededIds("requests"))
    broker: Any = None
    licensing: Any = field(init=False)

    def __post_init__(self) -> None:
        self.licensing = LicensingServiceStub(self.channel)

    async def define(self, type_id: str = "web", **values: Any) -> pb.DefineLicenseTypeResponse:
        request = pb.DefineLicenseTypeRequest(
            request_id=self.ids.new(), type_id=type_id, name=type_id.title(), terms=terms(**values)
        )
        defined: pb.DefineLicenseTypeResponse = await self.licensing.DefineLicenseType(request, timeout=TIMEOUT)
        return defined

    async def offer(self, asset_id: str = "sunset", *type_ids: str, **values: Any) -> pb.OfferAssetResponse:
        if self.broker is not None and not await self.is_ready(asset_id):
            await self.tell_ready(asset_id)
        request = pb.OfferAssetRequest(
            request_id=self.ids.new(), asset_id=asset_id, type_ids=type_ids or ["web"], **values
        )
        offered: pb.OfferAssetResponse = await self.licensing.OfferAsset(request, timeout=TIMEOUT)
        return offered

    async def tell_ready(self, asset_id: str = "sunset", **values: Any) -> None:
        """Announces that an asset is ready, and waits until Licensing knows."""
        await self.broker.publish(ASSETS, ready(asset_id, **values))
        assert await eventually(lambda: self.is_ready(asset_id))

    async def is_ready(self, asset_id: str) -> bool:
        try:
            found = await self.licensing.GetSale(pb.GetSaleRequest(asset_id=asset_id), timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            return False
        return bool(found.sale.ready)

    def purchase(self, **values: Any) -> pb.PurchaseLicenseRequest:
        """Returns the request for a license of type "web" for the asset "sunset"."""
        known = {"request_id": self.ids.new(), "asset_id": "sunset", "buyer_id": "ann", "type_id": "web"}
        return pb.PurchaseLicenseRequest(**{**known, **values})

    async def buy(self, request: pb.PurchaseLicenseRequest | None = None, **values: Any) -> pb.PurchaseLicenseResponse:
        request = request or self.purchase(**values)
        bought: pb.PurchaseLicenseResponse = await self.licensing.PurchaseLicense(request, timeout=TIMEOUT)
        return bought

    async def renew(self, license_id: str, request_id: str = "") -> pb.RenewLicenseResponse:
        request = pb.RenewLicenseRequest(request_id=request_id or self.ids.new(), license_id=license_id)
        renewed: pb.RenewLicenseResponse = await self.licensing.RenewLicense(request, timeout=TIMEOUT)
        return renewed

    async def report(self, license_id: str, *usages: pb.Usage, request_id: str = "") -> pb.ReportUsageResponse:
        request = pb.ReportUsageRequest(request_id=request_id or self.ids.new(), license_id=license_id, usages=usages)
        reported: pb.ReportUsageResponse = await self.licensing.ReportUsage(request, timeout=TIMEOUT)
        return reported

    async def correct(self, license_id: str, usage_id: str, uses: int) -> pb.CorrectUsageResponse:
        request = pb.CorrectUsageRequest(request_id=self.ids.new(), license_id=license_id, usage_id=usage_id, uses=uses)
        corrected: pb.CorrectUsageResponse = await self.licensing.CorrectUsage(request, timeout=TIMEOUT)
        return corrected

    async def withdraw(self, asset_id: str = "sunset") -> pb.WithdrawAssetResponse:
        request = pb.WithdrawAssetRequest(request_id=self.ids.new(), asset_id=asset_id, reason="no release")
        withdrawn: pb.WithdrawAssetResponse = await self.licensing.WithdrawAsset(request, timeout=TIMEOUT)
        return withdrawn

    async def license(self, license_id: str) -> pb.License:
        found = await self.licensing.GetLicense(pb.GetLicenseRequest(license_id=license_id), timeout=TIMEOUT)
        license: pb.License = found.license
        return license

    async def is_expired(self, license_id: str) -> bool:
        return (await self.license(license_id)).status == pb.LICENSE_STATUS_EXPIRED

    async def find(self, **values: Any) -> pb.ListLicensesResponse:
        listed: pb.ListLicensesResponse = await self.licensing.ListLicenses(
            pb.ListLicensesRequest(**values), timeout=TIMEOUT
        )
        return listed

    async def usage_days(self, **values: Any) -> list[pb.UsageDay]:
        request = pb.ListUsageByDayRequest(**values)
        return list((await self.licensing.ListUsageByDay(request, timeout=TIMEOUT)).days)

    async def purchase_days(self, **values: Any) -> list[pb.PurchaseDay]:
        request = pb.ListPurchasesByDayRequest(**values)
        return list((await self.licensing.ListPurchasesByDay(request, timeout=TIMEOUT)).days)
