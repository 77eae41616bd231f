"""Crash points: named places in the core at which a test can end the process at once, as a power cut would.

The core calls `probe.reach("relay.confirmed")`. The call has no effect unless TREATY_CRASH_AT names the place and the
number of the hit that ends the process: `relay.confirmed:2`.
"""

import os
from collections.abc import Mapping
from typing import NoReturn

from treaty.probes import Forwarding, Probe
from treaty.settings import SettingsError

VARIABLE = "TREATY_CRASH_AT"
EXIT_CODE = 137
"""The exit code that a shell shows for a process that was killed with -9."""

PLACES: Mapping[str, str] = {
    "commit.decided": "a command was decided; nothing was sent",
    "commit.sending": "a batch of commits is about to be sent",
    "commit.stored": "the store has returned the outcomes of a batch; the callers have no answer",
    "commit.durable": "a commit is durable; its callers have no answer",
    "relay.publishing": "an event is about to be published",
    "relay.confirmed": "the broker has confirmed an event; that is not recorded yet",
    "checkpoint.saving": "places are about to be saved",
    "checkpoint.saved": "places were saved",
    "call.making": "a call is about to be made",
    "call.made": "a call was made; that is not recorded yet",
    "pending.adding": "work is about to be added to the pending work",
    "pending.added": "work was added to the pending work; the checkpoint has not passed it",
    "pending.done": "pending work was done; it is not removed yet",
    "saga.telling": "a fact is about to be sent to a saga",
    "saga.told": "a saga's commit is durable; the caller has no answer",
    "projection.storing": "rows are about to be stored",
    "projection.stored": "rows were stored; the checkpoint has not passed them",
    "consumer.handling": "a message is about to be handled",
    "consumer.handled": "a message took effect; it is not acknowledged",
    "consumer.acknowledged": "a message was acknowledged",
    "quarantine.adding": "a message is about to be put into quarantine",
    "quarantine.added": "a message is in quarantine; it is not acknowledged",
    "quarantine.releasing": "a message in quarantine is about to be tried again",
    "quarantine.handled": "a message took effect; it is still in quarantine",
}


def crashing(probe: Probe, environ: Mapping[str, str]) -> Probe:
    """Returns the probe, or a probe that ends the process at the place that TREATY_CRASH_AT names.

    Raises:
        SettingsError: if there is no such place, or the environment is not `dev`.
    """
    wish = environ.get(VARIABLE, "")
    if not wish:
        return probe
    if environ.get("TREATY_ENVIRONMENT", "dev") != "dev":
        raise SettingsError(f"{VARIABLE} is for tests: it must not be set where TREATY_ENVIRONMENT is not dev")
    place, _, hit = wish.partition(":")
    if place not in PLACES or not (hit or "1").isdecimal():
        raise SettingsError(f"{VARIABLE}: {wish!r} is not <place>:<hit>; the places are {', '.join(PLACES)}")
    return _Crashing(probe, place, int(hit or "1"))


class _Crashing(Forwarding):
    """Ends the process when a place is reached for the n-th time."""

    def __init__(self, probe: Probe, place: str, hit: int) -> None:
        super().__init__(probe)
        self._place, self._left = place, hit

    def reach(self, place: str) -> None:
        if place == self._place:
            self._left -= 1
            if not self._left:
                _end()


def _end() -> NoReturn:
    os._exit(EXIT_CODE)
