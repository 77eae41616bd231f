"""The ways of a license, from its sale to a closed case: the same in this process and on the real servers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from media.compliance.v1 import compliance_events_pb2 as events
from media.compliance.v1 import compliance_service_pb2 as compliance
from media.licensing.v1 import licensing_events_pb2 as licensing_events
from media.licensing.v1 import licensing_service_pb2 as licensing
from treaty.chance import RandomIds
from treaty.testing.clients import refusal

from scripts.lib.pictures import jpeg, xmp
from tests.services.media.agency import Agency, at, now, usage
from tests.services.media.studio import Studio
from tests.services.media.team import Team

SETTINGS = {"COMPLIANCE_LOW_SECONDS": "2", "ASSETS_WORKERS": "1"}
"""Cases of low severity are due within moments."""

CONTEXTS = ("media.assets", "media.licensing", "media.compliance")


@dataclass(slots=True)
class Gallery:
    """Asset Processing, Licensing and Compliance, with a client of each. `until` waits for a condition."""

    studio: Studio
    agency: Agency
    team: Team
    until: Callable[[Callable[[], Any]], Awaitable[Any]]

    async def sale(self, **values: Any) -> str:
        """Returns a new asset, which is sold under a type of its own with these terms."""
        asset = await self.picture()
        await self.agency.define(asset, **values)
        await self.agency.offer(asset, asset)
        return asset

    async def picture(self, **told: Any) -> str:
        """Returns a new asset that can be offered; its picture tells these properties of XMP."""
        asset = f"picture-{RandomIds().new()}"
        await self.studio.upload(jpeg(width=64, height=48, xmp=xmp(told) if told else b""), asset_id=asset)
        await self.until(lambda: self.agency.is_ready(asset))
        return asset

    async def buy(self, asset: str, buyer: str = "ann", **values: Any) -> licensing.License:
        return (await self.agency.buy(asset_id=asset, type_id=asset, buyer_id=buyer, **values)).license

    async def is_hidden(self, asset: str) -> bool:
        return not await self.studio.is_searchable(asset)

    async def case(self, case_id: str, uses: int) -> compliance.Case:
        """Waits until a case has so many uses, and returns it."""
        await self.until(lambda: self._has_uses(case_id, uses))
        return await self.team.case(case_id)

    async def _has_uses(self, case_id: str, uses: int) -> bool:
        case = await self.team.find_case(case_id)
        return case is not None and case.uses == uses

    async def has_level(self, case_id: str, level: int) -> bool:
        return (await self.team.case(case_id)).level >= level

    async def is_covered(self, license: licensing.License) -> bool:
        """Returns whether Compliance has the license: a sighting of a use under it is covered."""
        territory = license.territories[0]
        sighted = await self.team.sight(
            work_id=license.asset_id, holder_id=license.buyer_id, place=territory, used_at=license.starts_at
        )
        return bool(sighted.sighting.covered_by == license.license_id)


class Journeys:
    """Each is a failure path from end to end. A subclass has the fixture `gallery`."""

    async def test_an_excess_in_a_race_of_two_reporters_is_one_case_of_the_exact_size(self, gallery: Gallery) -> None:
        license = await gallery.buy(await gallery.sale(allowed=10))
        reports = [gallery.agency.report(license.license_id, usage(f"u-{n}", 4)) for n in range(5)]
        judged = await asyncio.gather(*reports)
        assert sum(one.judged[0].excess for one in judged) == 10
        case = await gallery.case(license.license_id, 10)
        assert list(case.kinds) == [events.INFRINGEMENT_KIND_EXCESS]
        assert sum(finding.uses for finding in case.findings) == 10

    async def test_an_exclusive_right_that_two_buy_at_once_has_one_owner_and_the_other_use_is_an_infringement(
        self, gallery: Gallery
    ) -> None:
        asset = await gallery.sale(exclusive=True)
        buying = [gallery.buy(asset, buyer) for buyer in ("ann", "bob")]
        outcomes = await asyncio.gather(*buying, return_exceptions=True)
        [license] = [one for one in outcomes if isinstance(one, licensing.License)]
        loser = {"ann": "bob", "bob": "ann"}[license.buyer_id]
        assert (await refusal(gallery.buy(asset, loser))).reason == "EXCLUSIVELY_LICENSED"
        assert not (await gallery.agency.find(asset_id=asset, buyer_id=loser)).licenses
        await gallery.until(lambda: gallery.is_covered(license))
        sighting = (await gallery.team.sight(work_id=asset, holder_id=loser, used_at=license.starts_at)).sighting
        case = await gallery.case(sighting.case_id, 1)
        assert case.severity == events.SEVERITY_CRITICAL

    async def test_reports_while_a_license_expires_are_judged_by_the_time_of_the_use(self, gallery: Gallery) -> None:
        license = await gallery.buy(await gallery.sale(valid_for=Duration(seconds=2), allowed=1_000_000))
        end, judged, number = license.ends_at.ToDatetime(UTC), {}, 0
        while datetime.now(UTC) < end + timedelta(seconds=1):
            number += 1
            used_at = now()
            answer = await gallery.agency.report(license.license_id, usage(f"u-{number}", used_at=used_at))
            judged[used_at.ToDatetime(UTC)] = answer.judged[0].verdict
        await gallery.until(lambda: gallery.agency.is_expired(license.license_id))
        late = await gallery.agency.report(license.license_id, usage("late", used_at=license.starts_at))
        assert late.judged[0].verdict == licensing.VERDICT_COUNTED
        for used, verdict in judged.items():
            cut = used.replace(microsecond=used.microsecond // 1000 * 1000)
            assert verdict == (licensing.VERDICT_COUNTED if cut < end else licensing.VERDICT_OUTSIDE)
        outside = sum(verdict == licensing.VERDICT_OUTSIDE for verdict in judged.values())
        assert (await gallery.case(license.license_id, outside)).kinds == [events.INFRINGEMENT_KIND_PERIOD]

    async def test_a_picture_is_offered_once_it_is_ready_and_a_rejected_one_never(self, gallery: Gallery) -> None:
        await gallery.agency.define("web")
        rejected = f"letter-{RandomIds().new()}"
        assert (await refusal(gallery.agency.offer(rejected))).reason == "ASSET_NOT_READY"
        await gallery.studio.upload(b"Dear editor", asset_id=rejected)
        await gallery.until(lambda: gallery.studio.is_processed(rejected))
        asset = await gallery.picture()
        assert (await gallery.agency.offer(asset)).sale.ready
        assert (await refusal(gallery.agency.offer(rejected))).reason == "ASSET_NOT_READY"

    async def test_a_picture_without_releases_is_sold_for_news_alone(self, gallery: Gallery) -> None:
        await gallery.agency.define("campaign", media=[licensing_events.MEDIUM_ADVERTISING])
        await gallery.agency.define("news", model=licensing.MODEL_EDITORIAL)
        asset = await gallery.picture(**{"plus:ModelReleaseStatus": "http://ns.useplus.org/ldf/vocab/MR-NON"})
        assert (await refusal(gallery.agency.offer(asset, "news", "campaign"))).reason == "RELEASES_MISSING"
        assert (await gallery.agency.offer(asset, "news")).sale.editorial_only
        license = (await gallery.agency.buy(asset_id=asset, type_id="news")).license
        await gallery.until(lambda: gallery.is_covered(license))

    async def test_a_withdrawn_picture_is_found_by_nobody_and_kept_for_its_buyers_until_it_is_offered_again(
        self, gallery: Gallery
    ) -> None:
        asset, studio = await gallery.sale(), gallery.studio
        license = await gallery.buy(asset)
        await gallery.until(lambda: studio.is_searchable(asset))
        await gallery.agency.withdraw(asset)
        await gallery.until(lambda: gallery.is_hidden(asset))
        assert (await refusal(gallery.buy(asset, "bob"))).reason == "ASSET_WITHDRAWN"
        assert (await studio.asset(asset)).hidden
        assert (await studio.download(asset))[1]
        assert (await gallery.agency.report(license.license_id, usage())).license.counted == 1
        await gallery.agency.offer(asset, asset)
        await gallery.until(lambda: studio.is_searchable(asset))
        assert await gallery.buy(asset, "bob")

    async def test_a_correction_reaches_the_case(self, gallery: Gallery) -> None:
        license = await gallery.buy(await gallery.sale(allowed=10))
        await gallery.agency.report(license.license_id, usage("u-1", 12), usage("u-2", 1, territory="US"))
        await gallery.case(license.license_id, 3)
        await gallery.agency.correct(license.license_id, "u-1", 8)
        await gallery.agency.correct(license.license_id, "u-2", 0)
        assert (await gallery.case(license.license_id, 0)).status == compliance.CASE_STATUS_OPEN

    async def test_a_case_that_nobody_takes_is_escalated_and_then_decided(self, gallery: Gallery) -> None:
        license = await gallery.buy(await gallery.sale(allowed=10))
        await gallery.agency.report(license.license_id, usage("u-1", 11))
        await gallery.case(license.license_id, 1)
        await gallery.until(lambda: gallery.has_level(license.license_id, 1))
        await gallery.team.assign(license.license_id)
        closed = await gallery.team.close(license.license_id, events.OUTCOME_DISMISSED)
        assert closed.case.status == compliance.CASE_STATUS_CLOSED

    async def test_a_renewed_license_covers_a_use_that_it_did_not_cover_before(self, gallery: Gallery) -> None:
        license = await gallery.buy(await gallery.sale(valid_for=Duration(seconds=2)))
        renewed = (await gallery.agency.renew(license.license_id)).license
        await gallery.until(lambda: _has_passed(license.ends_at.ToDatetime(UTC)))
        used = at(license.ends_at.ToDatetime(UTC) + timedelta(milliseconds=1))
        reported = await gallery.agency.report(license.license_id, usage("u-1", used_at=used))
        assert reported.judged[0].verdict == licensing.VERDICT_COUNTED
        assert renewed.ends_at.ToDatetime() == license.ends_at.ToDatetime() + timedelta(seconds=2)

    async def test_a_watcher_sees_each_alert_from_the_first_finding_to_the_outcome(self, gallery: Gallery) -> None:
        asset = await gallery.sale(allowed=10)
        watched = await gallery.team.watch(work_id=asset)
        license = await gallery.buy(asset)
        await gallery.agency.report(license.license_id, usage("u-1", 40))
        await gallery.case(license.license_id, 30)
        await gallery.team.assign(license.license_id)
        await gallery.until(lambda: len(watched.alerts) >= 2)
        await watched.leave()
        await gallery.team.close(license.license_id)
        again = await gallery.team.watch(work_id=asset, after=watched.place)
        await gallery.until(lambda: len(again.alerts) == 1)
        seen = [*watched.revisions, *again.revisions]
        assert seen == [f"case-{license.license_id}@{version}" for version in (1, 2, 3)]
        assert again.alerts[0].outcome == events.OUTCOME_SETTLED
        await again.leave()


def _has_passed(moment: datetime) -> bool:
    return datetime.now(UTC) > moment + timedelta(milliseconds=2)
