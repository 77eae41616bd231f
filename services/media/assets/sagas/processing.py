"""The processing of an asset: inspect its picture, index it, make it ready.

Each step is a durable call, which is made until it is done. The facts may arrive in any order and more than once: what
counts is the farthest step that was reached. A step that takes too long makes the run stuck: it is shown as stuck until
the step is done after all, or a person lets it try again or ends it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import IntEnum

from treaty.domain import Call


class Step(IntEnum):
    """The steps that an asset has reached, in their order."""

    NONE = 0
    UPLOADED = 1
    INSPECTED = 2
    INDEXED = 3
    ENDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReached:
    """An asset has come to a step; `step` is the number of a `Step`."""

    asset_id: str
    step: int
    within: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOverdue:
    """The step after this one was not reached in time."""

    asset_id: str
    step: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingResumed:
    asset_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessingAbandoned:
    asset_id: str
    reason: str


ProcessingFact = StepReached | StepOverdue | ProcessingResumed | ProcessingAbandoned


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectAsset:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAsset:
    asset_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeAssetReady:
    asset_id: str


Command = InspectAsset | IndexAsset | MakeAssetReady | Call

_NEXT: Mapping[Step, Callable[[str], Command]] = {
    Step.UPLOADED: lambda asset_id: InspectAsset(asset_id=asset_id),
    Step.INSPECTED: lambda asset_id: IndexAsset(asset_id=asset_id),
    Step.INDEXED: lambda asset_id: MakeAssetReady(asset_id=asset_id),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """The state of a processing: the farthest step, and how often the step after it was begun."""

    step: int = 0
    attempt: int = 0
    within: timedelta = timedelta(0)
    abandoned: bool = False
    stuck: str = ""

    @property
    def ended(self) -> bool:
        return self.abandoned or self.step == Step.ENDED


def process(state: Processing, fact: ProcessingFact) -> tuple[Processing, Sequence[Command]]:
    """Begins the step after the farthest one that was reached."""
    match fact:
        case StepReached():
            return _reached(state, fact)
        case StepOverdue():
            return _overdue(state, fact), ()
        case ProcessingResumed():
            return _begun(replace(state, stuck=""), fact.asset_id) if state.stuck else (state, ())
        case ProcessingAbandoned():
            return replace(state, abandoned=True, stuck=""), ()


def _reached(state: Processing, fact: StepReached) -> tuple[Processing, Sequence[Command]]:
    if fact.step <= state.step:
        return state, ()
    after = replace(state, step=fact.step, attempt=0, within=fact.within, stuck="")
    return (after, ()) if after.ended else _begun(after, fact.asset_id)


def _begun(state: Processing, asset_id: str) -> tuple[Processing, Sequence[Command]]:
    """Begins the next step, and sets its deadline."""
    attempt = state.attempt + 1
    overdue = StepOverdue(asset_id=asset_id, step=state.step, attempt=attempt)
    command: Command = _NEXT[Step(state.step)](asset_id)
    return replace(state, attempt=attempt), [command, Call(overdue, after=state.within)]


def _overdue(state: Processing, fact: StepOverdue) -> Processing:
    if state.ended or (fact.step, fact.attempt) != (state.step, state.attempt):
        return state
    return replace(state, stuck=f"the step after {Step(state.step).name.lower()} was not done in time")
