"""The domain events of Licensing."""

from dataclasses import dataclass
from datetime import datetime

from services.media.licensing.domain.terms import Period, Scope, Terms
from services.media.licensing.domain.usage import Breach, Usage
from services.media.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseTypeDefined:
    name: str
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetBecameReady:
    """The picture can be sold. With `editorial_only`, releases are missing, so it is sold for news alone."""

    editorial_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetOffered:
    """Replaces an earlier offer, and puts a withdrawn asset on sale again."""

    type_ids: tuple[str, ...]
    embargo_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetWithdrawn:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RightGranted:
    """`scope` may be narrower than that of the terms."""

    license_id: str
    buyer_id: str
    type_id: str
    terms: Terms
    scope: Scope
    period: Period
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RightProlonged:
    """`renewal_id` is the request for the renewal. `period` begins where the license ended before."""

    license_id: str
    renewal_id: str
    terms: Terms
    scope: Scope
    period: Period
    granted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseesTold:
    """The licenses up to this one in the list, the latest first, have heard of a withdrawal; there are more of them."""

    withdrawal: int
    purchased_at: datetime
    license_id: str


SaleEvent = AssetBecameReady | AssetOffered | AssetWithdrawn | LicenseesTold | RightGranted | RightProlonged


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensePurchased:
    asset_id: str
    buyer_id: str
    type_id: str
    terms: Terms
    scope: Scope
    period: Period
    purchased_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseRenewed:
    """`period` is the whole period of the license, from its start to its new end. `added` is the number of new uses."""

    renewal_id: str
    period: Period
    added: int | None
    price: Money
    renewed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LicensedAssetWithdrawn:
    """The asset is no longer sold; `withdrawal` counts how often that has happened. The license remains as it is."""

    withdrawal: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenseExpired:
    expired_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReported:
    """`late` says that the report came long after the use, or after the end of the license."""

    asset_id: str
    usage: Usage
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageExceededLicense:
    """`excess` is the number of uses of this report that the license did not allow."""

    asset_id: str
    usage: Usage
    excess: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageOutsideLicense:
    asset_id: str
    usage: Usage
    breaches: tuple[Breach, ...]
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageCorrected:
    """A report is now of `uses` uses. `forgiven` is the number of uses by which the excess of the license is smaller.

    With `outside`, the report is of uses outside of the license.
    """

    asset_id: str
    usage: Usage
    uses: int
    forgiven: int
    outside: bool


LicenseEvent = (
    LicensePurchased
    | LicenseRenewed
    | LicensedAssetWithdrawn
    | LicenseExpired
    | UsageReported
    | UsageExceededLicense
    | UsageOutsideLicense
    | UsageCorrected
)
