"""Crash points: named places in the core where a test lets a process end at once, as a power cut would.

The core says `probe.reach("relay.confirmed")`; nobody listens, unless TREATY_CRASH_AT names the place and the hit at
which the process is to end: `relay.confirmed:2`.
"""

import os
from collections.abc import Mapping
from typing import NoReturn

from treaty.probes import Forwarding, Probe
from treaty.settings import SettingsError

VARIABLE = "TREATY_CRASH_AT"
EXIT_CODE = 137
"""What a process that was killed with -9 ends with, as a shell tells it."""

PLACES: Mapping[str, str] = {
    "commit.decided": "a command was decided, nothing was sent",
    "commit.sending": "a batch of commits is about to leave",
    "commit.stored": "the store has answered for a batch, nobody was told",
    "commit.durable": "a commit is durable, its callers have no answer",
    "relay.publishing": "an event is about to be published",
    "relay.confirmed": "the broker has confirmed an event, nothing remembers that",
    "checkpoint.saving": "places are about to be saved",
    "checkpoint.saved": "places were saved",
    "call.making": "a call is about to be made",
    "call.made": "a call was made, nothing remembers that",
    "pending.adding": "work is about to be parked",
    "pending.added": "work was parked, the checkpoint has not passed it",
    "pending.done": "parked work was done, and is still parked",
    "saga.telling": "a saga is about to be told a fact",
    "saga.told": "a saga's commit is durable, who told it does not know",
    "projection.storing": "rows are about to be stored",
    "projection.stored": "rows were stored, the checkpoint has not passed them",
    "consumer.handling": "a message is about to be handled",
    "consumer.handled": "a message took effect, it is not acknowledged",
    "consumer.acknowledged": "a message was acknowledged",
    "quarantine.adding": "a message is about to move to quarantine",
    "quarantine.added": "a message is in quarantine, and not acknowledged",
    "quarantine.releasing": "a message is about to be tried again",
    "quarantine.handled": "a message took effect, and is still in quarantine",
}


def crashing(probe: Probe, environ: Mapping[str, str]) -> Probe:
    """Returns the probe, or one that ends the process where TREATY_CRASH_AT says.

    Raises:
        SettingsError: if there is no such place, or this is not a development environment.
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
    """Ends the process at the n-th time that a place is reached."""

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
