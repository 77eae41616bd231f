"""The alerts: listed, filtered, and watched."""

from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2 as pb
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import World

from tests.services.media.team import Team


async def sighted(world: World, team: Team, **values: str) -> str:
    id = str((await team.sight(**values)).sighting.case_id)
    await eventually(world.is_settled)
    return id


async def test_alerts_are_listed_the_latest_first_page_by_page(world: World, team: Team) -> None:
    ids = [await sighted(world, team, work_id=work) for work in ("a", "b", "c")]
    request = pb.ListAlertsRequest(page_size=2)
    first = await team.compliance.ListAlerts(request)
    assert [alert.case_id for alert in first.alerts] == [ids[2], ids[1]]
    request.page_token = first.next_page_token
    assert [alert.case_id for alert in (await team.compliance.ListAlerts(request)).alerts] == [ids[0]]


async def test_a_reopened_case_is_the_latest_again(world: World, team: Team) -> None:
    one, other = [await sighted(world, team, work_id=work) for work in ("a", "b")]
    await team.assign(one)
    await team.close(one)
    reopened = await team.reopen(one)
    assert [alert.case_id for alert in await team.alerts(not_before=reopened.revision)] == [one, other]


async def test_alerts_are_filtered(world: World, team: Team) -> None:
    one, other = [await sighted(world, team, work_id=work) for work in ("a", "b")]
    await team.assign(one)
    closed = await team.close(one)
    await team.alerts(not_before=closed.revision)

    async def ids(**values: object) -> list[str]:
        return [alert.case_id for alert in await team.alerts(**values)]

    assert await ids(status=pb.CASE_STATUS_OPEN) == [other]
    assert await ids(status=pb.CASE_STATUS_CLOSED) == await ids(reviewer="rita") == await ids(work_id="a") == [one]
    assert await ids(severity=events.SEVERITY_HIGH) == [other, one]
    assert await ids(severity=events.SEVERITY_LOW) == []


async def test_a_watcher_sees_each_change_once_and_what_it_last_saw_is_what_is_listed(world: World, team: Team) -> None:
    await sighted(world, team, work_id="before")
    watched = await team.watch()
    case_id = await sighted(world, team)
    await team.assign(case_id)
    closed = await team.close(case_id)
    await eventually(lambda: len(watched.alerts) == 3)
    assert watched.revisions == [f"case-{case_id}@{version}" for version in (1, 2, 3)]
    assert watched.revisions[-1] == closed.revision
    assert [alert.reviewer for alert in watched.alerts] == ["", "rita", "rita"]
    assert watched.alerts[-1] in await team.alerts(not_before=closed.revision)


async def test_a_watcher_sees_only_the_alerts_that_it_asks_for(world: World, team: Team) -> None:
    watched, everything = await team.watch(work_id="a"), await team.watch()
    ids = [await sighted(world, team, work_id=work) for work in ("b", "a", "c")]
    await eventually(lambda: len(everything.alerts) == 3)
    await eventually(lambda: [alert.case_id for alert in watched.alerts] == [ids[1]])


async def test_a_watcher_that_comes_back_sees_the_changes_that_it_missed(world: World, team: Team) -> None:
    watched = await team.watch()
    first = await sighted(world, team)
    await eventually(lambda: len(watched.alerts) == 1)
    await watched.leave()
    second = await sighted(world, team)
    again = await team.watch(after=watched.place)
    third = await sighted(world, team)
    await eventually(lambda: [alert.case_id for alert in again.alerts] == [second, third])
    assert first not in {alert.case_id for alert in again.alerts}


async def test_a_place_that_no_feed_gave_is_refused(team: Team) -> None:
    call = team.compliance.WatchAlerts(pb.WatchAlertsRequest(after="nothing"))
    refused = await refusal(call.read())
    assert (refused.code.name, list(refused.fields)) == ("INVALID_ARGUMENT", ["after"])
