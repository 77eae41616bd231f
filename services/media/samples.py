"""The domain for `scripts/up`: pictures, license types, pictures on sale, and the traffic of an agency.

The names are explained in `services/commerce/samples.py`. There are no outside systems.
"""

import io
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from media.assets.v1 import assets_service_pb2 as assets
from media.compliance.v1 import compliance_events_pb2 as compliance_events
from media.compliance.v1 import compliance_service_pb2 as compliance
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as licensing
from media.money.v1.money_pb2 import Money
from PIL import Image
from treaty.clock import SystemClock

T = TypeVar("T")

_WEB, _PRINT, _ADS = events.MEDIUM_WEB, events.MEDIUM_PRINT, events.MEDIUM_ADVERTISING
_MONTH = 30 * 86_400

_TYPES = {
    "web-month": licensing.Terms(
        model=licensing.MODEL_RIGHTS_MANAGED,
        territories=["DE", "FR", "GB"],
        media=[_WEB],
        allowed=1000,
        valid_for=Duration(seconds=_MONTH),
        price=Money(minor_units=4900, currency="EUR"),
    ),
    "royalty-free": licensing.Terms(
        model=licensing.MODEL_ROYALTY_FREE,
        territories=["WORLD"],
        media=[_WEB, _PRINT],
        allowed=500_000,
        price=Money(minor_units=1200, currency="EUR"),
    ),
    "campaign": licensing.Terms(
        model=licensing.MODEL_RIGHTS_MANAGED,
        territories=["WORLD"],
        media=[_ADS],
        valid_for=Duration(seconds=3 * _MONTH),
        exclusive=True,
        price=Money(minor_units=250_000, currency="EUR"),
    ),
}
_NAMES = {"web-month": "A month on the web", "royalty-free": "Royalty-free", "campaign": "A campaign, exclusive"}
_PICTURES = ("sunset", "harbour", "market", "lighthouse", "snow", "carnival")
_BUYERS = ("ada", "grace", "edsger", "barbara")

_KEPT = 300
"""The most licenses that the traffic remembers, to report uses of them."""


class Dice(Protocol):
    """The chance of the traffic, such as `random.Random`."""

    def choice(self, of: Sequence[T], /) -> T: ...

    def randint(self, least: int, most: int, /) -> int: ...

    def getrandbits(self, bits: int, /) -> int: ...


Steps = Generator[Any, Any, None]
"""Yields requests, and gets the reply of each."""

Deed = Callable[[Dice, list[str]], Steps]
"""(chance, the ids of the licenses so far) → the steps."""


def opening() -> Iterator[Any]:
    """Yields the requests that upload pictures, define license types, offer the pictures, and sell a few licenses.

    A picture is not offered before it is ready; until then the offer is refused, and sent again.
    """
    for number, name in enumerate(_PICTURES):
        yield _upload(name, number)
    for type_id, terms in _TYPES.items():
        yield licensing.DefineLicenseTypeRequest(type_id=type_id, name=_NAMES[type_id], terms=terms)
    for picture in _PICTURES:
        yield licensing.OfferAssetRequest(asset_id=picture, type_ids=list(_TYPES))
    yield _purchase("ada", "sunset", "web-month")
    yield _purchase("grace", "sunset", "royalty-free")
    yield _purchase("edsger", "harbour", "campaign")


def _upload(name: str, number: int) -> assets.UploadAssetRequest:
    """Returns the upload of a small picture in colours of its own, in one message."""
    colours = [(37 * (number + 1) * (n + 3) % 256, 91 * (number + 2) * (n + 1) % 256, 53 * n % 256) for n in range(12)]
    image = Image.new("RGB", (4, 3))
    image.putdata(colours)
    file = io.BytesIO()
    image.resize((640, 480), Image.Resampling.BICUBIC).save(file, "JPEG")
    data = file.getvalue()
    return assets.UploadAssetRequest(
        asset_id=name,
        title=name.capitalize(),
        photographer_id=("vivian", "ansel")[number % 2],
        tags=["sample", ("sea", "land")[number % 2]],
        content_bytes=len(data),
        piece=data,
    )


def _purchase(buyer: str, picture: str, type_id: str) -> licensing.PurchaseLicenseRequest:
    return licensing.PurchaseLicenseRequest(asset_id=picture, buyer_id=buyer, type_id=type_id)


EXAMPLE = _purchase("ada", "lighthouse", "web-month")


def _now() -> Timestamp:
    message = Timestamp()
    message.FromDatetime(SystemClock().now() - timedelta(milliseconds=1))
    return message


def _buy(dice: Dice, licenses: list[str]) -> Steps:
    """Purchases a license for a month on the web."""
    reply = yield _purchase(dice.choice(_BUYERS), dice.choice(_PICTURES), "web-month")
    licenses.append(reply.license.license_id)
    del licenses[:-_KEPT]


def _buy_exclusively(dice: Dice, licenses: list[str]) -> Steps:
    """Purchases a campaign, which is refused while another one runs."""
    yield _purchase(dice.choice(_BUYERS), dice.choice(_PICTURES), "campaign")


def _report(dice: Dice, licenses: list[str], uses: int = 50, territory: str = "DE") -> Steps:
    if licenses:
        usage = licensing.Usage(
            usage_id=f"{dice.getrandbits(64):x}", uses=uses, used_at=_now(), territory=territory, medium=_WEB
        )
        yield licensing.ReportUsageRequest(license_id=dice.choice(licenses), usages=[usage])


def _exceed(dice: Dice, licenses: list[str]) -> Steps:
    """Reports more uses than the license allows, or uses in another territory."""
    if dice.randint(0, 1):
        yield from _report(dice, licenses, uses=1000 + dice.randint(50, 2000))
    else:
        yield from _report(dice, licenses, territory="US")


def _renew(dice: Dice, licenses: list[str]) -> Steps:
    if licenses:
        yield licensing.RenewLicenseRequest(license_id=dice.choice(licenses))


def _see(dice: Dice, licenses: list[str]) -> Steps:
    """Reports a picture in an advertisement, which is a case of its own or of an exclusive license."""
    yield compliance.ReportSightingRequest(
        request_id=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        work_id=dice.choice(_PICTURES),
        place=dice.choice(("DE", "US", "JP")),
        medium="advertising",
        used_at=_now(),
        reporter="eve",
        source="https://shop.example/sale",
    )


def _decide(dice: Dice, licenses: list[str]) -> Steps:
    """Takes the latest open cases, and closes them."""
    reply = yield compliance.ListAlertsRequest(status=compliance.CASE_STATUS_OPEN, page_size=3)
    for alert in reply.alerts:
        yield compliance.AssignCaseRequest(case_id=alert.case_id, reviewer="rita", by="max")
        yield compliance.CloseCaseRequest(
            case_id=alert.case_id,
            by="rita",
            outcome=dice.choice((compliance_events.OUTCOME_SETTLED, compliance_events.OUTCOME_DISMISSED)),
        )


def _look(dice: Dice, licenses: list[str]) -> Steps:
    yield licensing.ListLicensesRequest(usable=True, page_size=10)
    yield assets.SearchAssetsRequest(text=dice.choice(_PICTURES)[:3], facets=True)


DEEDS: Mapping[str, tuple[int, Deed]] = {
    "license": (20, _buy),
    "campaign": (2, _buy_exclusively),
    "use": (55, _report),
    "overuse": (6, _exceed),
    "renew": (2, _renew),
    "sighting": (3, _see),
    "decide": (6, _decide),
    "browse": (6, _look),
}
