"""The commands and queries of the use cases of Licensing, and the calls that follow from its events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from treaty.projections import FIRST, Page

from services.media.licensing.domain.events import RightGranted, RightProlonged
from services.media.licensing.domain.terms import Medium, Terms
from services.media.licensing.domain.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineLicenseType:
    type_id: str
    name: str
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteAssetReady:
    """With `editorial_only`, releases of the picture are missing."""

    asset_id: str
    editorial_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAsset:
    asset_id: str
    type_ids: Sequence[str]
    embargo_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawAsset:
    asset_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TellLicensees:
    """Follows from a withdrawal. Continues behind the license `after_id`, which was purchased at `after`."""

    asset_id: str
    withdrawal: int
    after: datetime | None = None
    after_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseLicense:
    """Without territories or media, the license is for all of those of its type. Without a start, it starts now."""

    license_id: str
    asset_id: str
    buyer_id: str
    type_id: str
    territories: Sequence[str] = ()
    media: Sequence[Medium] = ()
    starts_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewLicense:
    license_id: str
    renewal_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportUsage:
    license_id: str
    usages: Sequence[Usage]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectUsage:
    license_id: str
    usage_id: str
    uses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLicense:
    """Follows from a right that was granted."""

    asset_id: str
    right: RightGranted


@dataclass(frozen=True, slots=True, kw_only=True)
class ProlongLicense:
    """Follows from a right that was prolonged."""

    right: RightProlonged


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireLicense:
    """Follows from a license with an end. `ends_at` shows whether the license was renewed since."""

    license_id: str
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GetLicense:
    license_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSale:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLicenseTypes:
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLicenses:
    """A license is listed if all conditions hold. A condition that is empty always holds."""

    buyer_id: str = ""
    asset_id: str = ""
    usable: bool = False
    page: Page = FIRST


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDays:
    """The days from `first` to `last` (YYYY-MM-DD); an empty one does not bound them. Without asset, all assets."""

    first: str = ""
    last: str = ""
    asset_id: str = ""
    page: Page = FIRST
