"""The sealer: it seals the commits of a context, while this process holds the lease of the followers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import structlog

from treaty.commits.log import StoreAway
from treaty.seals.anchors import Anchors
from treaty.seals.seal import BEGINNING, NO_HASH, Leaf, Position, Seal, Seals, SealTaken, root_of
from treaty.seals.signatures import signer
from treaty.settings import ProcessSettings
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

MOST = 10_000
"""The number of commits that a seal covers, at most; more only if they have one and the same position."""


class ChainCut(Exception):
    """Somebody removed the last seal, or put another one in its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """Seals what is settled.

    Attributes:
        sign: returns the signature of a seal's hash; an empty one without a key.
        anchors: where the hash of each seal is told.
        every: seconds between two looks.
    """

    context: str
    seals: Seals
    sign: Callable[[str], str]
    anchors: Anchors
    surroundings: Surroundings
    every: float = 60.0
    _own: list[Seal] = field(default_factory=list)
    """The last seal that this process made or found, once it has looked."""

    async def run(self) -> None:
        """Seals again and again, until it is cancelled."""
        while True:
            try:
                await self.seal()
            except SealTaken:
                logger.info("another process has sealed", context=self.context)
            except StoreAway as away:
                logger.warning("nothing can be sealed now", context=self.context, why=str(away))
            except ChainCut as cut:
                logger.error("the chain of seals was cut", context=self.context, why=str(cut))
            except Exception:
                logger.exception("nothing can be sealed now", context=self.context)
            await asyncio.sleep(self.surroundings.chance.jitter(self.every))

    async def seal(self) -> int:
        """Seals everything that is settled; returns the number of commits.

        Raises:
            SealTaken: if another process seals at the same time. Nothing is wrong then.
            StoreAway
        """
        last, until, sealed = await self.seals.last(), await self.seals.settled(), 0
        self._check_continues(last)
        await self._look_back(last)
        while seal := await self._next(last, until):
            await self.seals.add(seal)
            self.anchors.tell(seal)
            self.surroundings.probe.count("treaty.seals.commits", len(seal.ids))
            sealed += len(seal.ids)
            last = seal
        self._own[:] = [last] if last else []
        return sealed

    def _check_continues(self, last: Seal | None) -> None:
        """Raises ChainCut if the last seal that this process knows is gone: sealing again would hide it."""
        for own in self._own:
            if last is None or last.number < own.number or (last.number == own.number and last.hash != own.hash):
                self.surroundings.probe.gauge("treaty.seals.changed", 1)
                raise ChainCut(f"the seal {own.number} of {self.context} is gone: nothing is sealed over it")

    async def _next(self, last: Seal | None, until: Position) -> Seal | None:
        """Returns the next seal; None if nothing is to be sealed."""
        after = last.until if last else BEGINNING
        leaves = await self._leaves(after, until) if until > after else []
        if not leaves:
            return None
        seal = Seal(
            context=self.context,
            number=last.number + 1 if last else 1,
            after=after,
            until=leaves[-1].position,
            ids=[leaf.id for leaf in leaves],
            leaves=b"".join(leaf.hash for leaf in leaves),
            root=root_of([leaf.hash for leaf in leaves]).hex(),
            before=last.hash if last else NO_HASH,
            sealed_at=datetime.fromtimestamp(int(self.surroundings.clock.now().timestamp()), UTC),
        )
        return seal.signed(self.sign(seal.hash))

    async def _leaves(self, after: Position, until: Position) -> list[Leaf]:
        """Returns the next commits; those that have one position are together."""
        found: list[Leaf] = []
        async for leaf in self.seals.leaves(after, until):
            if len(found) >= MOST and leaf.position != found[-1].position:
                break
            found.append(leaf)
        return found

    async def _look_back(self, last: Seal | None) -> None:
        """Reads the commits of the last seal once more. A commit that came late among them is told, never sealed."""
        if last is None:
            return
        found = [leaf.hash async for leaf in self.seals.leaves(last.after, last.until)]
        changed = root_of(found).hex() != last.root
        self.surroundings.probe.gauge("treaty.seals.changed", int(changed))
        if changed:
            logger.error(
                "commits that were sealed have changed; `treaty audit verify` says which",
                context=self.context,
                seal=last.number,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """The part of the settings that is about seals."""

    sign: Callable[[str], str] = field(default_factory=lambda: signer(""))
    anchors: Anchors = field(default_factory=Anchors)
    every: float = 60.0

    @classmethod
    def of(cls, settings: ProcessSettings) -> "Sealing":
        """Raises SettingsError if the key is none."""
        file = Path(settings.seal_anchors) if settings.seal_anchors else None
        return cls(
            sign=signer(settings.seal_key.get_secret_value()), anchors=Anchors(file), every=settings.seal_seconds
        )

    def sealer(self, context: str, seals: Seals, surroundings: Surroundings) -> Sealer:
        """Returns the sealer of a context."""
        return Sealer(
            context=context,
            seals=seals,
            sign=self.sign,
            anchors=self.anchors,
            surroundings=surroundings,
            every=self.every,
        )
