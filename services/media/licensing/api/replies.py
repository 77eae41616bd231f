"""Translates the states and rows of Licensing to protobuf messages for clients."""

from collections.abc import Iterable

from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as pb
from media.money.v1 import money_pb2
from treaty.rpc import EnumTable

from services.media.licensing.api.requests import MODELS
from services.media.licensing.domain.license import License, Status
from services.media.licensing.domain.sale import Right, Sale
from services.media.licensing.domain.terms import Medium, Terms
from services.media.licensing.domain.usage import Report, Usage
from services.media.licensing.projections import LicenseRow, LicenseTypeRow, PurchaseDay, UsageDay
from services.media.licensing.publishing import BREACHES, MEDIA
from services.media.wire import end_to_wire, money_to_wire, span_to_wire, time_to_wire

_STATUS = EnumTable({Status.LIVE: pb.LICENSE_STATUS_LIVE, Status.EXPIRED: pb.LICENSE_STATUS_EXPIRED})


def type_of(type_id: str, name: str, terms: Terms) -> pb.LicenseType:
    return pb.LicenseType(type_id=type_id, name=name, terms=_terms(terms))


def type_row_of(row: LicenseTypeRow) -> pb.LicenseType:
    return type_of(row.type_id, row.name, row.terms)


def _terms(terms: Terms) -> pb.Terms:
    return pb.Terms(
        model=MODELS.to_wire(terms.model),
        territories=terms.scope.territories,
        media=_media(terms.scope.media),
        allowed=terms.allowed or 0,
        valid_for=None if terms.valid_for is None else span_to_wire(terms.valid_for),
        exclusive=terms.exclusive,
        price=money_to_wire(terms.price),
    )


def _media(media: Iterable[Medium]) -> list[events.Medium.ValueType]:
    return [MEDIA.to_wire(medium) for medium in media]


def sale_of(sale: Sale) -> pb.Sale:
    return pb.Sale(
        asset_id=sale.id,
        type_ids=sale.type_ids,
        embargo_until=end_to_wire(sale.embargo_until),
        withdrawn=sale.withdrawn,
        rights=[_right(right) for right in sale.rights],
        ready=sale.ready,
        editorial_only=sale.editorial_only,
    )


def _right(right: Right) -> pb.Right:
    return pb.Right(
        territories=right.scope.territories,
        media=_media(right.scope.media),
        starts_at=time_to_wire(right.period.starts_at),
        ends_at=end_to_wire(right.period.ends_at),
        exclusive=right.exclusive,
    )


def license_of(license: License) -> pb.License:
    assert license.terms is not None
    assert license.scope is not None
    assert license.period is not None
    assert license.purchased_at is not None
    return pb.License(
        license_id=license.id,
        asset_id=license.asset_id,
        buyer_id=license.buyer_id,
        type_id=license.type_id,
        status=_STATUS.to_wire(license.status),
        territories=license.scope.territories,
        media=_media(license.scope.media),
        exclusive=license.terms.exclusive,
        starts_at=time_to_wire(license.period.starts_at),
        ends_at=end_to_wire(license.period.ends_at),
        price=money_to_wire(license.terms.price),
        purchased_at=time_to_wire(license.purchased_at),
        allowed=license.allowed or 0,
        counted=license.counted,
        left=license.left or 0,
        excess=license.excess,
        outside=license.outside,
    )


def license_row_of(row: LicenseRow) -> pb.License:
    return pb.License(
        license_id=row.license_id,
        asset_id=row.asset_id,
        buyer_id=row.buyer_id,
        type_id=row.type_id,
        status=_STATUS.to_wire(row.status),
        territories=row.territories,
        media=_media(row.media),
        exclusive=row.exclusive,
        starts_at=time_to_wire(row.starts_at),
        ends_at=end_to_wire(row.ends_at),
        price=money_to_wire(row.price),
        purchased_at=time_to_wire(row.purchased_at),
        allowed=row.allowed or 0,
        counted=row.counted,
        left=row.left or 0,
        excess=row.excess,
        outside=row.outside,
    )


def judged_of(license: License, usages: Iterable[Usage]) -> list[pb.JudgedUsage]:
    """Returns the verdict on each of the reports."""
    reports = [license.report_of(usage.usage_id) for usage in usages]
    return [_judged(report) for report in reports if report is not None]


def _judged(report: Report) -> pb.JudgedUsage:
    verdict = pb.VERDICT_COUNTED
    if report.breaches:
        verdict = pb.VERDICT_OUTSIDE
    elif report.excess:
        verdict = pb.VERDICT_EXCEEDED
    return pb.JudgedUsage(
        usage_id=report.usage.usage_id,
        verdict=verdict,
        excess=report.excess,
        breaches=[BREACHES.to_wire(breach) for breach in report.breaches],
    )


def usage_day_of(row: UsageDay) -> pb.UsageDay:
    return pb.UsageDay(
        day=row.day,
        asset_id=row.asset_id,
        reports=row.reports,
        uses=row.uses,
        excess=row.excess,
        forgiven=row.forgiven,
        outside=row.outside,
        late=row.late,
    )


def purchase_day_of(row: PurchaseDay) -> pb.PurchaseDay:
    revenue = money_pb2.Money(minor_units=row.revenue, currency=row.currency)  # a sum may be larger than any price
    return pb.PurchaseDay(day=row.day, purchases=row.purchases, renewals=row.renewals, revenue=revenue)
