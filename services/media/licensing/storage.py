"""The stored names of Licensing's aggregates, events, calls and read models.

A name here never changes. If the fields of an event or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection

from services.media.licensing.application import commands
from services.media.licensing.domain import events
from services.media.licensing.domain.license import License
from services.media.licensing.domain.license_type import LicenseType
from services.media.licensing.domain.sale import Sale
from services.media.licensing.projections import (
    LicenseRow,
    LicenseTypeRow,
    PurchaseDay,
    UsageDay,
    license_row,
    license_type,
    purchase_day,
    purchases_by_day,
    usage_by_day,
    usage_day,
)

LICENSE_TYPES = Stored("license_type", LicenseType, events=[Shape("license-type-defined", events.LicenseTypeDefined)])

SALES = Stored(
    "sale",
    Sale,
    events=[
        Shape("asset-became-ready", events.AssetBecameReady),
        Shape("asset-offered", events.AssetOffered),
        Shape("asset-withdrawn", events.AssetWithdrawn),
        Shape("licensees-told", events.LicenseesTold),
        Shape("right-granted", events.RightGranted),
        Shape("right-prolonged", events.RightProlonged),
    ],
)

LICENSES = Stored(
    "license",
    License,
    events=[
        Shape("license-purchased", events.LicensePurchased),
        Shape("license-renewed", events.LicenseRenewed),
        Shape("licensed-asset-withdrawn", events.LicensedAssetWithdrawn),
        Shape("license-expired", events.LicenseExpired),
        Shape("usage-reported", events.UsageReported),
        Shape("usage-exceeded-license", events.UsageExceededLicense),
        Shape("usage-outside-license", events.UsageOutsideLicense),
        Shape("usage-corrected", events.UsageCorrected),
    ],
)

COMMANDS = Names(
    [
        Shape("issue-license", commands.IssueLicense),
        Shape("prolong-license", commands.ProlongLicense),
        Shape("expire-license", commands.ExpireLicense),
        Shape("tell-licensees", commands.TellLicensees),
    ]
)

LICENSE_TYPE_ROWS = Projection(
    name="license_types",
    source=LICENSE_TYPES,
    row=LicenseTypeRow,
    project=license_type,
    order_by="type_id",
    descending=False,
)

LICENSE_ROWS = Projection(
    name="licenses",
    source=LICENSES,
    row=LicenseRow,
    project=license_row,
    order_by="purchased_at",
    filters=("buyer_id", "asset_id", "usable"),
)

USAGE_BY_DAY = Projection(
    name="usage_by_day",
    source=LICENSES,
    row=UsageDay,
    project=usage_by_day,
    order_by="day",
    filters=("asset_id",),
    key=usage_day,
)

PURCHASES_BY_DAY = Projection(
    name="purchases_by_day",
    source=LICENSES,
    row=PurchaseDay,
    project=purchases_by_day,
    order_by="day",
    key=purchase_day,
)
