"""The terms of license types: each model has its rules."""

from datetime import timedelta
from typing import Any

import pytest
from treaty.domain import Invalid, NotFound
from treaty.testing.scenarios import given

from services.media.licensing.domain.events import LicenseTypeDefined
from services.media.licensing.domain.license_type import LicenseType
from services.media.licensing.domain.terms import WORLD, Medium, Model, Period, check_terms
from services.media.money import Money
from tests.services.media.licensing.terms import NOW, ROYALTY_FREE, scope, terms

COMP = {"model": Model.COMP, "scope": scope(WORLD, media=(Medium.LAYOUT,))}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"allowed": 0}, "allowed"),
        ({"valid_for": timedelta(0)}, "valid_for"),
        ({"valid_for": None}, "valid_for"),
        ({"scope": scope(media=())}, "territories"),
        ({"scope": scope(WORLD, "DE")}, "territories"),
        ({"model": Model.ROYALTY_FREE, "scope": scope(WORLD)}, "valid_for"),
        ({"model": Model.ROYALTY_FREE, "valid_for": None}, "territories"),
        ({"model": Model.ROYALTY_FREE, "valid_for": None, "scope": scope(WORLD), "exclusive": True}, "exclusive"),
        ({"model": Model.EDITORIAL, "exclusive": True}, "exclusive"),
        ({"model": Model.EDITORIAL, "scope": scope(media=(Medium.WEB, Medium.ADVERTISING))}, "media"),
        ({"model": Model.COMP}, "media"),
        ({**COMP, "valid_for": timedelta(days=31)}, "valid_for"),
    ],
)
def test_terms_that_their_model_does_not_have_are_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_terms(terms(**values))
    assert refused.value.field == field


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"exclusive": True},
        {"model": Model.EDITORIAL, "valid_for": None},
        {**COMP, "price": Money(0, "EUR"), "valid_for": timedelta(days=30)},
    ],
)
def test_terms_that_their_model_has_are_accepted(values: dict[str, Any]) -> None:
    check_terms(terms(**values))
    check_terms(ROYALTY_FREE)


def test_the_world_contains_every_territory_and_overlaps_each() -> None:
    assert scope(WORLD).contains(scope("JP"))
    assert scope(WORLD).overlaps(scope("JP"))
    assert scope("JP").overlaps(scope(WORLD))
    assert not scope("DE").contains(scope(WORLD))


def test_scopes_overlap_only_if_they_share_a_territory_and_a_medium() -> None:
    assert scope("DE", "FR").overlaps(scope("FR", "IT"))
    assert not scope("DE").overlaps(scope("FR"))
    assert not scope("DE").overlaps(scope("DE", media=(Medium.PRINT,)))


def test_a_period_has_its_start_and_not_its_end() -> None:
    period, day = Period(starts_at=NOW, ends_at=NOW + timedelta(days=1)), timedelta(days=1)
    assert period.has(NOW)
    assert not period.has(NOW + day)
    after = Period(starts_at=NOW + day)
    assert not period.overlaps(after)
    assert period.touches(after)
    assert after.overlaps(Period(starts_at=NOW + 100 * day))


def test_a_type_is_defined_again_only_if_it_changes() -> None:
    defined = LicenseTypeDefined(name="Web", terms=terms())
    given(LicenseType, "web").when(lambda it: it.define("Web", terms())).then([defined])
    given(LicenseType, "web", [defined]).when(lambda it: it.define("Web", terms())).then_nothing()
    dearer = terms(price=Money(1, "EUR"))
    given(LicenseType, "web", [defined]).when(lambda it: it.define("Web", dearer)).then(
        [LicenseTypeDefined(name="Web", terms=dearer)]
    )


def test_a_type_without_a_definition_is_not_found() -> None:
    with pytest.raises(NotFound):
        LicenseType(id="web").known_terms()


@pytest.mark.parametrize(("units", "currency"), [(-1, "EUR"), (10**12 + 1, "EUR"), (1, "XAU")])
def test_a_price_in_another_currency_or_out_of_bounds_is_refused(units: int, currency: str) -> None:
    with pytest.raises(Invalid):
        Money(units, currency)


def test_money_is_shown_in_the_decimals_of_its_currency() -> None:
    assert str(Money(1250, "GBP")) == "12.50 GBP"
    assert str(Money(1250, "JPY")) == "1250 JPY"
