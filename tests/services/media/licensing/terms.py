"""Terms, rights and uses for the tests of Licensing."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.media.licensing.domain.events import LicensePurchased, RightGranted
from services.media.licensing.domain.terms import WORLD, Medium, Model, Period, Scope, Terms
from services.media.licensing.domain.usage import Usage
from services.media.money import Money

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MONTH = timedelta(days=30)


def scope(*territories: str, media: tuple[Medium, ...] = (Medium.WEB,)) -> Scope:
    return Scope(territories=territories or ("DE", "FR"), media=media)


def terms(**values: Any) -> Terms:
    """Returns rights-managed terms for a month and ten uses."""
    known: dict[str, Any] = {
        "model": Model.RIGHTS_MANAGED,
        "scope": scope(),
        "allowed": 10,
        "valid_for": MONTH,
        "exclusive": False,
        "price": Money(20_000, "EUR"),
    }
    return Terms(**{**known, **values})


ROYALTY_FREE = terms(
    model=Model.ROYALTY_FREE, scope=scope(WORLD, media=(Medium.PRINT, Medium.WEB)), valid_for=None, allowed=500_000
)
EXCLUSIVE = terms(exclusive=True)


def right(license_id: str = "l-1", sold: Terms | None = None, **values: Any) -> RightGranted:
    sold = sold or terms()
    known: dict[str, Any] = {
        "license_id": license_id,
        "buyer_id": "ann",
        "type_id": "web",
        "terms": sold,
        "scope": sold.scope,
        "period": sold.period_from(NOW),
        "granted_at": NOW,
    }
    return RightGranted(**{**known, **values})


def purchased(sold: Terms | None = None) -> LicensePurchased:
    sold = sold or terms()
    return LicensePurchased(
        asset_id="sunset",
        buyer_id="ann",
        type_id="web",
        terms=sold,
        scope=sold.scope,
        period=Period(starts_at=NOW, ends_at=None if sold.valid_for is None else NOW + sold.valid_for),
        purchased_at=NOW,
    )


def usage(usage_id: str = "u-1", uses: int = 1, **values: Any) -> Usage:
    known: dict[str, Any] = {"used_at": NOW + timedelta(days=1), "territory": "DE", "medium": Medium.WEB}
    return Usage(usage_id=usage_id, uses=uses, **{**known, **values})
