"""Crash points: only where asked, only in development, only at places that exist, and every place is reached."""

import re
from pathlib import Path

import pytest
import treaty
from treaty.probes import NoProbe
from treaty.process.crashes import PLACES, VARIABLE, crashing
from treaty.settings import SettingsError


def test_without_a_wish_nothing_is_wrapped() -> None:
    probe = NoProbe()
    assert crashing(probe, {}) is probe


@pytest.mark.parametrize("wish", ["nowhere", "relay.confirmed:soon", ":1"])
def test_a_wish_that_makes_no_sense_names_the_places(wish: str) -> None:
    with pytest.raises(SettingsError, match=r"relay\.confirmed"):
        crashing(NoProbe(), {VARIABLE: wish})


def test_outside_of_development_no_process_ends_on_purpose() -> None:
    with pytest.raises(SettingsError, match="TREATY_ENVIRONMENT"):
        crashing(NoProbe(), {VARIABLE: "relay.confirmed", "TREATY_ENVIRONMENT": "production"})


def test_the_core_reaches_every_place_and_no_other() -> None:
    folder = Path(treaty.__path__[0])
    reached = {name for path in folder.rglob("*.py") for name in re.findall(r'reach\("([a-z.]+)"\)', path.read_text())}
    assert reached == set(PLACES)


def test_a_place_that_is_passed_fewer_times_lets_the_process_live() -> None:
    probe = crashing(NoProbe(), {VARIABLE: "relay.confirmed:3"})
    for _ in range(2):
        probe.reach("relay.confirmed")
    probe.reach("relay.publishing")
