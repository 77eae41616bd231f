"""Compliance over gRPC, together with Licensing."""

from typing import Any

import grpc
import pytest
from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2 as pb
from treaty.testing import eventually
from treaty.testing.clients import TIMEOUT, refusal
from treaty.testing.world import World

from tests.services.media.agency import Agency, now, usage
from tests.services.media.team import Team

UUID = "11111111-2222-4333-8444-555555555555"
FAILED = grpc.StatusCode.FAILED_PRECONDITION


async def exceeded(world: World, buyers: Agency, uses: int = 25) -> str:
    """Purchases a license and exceeds it; returns its id, which is also that of the case."""
    id = str((await buyers.buy()).license.license_id)
    await buyers.report(id, usage("u-1", uses))
    await eventually(world.is_settled)
    return id


async def test_an_excess_opens_a_case_with_its_severity(world: World, team: Team, buyers: Agency) -> None:
    id = await exceeded(world, buyers)
    case = await team.case(id)
    assert (case.status, case.severity, case.uses) == (pb.CASE_STATUS_OPEN, events.SEVERITY_HIGH, 15)
    assert (case.work_id, case.holder_id, case.license_id) == ("sunset", "ann", id)
    assert [finding.evidence for finding in case.findings] == ["u-1"]


async def test_uses_within_a_license_open_no_case(world: World, team: Team, buyers: Agency) -> None:
    id = await exceeded(world, buyers, uses=10)
    assert await team.find_case(id) is None
    assert await team.alerts() == []


async def test_violations_of_one_license_are_one_case_and_corrections_reduce_it(
    world: World, team: Team, buyers: Agency
) -> None:
    id = await exceeded(world, buyers)
    await buyers.report(id, usage("u-2", 3, territory="US"))
    corrected = await buyers.correct(id, "u-1", 20)
    assert corrected.license.excess == 10
    await eventually(world.is_settled)
    case = await team.case(id)
    assert (case.uses, len(case.findings)) == (13, 2)
    assert list(case.kinds) == [events.INFRINGEMENT_KIND_EXCESS, events.INFRINGEMENT_KIND_PLACE]
    assert len(await team.alerts()) == 1


async def test_a_case_goes_from_a_reviewer_to_an_outcome_and_is_reopened(
    world: World, team: Team, buyers: Agency
) -> None:
    id = await exceeded(world, buyers)
    assert (await refusal(team.close(id))).reason == "CASE_NOT_ASSIGNED"
    assert (await team.assign(id)).case.reviewer == "rita"
    closed = (await team.close(id)).case
    assert (closed.status, closed.outcome) == (pb.CASE_STATUS_CLOSED, events.OUTCOME_SETTLED)
    refused = await refusal(team.assign(id, "sam"))
    assert (refused.code, refused.reason, refused.domain) == (FAILED, "CASE_CLOSED", "media.compliance")
    reopened = (await team.reopen(id)).case
    assert (reopened.status, reopened.round, reopened.outcome) == (pb.CASE_STATUS_OPEN, 2, events.OUTCOME_UNSPECIFIED)


async def test_a_use_that_was_licensed_afterwards_names_a_license_of_the_same_work(
    world: World, team: Team, buyers: Agency
) -> None:
    id = await exceeded(world, buyers)
    await team.assign(id)
    await buyers.offer("harbour")
    other = (await buyers.buy(asset_id="harbour")).license.license_id
    later = (await buyers.buy()).license.license_id
    await eventually(world.is_settled)
    licensed = events.OUTCOME_LICENSED
    assert (await refusal(team.close(id, licensed))).reason == "LICENSE_NEEDED"
    assert (await refusal(team.close(id, licensed, UUID))).reason == "LICENSE_UNKNOWN"
    assert (await refusal(team.close(id, licensed, other))).reason == "LICENSE_FOR_ANOTHER_WORK"
    assert (await team.close(id, licensed, later)).case.license_id == later


