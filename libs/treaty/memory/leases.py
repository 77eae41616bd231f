"""Leases and checkpoints in memory."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from treaty.clock import Clock
from treaty.commits.log import Place
from treaty.followers.leases import Holder, LeaseLost


class MemoryLeases:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, tuple[str, Any, int]] = {}

    async def acquire(self, name: str, owner: str, seconds: float) -> int | None:
        now = self._clock.now()
        holder, until, epoch = self._held.get(name, ("", now, 0))
        if holder not in ("", owner) and until > now:
            return None
        epoch += holder != owner
        self._held[name] = (owner, now + timedelta(seconds=seconds), epoch)
        return epoch

    async def renew(self, owners: Mapping[str, str], seconds: float) -> Collection[str]:
        until = self._clock.now() + timedelta(seconds=seconds)
        kept = [name for name, owner in owners.items() if self._held.get(name, ("", until, 0))[0] == owner]
        for name in kept:
            self._held[name] = (owners[name], until, self._held[name][2])
        return kept

    async def release(self, name: str, owner: str) -> None:
        holder, _, epoch = self._held.get(name, ("", None, 0))
        if holder == owner:
            self._held[name] = ("", self._clock.now(), epoch)

    async def holders(self) -> Mapping[str, Holder]:
        now = self._clock.now()
        held = {
            name: Holder(owner=owner, epoch=epoch, until=until) for name, (owner, until, epoch) in self._held.items()
        }
        return {name: holder for name, holder in held.items() if holder.owner and holder.until > now}


class MemoryCheckpoints:
    def __init__(self) -> None:
        self._places: dict[str, Place] = {}
        self._epochs: dict[str, int] = {}
        self._errors: dict[str, str] = {}

    async def load(self) -> Mapping[str, Place]:
        return dict(self._places)

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        newest = max((self._epochs.get(name, 0) for name in places), default=0)
        if epoch < newest:
            raise LeaseLost(f"epoch {epoch} is over; it is {newest} now")
        self._epochs.update(dict.fromkeys(places, epoch))
        for name, place in places.items():
            self._places[name] = max(self._places.get(name, place), place, key=lambda one: (one.position, one.token))

    async def note(self, name: str, error: str) -> None:
        self._errors[name] = error

    async def halted(self) -> Mapping[str, str]:
        return {name: error for name, error in self._errors.items() if error}

    async def forget(self, names: Sequence[str]) -> None:
        for name in names:
            self._places.pop(name, None)
            self._errors.pop(name, None)
