"""The read models of Licensing."""

from media.licensing.v1 import licensing_service_pb2 as pb

from tests.services.media.agency import Agency, now, usage


async def test_licenses_are_listed_by_buyer_and_asset_the_latest_first_page_by_page(agency: Agency) -> None:
    await agency.offer("harbour")
    ids = [(await agency.buy(asset_id=asset)).license.license_id for asset in ("sunset", "harbour", "sunset")]
    last = await agency.buy(buyer_id="bob")
    first = await agency.find(buyer_id="ann", page_size=2, not_before=last.revision)
    assert [one.license_id for one in first.licenses] == [ids[2], ids[1]]
    rest = await agency.find(buyer_id="ann", page_size=2, page_token=first.next_page_token)
    assert ([one.license_id for one in rest.licenses], rest.next_page_token) == ([ids[0]], "")
    assert [one.license_id for one in (await agency.find(asset_id="harbour")).licenses] == [ids[1]]


async def test_a_listed_license_is_the_same_as_the_license_itself(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    reported = await agency.report(id, usage("u-1", 12), usage("u-2", territory="US"))
    [listed] = (await agency.find(not_before=reported.revision)).licenses
    assert listed == reported.license == await agency.license(id)


async def test_only_licenses_that_still_allow_a_use_are_usable(agency: Agency) -> None:
    full, free = [(await agency.buy()).license.license_id for _ in range(2)]
    reported = await agency.report(full, usage("u-1", 10))
    usable = await agency.find(usable=True, not_before=reported.revision)
    assert [(one.license_id, one.left) for one in usable.licenses] == [(free, 10)]
    corrected = await agency.correct(full, "u-1", 9)
    again = await agency.find(usable=True, not_before=corrected.revision)
    assert {one.license_id: one.left for one in again.licenses} == {full: 1, free: 10}


async def test_uses_are_summed_by_the_day_of_the_use_and_by_asset(agency: Agency) -> None:
    await agency.offer("harbour")
    one, other = [(await agency.buy(asset_id=asset)).license.license_id for asset in ("sunset", "harbour")]
    await agency.report(one, usage("u-1", 3), usage("u-2", 2), usage("u-3", 4, used_at=now(days=2)))
    reported = await agency.report(other, usage("u-1", 5))
    days = await agency.usage_days(not_before=reported.revision)
    today, before = f"{now().ToDatetime():%Y-%m-%d}", f"{now(days=2).ToDatetime():%Y-%m-%d}"
    shown = {(day.day, day.asset_id): (day.reports, day.uses, day.outside) for day in days}
    assert shown == {(today, "sunset"): (2, 5, 0), (today, "harbour"): (1, 5, 0), (before, "sunset"): (1, 0, 4)}
    assert [day.day for day in days][-1] == before
    assert {day.day for day in await agency.usage_days(first_day=today)} == {today}
    assert {day.asset_id for day in await agency.usage_days(asset_id="harbour")} == {"harbour"}


async def test_license_types_are_listed_by_id(agency: Agency) -> None:
    defined = await agency.define("print")
    listed = await agency.licensing.ListLicenseTypes(pb.ListLicenseTypesRequest(not_before=defined.revision))
    assert [one.type_id for one in listed.license_types] == ["print", "web"]
    assert listed.license_types[0] == defined.license_type