async def test_notes_are_shown_until_the_personal_data_of_the_user_is_erased(
    world: World, team: Team, buyers: Agency
) -> None:
    id = await exceeded(world, buyers)
    await team.note(id, "Ann wrote that her intern did it")
    assert [note.text for note in (await team.case(id)).notes] == ["Ann wrote that her intern did it"]
    stores = world.stores["media.compliance"]
    assert "intern" not in repr(await stores.log.read(f"case-{id}"))
    asked = [pb.EraseNotesRequest(request_id=UUID, subject_id="ann") for _ in range(2)]
    erased = [(await team.compliance.EraseNotes(one, timeout=TIMEOUT)).notes for one in asked]
    assert erased == [1, 0]
    assert [(note.author, note.text) for note in (await team.case(id)).notes] == [("rita", "")]


async def test_a_sighting_is_held_against_the_licenses_of_the_time(world: World, team: Team, buyers: Agency) -> None:
    license = (await buyers.buy()).license
    await eventually(world.is_settled)
    covered = (await team.sight(holder_id="ann", used_at=now())).sighting
    assert (covered.covered_by, covered.case_id) == (license.license_id, "")
    before = (await team.sight(holder_id="ann", used_at=now(days=1))).sighting
    assert (before.case_id, list(before.kinds)) == (license.license_id, [events.INFRINGEMENT_KIND_PERIOD])
    await eventually(world.is_settled)
    assert (await team.case(license.license_id)).severity == events.SEVERITY_MEDIUM


async def test_a_sighting_without_a_license_is_a_case_of_its_own_and_a_repeat_opens_no_other(
    world: World, team: Team
) -> None:
    used_at = now(seconds=5)
    first = await team.sight(UUID, used_at=used_at)
    assert await team.sight(UUID, used_at=used_at) == first
    assert first.sighting.case_id == UUID
    await eventually(world.is_settled)
    case = await team.case(UUID)
    assert (case.severity, case.uses, case.holder_id) == (events.SEVERITY_HIGH, 1, "")
    assert len(await team.alerts()) == 1


async def test_a_use_against_an_exclusive_license_is_critical(world: World, team: Team, buyers: Agency) -> None:
    await buyers.define("only", exclusive=True)
    await buyers.offer("harbour", "only")
    await buyers.buy(asset_id="harbour", type_id="only", buyer_id="bob")
    await eventually(world.is_settled)
    await team.sight(UUID, work_id="harbour", holder_id="ann", used_at=now())
    await eventually(world.is_settled)
    assert (await team.case(UUID)).severity == events.SEVERITY_CRITICAL


@pytest.mark.parametrize(
    ("values", "field"),
    [({"medium": "The Web"}, "medium"), ({"place": "Mars"}, "place"), ({"used_at": now(days=-1)}, "used_at")],
)
async def test_a_sighting_that_is_not_valid_is_refused(team: Team, values: dict[str, Any], field: str) -> None:
    refused = await refusal(team.sight(**values))
    assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


async def test_an_unknown_case_is_not_found(team: Team) -> None:
    for call in (team.case(UUID), team.assign(UUID), team.close(UUID), team.reopen(UUID), team.note(UUID, "?")):
        assert (await refusal(call)).code is grpc.StatusCode.NOT_FOUND


@pytest.mark.slow
async def test_a_case_that_nobody_decides_is_reminded_of_escalated_and_stuck(
    world: World, team: Team, buyers: Agency
) -> None:
    id = await exceeded(world, buyers, uses=11)
    assert (await team.case(id)).severity == events.SEVERITY_LOW
    await eventually(lambda: _has_level(team, id, 3))
    case = await team.case(id)
    assert case.reminders == 2
    await eventually(lambda: _is_review(world, id, "stuck"))
    escalations = [event for event in world.broker.published if event.type.endswith(".CaseEscalated")]
    assert len(escalations) == 3
    await team.assign(id)
    assert (await team.close(id, events.OUTCOME_LAWYERS)).case.outcome == events.OUTCOME_LAWYERS
    await eventually(lambda: _is_review(world, id, "ended"))


async def _is_review(world: World, case_id: str, status: str) -> bool:
    """Returns whether the review of a case has a status in the read model of operators."""
    name = "media.compliance"
    runs = world.runner(name).service.sagas[0].runs
    row = (await world.stores[name].rows(runs).load([case_id])).get(case_id)
    return row is not None and row.values is not None and row.values["status"] == status


async def _has_level(team: Team, case_id: str, level: int) -> bool:
    return (await team.case(case_id)).level == level
