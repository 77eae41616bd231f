"""The gRPC servicer of Licensing."""

from typing import Any

from media.licensing.v1 import licensing_service_pb2 as pb
from media.licensing.v1 import licensing_service_pb2_grpc as pb_grpc
from treaty.rpc import page_of, to_token

from services.media.licensing.api.replies import (
    judged_of,
    license_of,
    license_row_of,
    purchase_day_of,
    sale_of,
    type_of,
    type_row_of,
    usage_day_of,
)
from services.media.licensing.api.requests import license_id_of, moment_of, terms_of, usage_of
from services.media.licensing.application.commands import (
    CorrectUsage,
    DefineLicenseType,
    GetLicense,
    GetSale,
    ListDays,
    ListLicenses,
    ListLicenseTypes,
    OfferAsset,
    PurchaseLicense,
    RenewLicense,
    ReportUsage,
    WithdrawAsset,
)
from services.media.licensing.application.licenses import Licensing
from services.media.licensing.publishing import MEDIA


class LicensingApi(pb_grpc.LicensingServiceServicer):
    def __init__(self, licensing: Licensing) -> None:
        self._licensing = licensing

    async def DefineLicenseType(
        self, request: pb.DefineLicenseTypeRequest, context: Any
    ) -> pb.DefineLicenseTypeResponse:
        command = DefineLicenseType(type_id=request.type_id, name=request.name, terms=terms_of(request.terms))
        defined = await self._licensing.define_license_type(command)
        kind = type_of(defined.state.id, defined.state.name, defined.state.known_terms())
        return pb.DefineLicenseTypeResponse(license_type=kind, revision=defined.revision)

    async def OfferAsset(self, request: pb.OfferAssetRequest, context: Any) -> pb.OfferAssetResponse:
        command = OfferAsset(
            asset_id=request.asset_id,
            type_ids=list(request.type_ids),
            embargo_until=moment_of(request, "embargo_until"),
        )
        offered = await self._licensing.offer_asset(command)
        return pb.OfferAssetResponse(sale=sale_of(offered.state), revision=offered.revision)

    async def WithdrawAsset(self, request: pb.WithdrawAssetRequest, context: Any) -> pb.WithdrawAssetResponse:
        command = WithdrawAsset(asset_id=request.asset_id, reason=request.reason)
        withdrawn = await self._licensing.withdraw_asset(command)
        return pb.WithdrawAssetResponse(sale=sale_of(withdrawn.state), revision=withdrawn.revision)

    async def PurchaseLicense(self, request: pb.PurchaseLicenseRequest, context: Any) -> pb.PurchaseLicenseResponse:
        command = PurchaseLicense(
            license_id=license_id_of(request),
            asset_id=request.asset_id,
            buyer_id=request.buyer_id,
            type_id=request.type_id,
            territories=list(request.territories),
            media=[MEDIA.from_wire(medium, field="media") for medium in request.media],
            starts_at=moment_of(request, "starts_at"),
        )
        purchased = await self._licensing.purchase_license(command)
        return pb.PurchaseLicenseResponse(license=license_of(purchased.state), revision=purchased.revision)

    async def RenewLicense(self, request: pb.RenewLicenseRequest, context: Any) -> pb.RenewLicenseResponse:
        command = RenewLicense(license_id=request.license_id, renewal_id=request.request_id.lower())
        renewed = await self._licensing.renew_license(command)
        return pb.RenewLicenseResponse(license=license_of(renewed.state), revision=renewed.revision)

    async def ReportUsage(self, request: pb.ReportUsageRequest, context: Any) -> pb.ReportUsageResponse:
        command = ReportUsage(license_id=request.license_id, usages=[usage_of(usage) for usage in request.usages])
        reported = await self._licensing.report_usage(command)
        return pb.ReportUsageResponse(
            license=license_of(reported.state),
            judged=judged_of(reported.state, command.usages),
            revision=reported.revision,
        )

    async def CorrectUsage(self, request: pb.CorrectUsageRequest, context: Any) -> pb.CorrectUsageResponse:
        command = CorrectUsage(license_id=request.license_id, usage_id=request.usage_id, uses=request.uses)
        corrected = await self._licensing.correct_usage(command)
        return pb.CorrectUsageResponse(license=license_of(corrected.state), revision=corrected.revision)

    async def GetLicense(self, request: pb.GetLicenseRequest, context: Any) -> pb.GetLicenseResponse:
        found = await self._licensing.get_license(GetLicense(license_id=request.license_id))
        return pb.GetLicenseResponse(license=license_of(found.state), revision=found.revision)

    async def GetSale(self, request: pb.GetSaleRequest, context: Any) -> pb.GetSaleResponse:
        found = await self._licensing.get_sale(GetSale(asset_id=request.asset_id))
        return pb.GetSaleResponse(sale=sale_of(found.state), revision=found.revision)

    async def ListLicenseTypes(self, request: pb.ListLicenseTypesRequest, context: Any) -> pb.ListLicenseTypesResponse:
        rows, after = await self._licensing.list_license_types(ListLicenseTypes(page=page_of(request)))
        return pb.ListLicenseTypesResponse(
            license_types=[type_row_of(row) for row in rows], next_page_token=to_token(after)
        )

    async def ListLicenses(self, request: pb.ListLicensesRequest, context: Any) -> pb.ListLicensesResponse:
        query = ListLicenses(
            buyer_id=request.buyer_id, asset_id=request.asset_id, usable=request.usable, page=page_of(request)
        )
        rows, after = await self._licensing.list_licenses(query)
        return pb.ListLicensesResponse(licenses=[license_row_of(row) for row in rows], next_page_token=to_token(after))

    async def ListUsageByDay(self, request: pb.ListUsageByDayRequest, context: Any) -> pb.ListUsageByDayResponse:
        query = ListDays(
            first=request.first_day, last=request.last_day, asset_id=request.asset_id, page=page_of(request)
        )
        rows, after = await self._licensing.list_usage_days(query)
        return pb.ListUsageByDayResponse(days=[usage_day_of(row) for row in rows], next_page_token=to_token(after))

    async def ListPurchasesByDay(
        self, request: pb.ListPurchasesByDayRequest, context: Any
    ) -> pb.ListPurchasesByDayResponse:
        query = ListDays(first=request.first_day, last=request.last_day, page=page_of(request))
        rows, after = await self._licensing.list_purchase_days(query)
        return pb.ListPurchasesByDayResponse(
            days=[purchase_day_of(row) for row in rows], next_page_token=to_token(after)
        )
