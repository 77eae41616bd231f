"""The sale of an asset: exclusive rights are granted once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from treaty.domain import Call, Conflict, Invalid, Rejected
from treaty.testing.scenarios import given

from services.media.licensing.application.commands import TellLicensees
from services.media.licensing.application.licenses import TOLD_AGAIN, follow_sale
from services.media.licensing.domain.events import (
    AssetBecameReady,
    AssetOffered,
    AssetWithdrawn,
    LicenseesTold,
    RightProlonged,
)
from services.media.licensing.domain.sale import Right, Sale
from services.media.licensing.domain.terms import WORLD, Medium, Model, Scope, Terms
from tests.services.media.licensing.terms import EXCLUSIVE, MONTH, NOW, ROYALTY_FREE, right, scope, terms

READY = AssetBecameReady(editorial_only=False)
OFFERED = AssetOffered(type_ids=("web",), embargo_until=None)

NEWS = terms(model=Model.EDITORIAL)


def grant(sold: Terms | None = None, **values: Any) -> Callable[[Sale], None]:
    wanted = sold or terms()
    known = {"license_id": "l-2", "buyer_id": "bob", "type_id": "web", "scope": wanted.scope, "starts_at": NOW}
    return lambda sale: sale.grant(**{**known, "terms": wanted, "now": NOW, **values})


def prolong(**values: Any) -> Callable[[Sale], None]:
    known = {"license_id": "l-1", "renewal_id": "r-1", "type_id": "web", "terms": terms(), "scope": terms().scope}
    return lambda sale: sale.prolong(**{**known, "ends_at": NOW + MONTH, "now": NOW + timedelta(days=1), **values})


def test_a_right_is_granted_for_the_period_of_its_type() -> None:
    granted = right("l-2", buyer_id="bob")
    sale = given(Sale, "sunset", [OFFERED]).when(grant()).then([granted])
    assert granted.period.ends_at == NOW + MONTH
    assert sale.rights == (Right(scope=granted.scope, period=granted.period, exclusive=False),)


def test_an_offer_without_types_is_refused_and_the_same_offer_changes_nothing() -> None:
    given(Sale, "sunset", [READY]).when(lambda it: it.offer({}, None)).then_raises(Invalid)
    given(Sale, "sunset", [READY, OFFERED]).when(lambda it: it.offer({"web": terms()}, None)).then_nothing()


def test_an_asset_is_offered_once_it_is_ready() -> None:
    given(Sale, "sunset").when(lambda it: it.offer({"web": terms()}, None)).then_raises(Rejected, "ASSET_NOT_READY")
    given(Sale, "sunset").when(lambda it: it.make_ready(editorial_only=False)).then([READY])
    given(Sale, "sunset", [READY]).when(lambda it: it.make_ready(editorial_only=False)).then_nothing()
    given(Sale, "sunset", [READY]).when(lambda it: it.offer({"web": terms()}, None)).then([OFFERED])
    given(Sale, "sunset", [READY]).when(grant()).then_raises(Rejected, "ASSET_NOT_OFFERED")


def test_a_sale_from_before_readiness_was_recorded_goes_on_and_its_offer_changes_when_the_asset_is_ready() -> None:
    assert given(Sale, "sunset", [OFFERED]).when(grant()).events
    given(Sale, "sunset", [OFFERED]).when(lambda it: it.offer({"web": terms()}, None)).then_nothing()
    other = {"print": terms()}
    given(Sale, "sunset", [OFFERED]).when(lambda it: it.offer(other, None)).then_raises(Rejected, "ASSET_NOT_READY")
    assert given(Sale, "sunset", [OFFERED, READY]).when(lambda it: it.offer(other, None)).events


@pytest.mark.parametrize("model", [Model.EDITORIAL, Model.COMP])
def test_without_releases_an_asset_is_sold_for_news_and_for_layouts_that_are_not_published(model: Model) -> None:
    limited, sold = AssetBecameReady(editorial_only=True), terms(model=model)
    given(Sale, "sunset", [limited]).when(lambda it: it.offer({"web": sold}, None)).then([OFFERED])
    assert given(Sale, "sunset", [limited, OFFERED]).when(grant(sold)).events


@pytest.mark.parametrize("sold", [terms(), ROYALTY_FREE, EXCLUSIVE])
def test_without_releases_no_other_right_is_offered_granted_or_prolonged(sold: Terms) -> None:
    limited = AssetBecameReady(editorial_only=True)
    offered = given(Sale, "sunset", [limited]).when(lambda it: it.offer({"news": NEWS, "web": sold}, None))
    offered.then_raises(Rejected, "RELEASES_MISSING")
    past = [OFFERED, right(sold=sold), limited]
    given(Sale, "sunset", past).when(grant(sold)).then_raises(Rejected, "RELEASES_MISSING")
    given(Sale, "sunset", past).when(prolong(terms=sold)).then_raises(Rejected, "RELEASES_MISSING")


def test_a_withdrawn_asset_is_not_sold_until_it_is_offered_again() -> None:
    withdrawn = [READY, OFFERED, AssetWithdrawn(reason="no release")]
    given(Sale, "sunset", [READY, OFFERED]).when(lambda it: it.withdraw("no release")).then(withdrawn[2:])
    given(Sale, "sunset", withdrawn).when(lambda it: it.withdraw("again")).then_nothing()
    given(Sale, "sunset", withdrawn).when(grant()).then_raises(Rejected, "ASSET_WITHDRAWN")
    given(Sale, "sunset", [*withdrawn, right()]).when(prolong()).then_raises(Rejected, "ASSET_WITHDRAWN")
    assert (
        not given(Sale, "sunset", withdrawn).when(lambda it: it.offer({"web": terms()}, None)).then([OFFERED]).withdrawn
    )
    given(Sale, "sunset").when(lambda it: it.withdraw("never offered")).then_raises(Rejected, "ASSET_NOT_OFFERED")


def test_licensees_are_told_further_until_the_asset_is_offered_again() -> None:
    withdrawn = [READY, OFFERED, AssetWithdrawn(reason="no release")]
    told = LicenseesTold(withdrawal=1, purchased_at=NOW, license_id="l-1")
    given(Sale, "sunset", withdrawn).when(lambda it: it.note_told(1, NOW, "l-1")).then([told])
    given(Sale, "sunset", [*withdrawn, OFFERED]).when(lambda it: it.note_told(1, NOW, "l-1")).then_nothing()
    twice = [*withdrawn, OFFERED, AssetWithdrawn(reason="again")]
    given(Sale, "sunset", twice).when(lambda it: it.note_told(1, NOW, "l-1")).then_nothing()
    assert given(Sale, "sunset", twice).state.is_withdrawn_by(2)


def test_licensees_are_told_of_a_withdrawal_at_once_and_again_when_all_licenses_are_listed() -> None:
    withdrawn = AssetWithdrawn(reason="no release")
    sale = given(Sale, "sunset", [READY, OFFERED, withdrawn]).state
    tell = TellLicensees(asset_id="sunset", withdrawal=1)
    assert list(follow_sale(sale, withdrawn)) == [Call(tell), Call(tell, after=TOLD_AGAIN)]


def test_no_license_starts_before_the_embargo_ends() -> None:
    until = NOW + timedelta(days=3)
    embargoed = [AssetOffered(type_ids=("web",), embargo_until=until)]
    early = given(Sale, "sunset", embargoed).when(grant(starts_at=until - timedelta(milliseconds=1)))
    early.then_raises(Rejected, "ASSET_EMBARGOED")
    assert given(Sale, "sunset", embargoed).when(grant(starts_at=until)).events


def test_a_license_does_not_start_before_it_is_purchased() -> None:
    early = given(Sale, "sunset", [OFFERED]).when(grant(starts_at=NOW - timedelta(milliseconds=1)))
    assert early.then_raises(Invalid).field == "starts_at"


def test_a_type_that_is_not_offered_and_a_scope_that_it_does_not_have_are_refused() -> None:
    given(Sale, "sunset", [OFFERED]).when(grant(type_id="print")).then_raises(Rejected, "LICENSE_TYPE_NOT_OFFERED")
    given(Sale, "sunset", [OFFERED]).when(grant(scope=scope("US"))).then_raises(Invalid)


@pytest.mark.parametrize("sold", [terms(), ROYALTY_FREE, EXCLUSIVE])
def test_an_exclusive_right_is_not_granted_beside_any_right_that_overlaps(sold: Terms) -> None:
    past = [OFFERED, right(sold=sold)]
    given(Sale, "sunset", past).when(grant(EXCLUSIVE)).then_raises(Rejected)


def test_no_right_is_granted_beside_an_exclusive_one_that_overlaps() -> None:
    refused = given(Sale, "sunset", [OFFERED, right(sold=EXCLUSIVE)]).when(grant())
    assert refused.then_raises(Rejected, "EXCLUSIVELY_LICENSED").details == {"until": "until 2026-03-31T12:00:00Z"}


@pytest.mark.parametrize(
    ("elsewhere", "starts_at"),
    [
        (scope("IT"), NOW),
        (scope("DE", media=(Medium.PRINT,)), NOW),
        (scope("DE"), NOW + MONTH),
    ],
)
def test_exclusive_rights_in_another_territory_medium_or_period_are_granted(elsewhere: Scope, starts_at: Any) -> None:
    other = terms(exclusive=True, scope=elsewhere)
    past = [OFFERED, right(sold=EXCLUSIVE)]
    assert given(Sale, "sunset", past).when(grant(other, starts_at=starts_at)).events


def test_a_worldwide_right_overlaps_each_territory() -> None:
    world = terms(exclusive=True, scope=scope(WORLD))
    given(Sale, "sunset", [OFFERED, right()]).when(grant(world)).then_raises(Rejected, "LICENSED_ALREADY")
    past = [OFFERED, right(sold=world)]
    given(Sale, "sunset", past).when(grant(terms(scope=scope("JP")))).then_raises(Rejected, "EXCLUSIVELY_LICENSED")


def test_many_buyers_of_one_scope_are_kept_as_one_right_with_the_latest_end() -> None:
    ends = [NOW + timedelta(days=day) for day in (30, 10, 55)]
    rights = [right(f"l-{n}", sold=terms(valid_for=end - NOW)) for n, end in enumerate(ends)]
    sale = given(Sale, "sunset", [OFFERED, *rights]).state
    [kept] = sale.rights
    assert (kept.period.starts_at, kept.period.ends_at) == (NOW, ends[2])


def test_rights_with_a_gap_between_them_leave_the_gap_free() -> None:
    later = right("l-3", period=terms().period_from(NOW + 3 * MONTH))
    past = [OFFERED, right(), later]
    assert given(Sale, "sunset", past).when(grant(EXCLUSIVE, starts_at=NOW + MONTH)).events
    refused = given(Sale, "sunset", past).when(grant(EXCLUSIVE, starts_at=NOW + 2 * MONTH + timedelta(seconds=1)))
    refused.then_raises(Rejected, "LICENSED_ALREADY")


def test_rights_that_have_ended_are_forgotten_with_the_next_grant() -> None:
    then = NOW + 2 * MONTH
    after = given(Sale, "sunset", [OFFERED, right()]).when(grant(starts_at=then, now=then)).state
    assert [kept.period.starts_at for kept in after.rights] == [then]


def test_a_license_is_prolonged_from_its_end_and_once() -> None:
    prolonged = RightProlonged(
        license_id="l-1",
        renewal_id="r-1",
        terms=terms(),
        scope=terms().scope,
        period=terms().period_from(NOW + MONTH),
        granted_at=NOW + timedelta(days=1),
    )
    past = [OFFERED, right()]
    given(Sale, "sunset", past).when(prolong()).then([prolonged])
    twice = given(Sale, "sunset", [*past, prolonged]).when(prolong(renewal_id="r-2"))
    twice.then_raises(Conflict, "RENEWED_ALREADY")
    assert given(Sale, "sunset", [*past, prolonged]).when(prolong(license_id="l-2", renewal_id="r-2")).events


def test_an_exclusive_license_is_prolonged_unless_the_time_after_it_is_sold() -> None:
    sold = [OFFERED, right(sold=EXCLUSIVE)]
    assert given(Sale, "sunset", sold).when(prolong(terms=EXCLUSIVE)).events
    next_month = right("l-2", sold=EXCLUSIVE, period=terms().period_from(NOW + MONTH))
    late = given(Sale, "sunset", [*sold, next_month]).when(prolong(terms=EXCLUSIVE))
    late.then_raises(Rejected, "EXCLUSIVELY_LICENSED")


def test_an_ended_license_is_not_prolonged() -> None:
    late = given(Sale, "sunset", [OFFERED, right()]).when(prolong(now=NOW + MONTH))
    late.then_raises(Rejected, "LICENSE_EXPIRED")
