"""Builds the Licensing service from its parts."""

from media.assets.v1 import assets_events_pb2 as assets
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2_grpc as pb_grpc
from media.licensing.v2 import licensing_events_pb2 as events2
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service

from services.media.licensing import acl, storage
from services.media.licensing.api import LicensingApi
from services.media.licensing.application.commands import ExpireLicense, IssueLicense, ProlongLicense, TellLicensees
from services.media.licensing.application.licenses import Licensing, follow_sale, set_expiry
from services.media.licensing.publishing import publish_license, publish_sale


def build(ports: Ports) -> Service:
    licensing = Licensing(
        types=ports.repository(storage.LICENSE_TYPES),
        sales=ports.repository(storage.SALES, policies=[publish_sale, follow_sale], commands=storage.COMMANDS),
        licenses=ports.repository(storage.LICENSES, policies=[publish_license, set_expiry], commands=storage.COMMANDS),
        license_type_rows=ports.view(storage.LICENSE_TYPE_ROWS),
        license_rows=ports.view(storage.LICENSE_ROWS),
        usage_days=ports.view(storage.USAGE_BY_DAY),
        purchase_days=ports.view(storage.PURCHASES_BY_DAY),
        clock=ports.clock,
    )
    return Service(
        name="media.licensing",
        api=Api(pb_grpc.add_LicensingServiceServicer_to_server, LicensingApi(licensing)),
        publishes=[
            events.LicensePurchaseConfirmed,
            events2.LicensePurchaseConfirmed,
            events.LicenseRenewed,
            events.LicenseExpired,
            events.UsageViolationDetected,
            events.UsageViolationCorrected,
            events.AssetOfferedForSale,
            events.AssetWithdrawnFromSale,
            events.LicensedAssetWithdrawn,
        ],
        subscriptions=[on(assets.AssetReadyForSearch, acl.asset_ready, then=licensing.note_asset_ready)],
        commands=storage.COMMANDS,
        calls={
            IssueLicense: licensing.issue_license,
            ProlongLicense: licensing.prolong_license,
            ExpireLicense: licensing.expire_license,
            TellLicensees: licensing.tell_licensees,
        },
        projections=[
            storage.LICENSE_TYPE_ROWS,
            storage.LICENSE_ROWS,
            storage.USAGE_BY_DAY,
            storage.PURCHASES_BY_DAY,
        ],
        relations=[
            Relation("media.assets", Pattern.ANTI_CORRUPTION_LAYER, "a picture that is ready can be sold"),
        ],
    )
