"""Sightings are held against permissions, and findings have a severity."""

from datetime import timedelta
from typing import Any

import pytest
from treaty.domain import Invalid, Rejected
from treaty.testing.scenarios import given

from services.media.compliance.domain.events import PermissionEnded, PermissionProlonged, UseSighted
from services.media.compliance.domain.findings import Finding, Kind, Severity, severity_of
from services.media.compliance.domain.permission import Permission
from services.media.compliance.domain.sightings import Sighting
from services.media.compliance.projections import PermissionRow
from tests.services.media.compliance.samples import GRANTED, MONTH, NOW, finding, permission, use

EXCLUSIVE = permission("l-9", holder_id="bob", exclusive=True)


@pytest.mark.parametrize(
    ("found", "severity"),
    [
        (finding(uses=1, allowed=10), Severity.LOW),
        (finding(uses=2, allowed=10), Severity.MEDIUM),
        (finding(uses=10, allowed=10), Severity.MEDIUM),
        (finding(uses=11, allowed=10), Severity.HIGH),
        (finding(Kind.PERIOD), Severity.MEDIUM),
        (finding(Kind.PLACE), Severity.MEDIUM),
        (finding(Kind.MEDIUM), Severity.MEDIUM),
        (finding(Kind.MEDIUM, use=use(medium="advertising")), Severity.HIGH),
        (finding(Kind.UNLICENSED), Severity.HIGH),
        (finding(Kind.PLACE, Kind.EXCLUSIVE), Severity.CRITICAL),
    ],
)
def test_the_worst_kind_decides_the_severity(found: Finding, severity: Severity) -> None:
    assert severity_of(found) is severity


def _sighted(holder_id: str = "", *known: PermissionRow, **values: Any) -> UseSighted:
    outcome = given(Sighting, "s-1").when(
        lambda it: it.sight(
            use(**values), holder_id=holder_id, reporter="eve", source="", permissions=known, now=NOW + 2 * MONTH
        )
    )
    [event] = outcome.events
    assert isinstance(event, UseSighted)
    return event


def test_a_sighting_that_a_permission_covers_is_no_finding() -> None:
    for holder in ("ann", ""):
        sighted = _sighted(holder, permission())
        assert (sighted.covered_by, sighted.finding) == ("l-1", None)


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"place": "US"}, (Kind.PLACE,)),
        ({"medium": "print"}, (Kind.MEDIUM,)),
        ({"used_at": NOW + MONTH}, (Kind.PERIOD,)),
        ({"used_at": NOW - MONTH - timedelta(seconds=1)}, (Kind.PERIOD,)),
        ({"place": "US", "medium": "print"}, (Kind.PLACE, Kind.MEDIUM)),
    ],
)
def test_a_use_by_a_holder_outside_of_the_permission_is_a_finding_about_it(
    values: dict[str, Any], kinds: tuple[Kind, ...]
) -> None:
    found = _sighted("ann", permission(), **values).finding
    assert found is not None
    assert (found.kinds, found.permission_id) == (kinds, "l-1")


def test_of_several_permissions_the_nearest_is_the_one_that_was_exceeded() -> None:
    far, near = permission("l-1", places=("US",), media=("print",)), permission("l-2", places=("US",))
    found = _sighted("ann", far, near).finding
    assert found is not None
    assert (found.permission_id, found.kinds) == ("l-2", (Kind.PLACE,))


def test_a_use_without_any_permission_is_unlicensed() -> None:
    for known in ([], [permission(holder_id="bob")]):
        found = _sighted("ann", *known).finding
        assert found is not None
        assert (found.kinds, found.permission_id) == ((Kind.UNLICENSED,), "")


def test_a_use_where_somebody_else_has_the_exclusive_right_is_critical() -> None:
    found = _sighted("ann", EXCLUSIVE).finding
    assert found is not None
    assert found.kinds == (Kind.UNLICENSED, Kind.EXCLUSIVE)
    assert severity_of(found) is Severity.CRITICAL
    elsewhere = _sighted("ann", EXCLUSIVE, place="US").finding
    assert elsewhere is not None
    assert elsewhere.kinds == (Kind.UNLICENSED,)


def test_a_permission_for_the_world_covers_every_place() -> None:
    assert _sighted("ann", permission(places=("WORLD",), ends_at=None), place="JP").covered_by == "l-1"


def test_a_sighting_is_reported_once_and_not_from_the_future() -> None:
    early = given(Sighting, "s-1").when(
        lambda it: it.sight(use(), holder_id="", reporter="eve", source="", permissions=(), now=NOW - MONTH)
    )
    assert early.then_raises(Invalid).field == "used_at"
    again = given(Sighting, "s-1", [_sighted()]).when(
        lambda it: it.sight(use(), holder_id="", reporter="eve", source="", permissions=(), now=NOW)
    )
    again.then_raises(Rejected, "SIGHTING_REPORTED_ALREADY")


def test_a_permission_follows_its_license() -> None:
    given(Permission, "l-1").when(lambda it: it.grant(GRANTED)).then([GRANTED])
    given(Permission, "l-1", [GRANTED]).when(lambda it: it.grant(GRANTED)).then_nothing()
    ended = PermissionEnded(ended_at=NOW + MONTH)
    over = given(Permission, "l-1", [GRANTED]).when(lambda it: it.end(NOW + MONTH)).then([ended])
    assert over.ended
    prolonged = PermissionProlonged(ends_at=NOW + 2 * MONTH, allowed=20)
    again = given(Permission, "l-1", [GRANTED, ended]).when(lambda it: it.prolong(NOW + 2 * MONTH, 20))
    assert not again.then([prolonged]).ended
    given(Permission, "l-1", [GRANTED, prolonged]).when(lambda it: it.prolong(NOW + 2 * MONTH, 20)).then_nothing()
