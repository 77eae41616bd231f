"""Licensing over gRPC."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from media.assets.v1 import assets_events_pb2 as assets
from media.licensing.v1 import licensing_events_pb2 as events
from media.licensing.v1 import licensing_service_pb2 as pb
from treaty.memory.stores import MemoryStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.world import ManualClock, SeededIds, embedded

from services.media.licensing.acl import asset_ready
from services.media.licensing.application import licenses
from services.media.licensing.application.commands import NoteAssetReady
from services.media.licensing.application.licenses import TOLD_AGAIN
from tests.services.media.agency import Agency, at, now, terms, usage

UUID = "11111111-2222-4333-8444-555555555555"
FAILED, INVALID = grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT


async def test_a_repeated_purchase_is_one_license_with_the_same_answer(agency: Agency) -> None:
    request = agency.purchase()
    first = await agency.buy(request)
    assert (first.license.buyer_id, first.license.left, first.license.price.minor_units) == ("ann", 10, 20_000)
    assert await agency.buy(request) == first
    assert len((await agency.find(buyer_id="ann", not_before=first.revision)).licenses) == 1


async def test_one_request_id_for_two_assets_is_two_licenses(agency: Agency) -> None:
    await agency.offer("harbour")
    first = await agency.buy(request_id=UUID)
    second = await agency.buy(request_id=UUID, asset_id="harbour")
    assert first.license.license_id != second.license.license_id


async def test_of_two_buyers_of_an_exclusive_right_one_gets_it_and_the_other_owes_nothing(agency: Agency) -> None:
    await agency.define("only", exclusive=True)
    await agency.offer("sunset", "only")
    wanted = [agency.purchase(buyer_id=name, type_id="only") for name in ("ann", "bob")]
    outcomes = await asyncio.gather(*(agency.buy(one) for one in wanted), return_exceptions=True)
    [bought] = [one for one in outcomes if isinstance(one, pb.PurchaseLicenseResponse)]
    lost = wanted[0] if bought.license.buyer_id == "bob" else wanted[1]
    refused = await refusal(agency.buy(lost))
    assert (refused.code, refused.reason, refused.domain) == (FAILED, "EXCLUSIVELY_LICENSED", "media.licensing")
    await agency.find(not_before=bought.revision)
    assert not (await agency.find(buyer_id=lost.buyer_id)).licenses
    assert [day.revenue.minor_units for day in await agency.purchase_days(not_before=bought.revision)] == [20_000]


async def test_a_license_for_a_part_of_its_type_leaves_the_other_part(agency: Agency) -> None:
    await agency.define("only", exclusive=True)
    await agency.offer("sunset", "only")
    await agency.buy(type_id="only", territories=["DE"])
    other = await agency.buy(type_id="only", territories=["FR"], buyer_id="bob")
    assert list(other.license.territories) == ["FR"]
    refused = await refusal(agency.buy(type_id="only", territories=["US"]))
    assert (refused.code, list(refused.fields)) == (INVALID, ["territories"])


@pytest.mark.parametrize(
    ("values", "reason"), [({"type_id": "print"}, "NOT_FOUND"), ({"asset_id": "unknown"}, "NOT_FOUND")]
)
async def test_an_unknown_type_or_asset_is_not_found(agency: Agency, values: dict[str, Any], reason: str) -> None:
    refused = await refusal(agency.buy(**values))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, reason)


async def test_an_asset_is_not_offered_with_an_unknown_type(agency: Agency) -> None:
    assert (await refusal(agency.offer("harbour", "unknown"))).code is grpc.StatusCode.NOT_FOUND


async def test_a_picture_is_not_offered_before_it_is_ready_whatever_the_order_and_number_of_the_events(
    agency: Agency,
) -> None:
    stranger = Agency(agency.channel, SeededIds("stranger"))
    for asset_id in ("harbour", "rejected"):
        refused = await refusal(stranger.offer(asset_id))
        assert (refused.code, refused.reason) == (FAILED, "ASSET_NOT_READY")
    for _ in range(2):
        await agency.tell_ready("harbour")
    assert (await refusal(agency.buy(asset_id="harbour"))).reason == "ASSET_NOT_OFFERED"
    offered = (await stranger.offer("harbour")).sale
    assert (offered.ready, offered.editorial_only, list(offered.type_ids)) == (True, False, ["web"])
    assert (await agency.buy(asset_id="harbour")).license.asset_id == "harbour"


async def test_a_picture_without_releases_is_offered_and_sold_for_news_alone(agency: Agency) -> None:
    await agency.define("news", model=pb.MODEL_EDITORIAL)
    await agency.tell_ready("crowd", model_release=assets.RELEASE_SOME, property_release=assets.RELEASE_NOT_NEEDED)
    refused = await refusal(agency.offer("crowd", "news", "web"))
    assert (refused.code, refused.reason) == (FAILED, "RELEASES_MISSING")
    assert (await agency.offer("crowd", "news")).sale.editorial_only
    assert (await agency.buy(asset_id="crowd", type_id="news")).license.type_id == "news"
    await agency.define("news")
    assert (await refusal(agency.buy(asset_id="crowd", type_id="news"))).reason == "RELEASES_MISSING"


@pytest.mark.parametrize(
    ("model", "building", "editorial_only"),
    [
        (assets.RELEASE_UNSPECIFIED, assets.RELEASE_UNSPECIFIED, False),
        (assets.RELEASE_ALL, assets.RELEASE_NOT_NEEDED, False),
        (assets.RELEASE_NONE, assets.RELEASE_ALL, True),
        (assets.RELEASE_ALL, assets.RELEASE_SOME, True),
        (assets.RELEASE_ALL, 99, True),
    ],
)
def test_a_release_that_is_missing_or_in_a_new_word_leaves_news_alone(
    model: Any, building: Any, editorial_only: bool
) -> None:
    event = assets.AssetReadyForSearch(asset_id="a", model_release=model, property_release=building)
    assert asset_ready(event) == NoteAssetReady(asset_id="a", editorial_only=editorial_only)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"territories": ["Germany"]}, "territories[0]"),
        ({"media": [0]}, "media[0]"),
        ({"buyer_id": "an n"}, "buyer_id"),
        ({"request_id": "1"}, "request_id"),
        ({"starts_at": now(days=1)}, "starts_at"),
    ],
)
async def test_a_field_that_is_not_valid_is_named(agency: Agency, values: dict[str, Any], field: str) -> None:
    refused = await refusal(agency.buy(**values))
    assert refused.code is INVALID
    assert field in refused.fields


async def test_terms_that_break_the_rules_of_their_model_are_refused(agency: Agency) -> None:
    refused = await refusal(agency.define("odd", model=pb.MODEL_ROYALTY_FREE))
    assert (refused.code, list(refused.fields)) == (INVALID, ["valid_for"])


async def test_reports_are_judged_one_by_one_and_all_of_them_are_kept_or_none(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    reported = await agency.report(id, usage("u-1", 8), usage("u-2", 5), usage("u-3", territory="US"))
    assert [one.verdict for one in reported.judged] == [pb.VERDICT_COUNTED, pb.VERDICT_EXCEEDED, pb.VERDICT_OUTSIDE]
    assert (reported.judged[1].excess, list(reported.judged[2].breaches)) == (3, [events.BREACH_TERRITORY])
    assert (reported.license.counted, reported.license.excess, reported.license.outside) == (10, 3, 1)
    refused = await refusal(agency.report(id, usage("u-4"), usage("u-1", 9)))
    assert refused.reason == "USAGE_REPORTED_ALREADY"
    assert await agency.license(id) == reported.license


async def test_two_reporters_at_once_cause_one_excess_of_the_right_size(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    one, other = await asyncio.gather(
        agency.report(id, usage("u-1", 6)), Agency(agency.channel).report(id, usage("u-2", 6), request_id=UUID)
    )
    assert sorted([one.judged[0].excess, other.judged[0].excess]) == [0, 2]
    assert (await agency.license(id)).excess == 2


async def test_a_repeated_report_counts_once(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    one = usage(uses=4)
    first = await agency.report(id, one, request_id=UUID)
    assert await agency.report(id, one, request_id=UUID) == first
    assert (await agency.report(id, one)).license.counted == 4


async def test_a_report_for_a_license_that_nobody_purchased_is_refused(agency: Agency) -> None:
    assert (await refusal(agency.report(UUID, usage()))).code is grpc.StatusCode.NOT_FOUND


async def test_a_correction_is_shown_in_the_license_and_in_the_day_of_the_use(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    await agency.report(id, usage("u-1", 14))
    corrected = await agency.correct(id, "u-1", 9)
    assert (corrected.license.counted, corrected.license.excess, corrected.license.left) == (9, 0, 1)
    [day] = await agency.usage_days(asset_id="sunset", not_before=corrected.revision)
    assert (day.reports, day.uses, day.excess, day.forgiven) == (1, 9, 4, 4)


@pytest.mark.slow
async def test_a_license_expires_by_itself_and_a_late_report_still_counts(agency: Agency) -> None:
    await agency.define("brief", valid_for=Duration(seconds=1))
    await agency.offer("sunset", "brief")
    bought = (await agency.buy(type_id="brief")).license
    await eventually(lambda: agency.is_expired(bought.license_id))
    used = bought.starts_at.ToDatetime(UTC) + timedelta(milliseconds=1)
    late = await agency.report(bought.license_id, usage("u-1", used_at=at(used)))
    after = await agency.report(bought.license_id, usage("u-2", used_at=bought.ends_at))
    assert (late.judged[0].verdict, list(after.judged[0].breaches)) == (pb.VERDICT_COUNTED, [events.BREACH_PERIOD])
    [day] = await agency.usage_days(not_before=after.revision)
    assert (day.uses, day.outside, day.late) == (1, 1, 2)
    refused = await refusal(agency.renew(bought.license_id))
    assert (refused.code, refused.reason) == (FAILED, "LICENSE_EXPIRED")


async def test_a_renewal_is_repeated_safely_and_adds_time_and_uses(agency: Agency) -> None:
    bought = (await agency.buy()).license
    renewed = await agency.renew(bought.license_id, UUID)
    assert await agency.renew(bought.license_id, UUID) == renewed
    assert (renewed.license.allowed, renewed.license.left) == (20, 20)
    added = renewed.license.ends_at.ToDatetime() - bought.ends_at.ToDatetime()
    assert added == timedelta(days=30)
    [day] = await agency.purchase_days(not_before=renewed.revision)
    assert (day.purchases, day.renewals, day.revenue.minor_units) == (1, 1, 40_000)


async def test_of_two_renewals_at_once_one_is_charged(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    outcomes = await asyncio.gather(*(agency.renew(id) for _ in range(2)), return_exceptions=True)
    done = [one for one in outcomes if isinstance(one, pb.RenewLicenseResponse)]
    license = await agency.license(id)
    assert license.allowed == 10 + 10 * len(done)
    days = (license.ends_at.ToDatetime() - license.starts_at.ToDatetime()).days
    assert days == 30 + 30 * len(done)


async def test_a_withdrawn_asset_is_not_sold_and_its_licenses_remain(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    assert (await agency.withdraw()).sale.withdrawn
    assert (await refusal(agency.buy())).reason == "ASSET_WITHDRAWN"
    assert (await refusal(agency.renew(id))).reason == "ASSET_WITHDRAWN"
    assert (await agency.report(id, usage())).license.counted == 1


async def test_each_license_that_is_live_is_told_once_of_each_withdrawal_however_many_there_are(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licenses, "_TOLD_AT_ONCE", 2)
    ids = [(await agency.buy(buyer_id=f"buyer-{n}")).license.license_id for n in range(5)]
    await agency.offer("harbour")
    other = await agency.buy(asset_id="harbour")
    await agency.find(not_before=other.revision)
    await agency.withdraw()
    assert await eventually(lambda: len(_withdrawn(agency)) == 5)
    assert sorted(_withdrawn(agency)) == sorted((id, f"buyer-{n}", "no release") for n, id in enumerate(ids))
    await agency.offer()
    await agency.withdraw()
    assert await eventually(lambda: len(_withdrawn(agency)) == 10)
    assert sorted(_withdrawn(agency)) == sorted(2 * [(id, f"buyer-{n}", "no release") for n, id in enumerate(ids)])


async def test_licensees_who_know_are_not_told_an_hour_later_and_cost_no_commit() -> None:
    clock = ManualClock()
    async with embedded("media.licensing", clock=clock) as world:
        agency, stores = Agency(world.channel, broker=world.broker), world.stores["media.licensing"]
        await agency.define(valid_for=Duration(seconds=864_000))
        await agency.offer()
        bought = await agency.buy()
        await agency.find(not_before=bought.revision)
        await agency.withdraw()
        assert await eventually(lambda: _withdrawn(agency))
        stream = f"license-{bought.license.license_id}"
        before, timers = await stores.log.read(stream), await stores.pending.timers(10)
        clock.advance(TOLD_AGAIN.total_seconds() + 1)

        async def is_over() -> bool:
            return len(await stores.pending.timers(10)) < len(timers)

        assert await eventually(is_over)
        assert await stores.log.read(stream) == before


def _withdrawn(agency: Agency) -> list[tuple[str, str, str]]:
    """Returns the license, the buyer and the reason of each event about a license whose asset was withdrawn."""
    bodies = [one.body for one in agency.broker.published if one.type.endswith(".LicensedAssetWithdrawn")]
    told = [events.LicensedAssetWithdrawn.FromString(body) for body in bodies]
    return [(one.license_id, one.buyer_id, one.reason) for one in told]


async def test_an_offer_is_announced_with_its_types(agency: Agency) -> None:
    def offered() -> list[events.AssetOfferedForSale]:
        bodies = [one.body for one in agency.broker.published if one.type.endswith(".AssetOfferedForSale")]
        return [events.AssetOfferedForSale.FromString(body) for body in bodies]

    assert await eventually(offered)
    assert [(one.asset_id, list(one.type_ids)) for one in offered()] == [("sunset", ["web"])]


async def test_no_license_starts_under_an_embargo(agency: Agency) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    await agency.offer("sunset", "web", embargo_until=at(end))
    assert (await refusal(agency.buy())).reason == "ASSET_EMBARGOED"
    later = (await agency.buy(starts_at=at(end))).license
    early = await agency.report(later.license_id, usage())
    assert list(early.judged[0].breaches) == [events.BREACH_PERIOD]


async def test_a_sale_shows_where_and_when_rights_are_granted(agency: Agency) -> None:
    bought = (await agency.buy()).license
    found = (await agency.licensing.GetSale(pb.GetSaleRequest(asset_id="sunset"))).sale
    assert [(list(right.territories), right.ends_at) for right in found.rights] == [(["DE", "FR"], bought.ends_at)]


async def test_a_license_keeps_the_terms_with_which_it_was_sold(agency: Agency) -> None:
    id = (await agency.buy()).license.license_id
    dearer = terms().price
    dearer.minor_units = 99_000
    await agency.define(price=dearer, allowed=1)
    license = await agency.license(id)
    assert (license.price.minor_units, license.allowed) == (20_000, 10)


async def test_a_license_that_was_granted_before_a_crash_is_issued_after_it() -> None:
    """Another process begins with a log that has the grant, and no license yet."""
    async with embedded("media.licensing") as world:
        agency = Agency(world.channel, broker=world.broker)
        await agency.define()
        await agency.offer()
        bought = (await agency.buy()).license
        granted = await world.stores["media.licensing"].log.read("sale-sunset")
    stores = MemoryStores(Surroundings())
    for commit in granted:
        await stores.log.append(commit)
    async with embedded("media.licensing", stores={"media.licensing": stores}) as world:
        agency = Agency(world.channel)
        assert await eventually(lambda: _is_issued(agency, bought))


async def _is_issued(agency: Agency, license: pb.License) -> bool:
    return list((await agency.find()).licenses) == [license]
