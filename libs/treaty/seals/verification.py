"""Verification: what has changed in a log since it was sealed."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import StrEnum

from treaty.commits.commit import parse_id
from treaty.seals.anchors import Anchor
from treaty.seals.seal import BEGINNING, NO_HASH, Leaf, Position, Seal, Seals, root_of

_HASH_BYTES = 32
_AHEAD_SECONDS = 60
"""How far a position may be ahead of what is settled; more is no time of the server."""


class Fault(StrEnum):
    """A fault of a commit or a seal."""

    CHANGED = "changed since it was sealed"
    MISSING = "missing since it was sealed"
    LATE = "added to a part of the log that was sealed"
    HOLE = "missing between the versions of its stream"
    STRANGER = "not in any part of the log"
    SEAL_CHANGED = "the seal does not cover what it lists"
    SEAL_MISSING = "the seal is missing"
    CHAIN = "the seal does not follow the one before"
    SIGNATURE = "the signature is not that of the key"
    ANCHOR = "the seal is not the one that was anchored"
    ANCHORED_TWICE = "several seals with this number were anchored"
    FUTURE = "has a position in the future"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, what has it (the id of a commit, or `seal n`), and the number of the seal; 0 for none."""

    fault: Fault
    what: str
    seal: int = 0


@dataclass(slots=True)
class Verdict:
    """The result of a verification.

    Attributes:
        seals, sealed: the numbers of seals, and of the commits that they cover.
        open: the number of commits that are not sealed yet; what happens to those is not seen.
        anchored: the number of the highest seal that an anchor confirms, or 0.
    """

    context: str
    seals: int = 0
    sealed: int = 0
    open: int = 0
    anchored: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def valid(self) -> bool:
        return not self.findings


async def verify(
    context: str, seals: Seals, *, anchors: Sequence[Anchor] = (), verifies: Callable[[str, str], bool] | None = None
) -> Verdict:
    """Compares the log of a context with its seals, and the seals with anchors and signatures.

    Args:
        anchors: those of other contexts are passed over.
        verifies: (hash, signature) → whether the signature is right; without it, signatures are not looked at.

    Raises:
        StoreAway
    """
    known: dict[int, set[str]] = {}
    for anchor in anchors:
        if anchor.context == context:
            known.setdefault(anchor.number, set()).add(anchor.hash)
    check = _Check(seals, Verdict(context), verifies, known, (await seals.settled())[0] + _AHEAD_SECONDS)
    await check.run()
    return check.verdict


@dataclass(slots=True)
class _Check:
    seals: Seals
    verdict: Verdict
    verifies: Callable[[str, str], bool] | None
    anchors: Mapping[int, Set[str]]
    latest: int
    _streams: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By stream: the number of its commits, and the highest version."""

    async def run(self) -> None:
        number, before, until = 0, NO_HASH, BEGINNING
        async for seal in self.seals.all():
            if seal.number > number + 1:
                self._find(Fault.SEAL_MISSING, _span(number + 1, seal.number - 1), number + 1)
            if seal.after > until:  # the seals of this part are gone
                await self._pass(until, seal.after)
            follows = seal.number != number + 1 or (seal.before == before and seal.after == until)
            self._look_at(seal, follows=follows)
            await self._compare(seal)
            number, before, until = seal.number, seal.hash, max(until, seal.until)
            self.verdict.seals += 1
            self.verdict.sealed += len(seal.ids)
        for missing in sorted(each for each in self.anchors if each > number):
            self._find(Fault.SEAL_MISSING, f"seal {missing}", missing)
        for twice in sorted(each for each, hashes in self.anchors.items() if len(hashes) > 1):
            self._find(Fault.ANCHORED_TWICE, f"seal {twice}", twice)
        await self._pass(until, None)
        for id in await self.seals.strangers():
            self._find(Fault.STRANGER, id)
        self._find_holes()

    async def _pass(self, after: Position, until: Position | None) -> None:
        """Counts commits that no seal covers."""
        async for leaf in self.seals.leaves(after, until):
            self.verdict.open += 1
            self._count(leaf.id)
            if leaf.position[0] > self.latest:
                self._find(Fault.FUTURE, leaf.id)

    def _look_at(self, seal: Seal, *, follows: bool) -> None:
        """Checks a seal by itself and against the one before, its anchor and the key."""
        name = f"seal {seal.number}"
        if seal.context != self.verdict.context or not _is_whole(seal):
            self._find(Fault.SEAL_CHANGED, name, seal.number)
        if not follows:
            self._find(Fault.CHAIN, name, seal.number)
        if self.verifies is not None and not self.verifies(seal.hash, seal.signature):
            self._find(Fault.SIGNATURE, name, seal.number)
        anchored = self.anchors.get(seal.number, frozenset())
        if seal.hash in anchored:
            self.verdict.anchored = seal.number
        elif anchored:
            self._find(Fault.ANCHOR, name, seal.number)

    async def _compare(self, seal: Seal) -> None:
        """Compares the commits of a part of the log with its seal."""
        left = dict(zip(seal.ids, _hashes_of(seal), strict=False))
        async for leaf in self._counted(seal.after, seal.until):
            known = left.pop(leaf.id, None)
            if known is None:
                self._find(Fault.LATE, leaf.id, seal.number)
            elif known != leaf.hash:
                self._find(Fault.CHANGED, leaf.id, seal.number)
        for id in left:
            moved = await self.seals.holds(id)
            self._find(Fault.CHANGED if moved else Fault.MISSING, id, seal.number)

    async def _counted(self, after: Position, until: Position) -> AsyncIterator[Leaf]:
        async for leaf in self.seals.leaves(after, until):
            self._count(leaf.id)
            yield leaf

    def _count(self, id: str) -> None:
        parsed = parse_id(id)
        if parsed is None:
            self._find(Fault.STRANGER, id)
            return
        stream, version = parsed
        count, highest = self._streams.get(stream, (0, 0))
        self._streams[stream] = (count + 1, max(highest, version))

    def _find_holes(self) -> None:
        for stream, (count, highest) in self._streams.items():
            if count != highest:
                self._find(Fault.HOLE, f"{stream}: {highest - count} of {highest} versions")

    def _find(self, fault: Fault, what: str, seal: int = 0) -> None:
        self.verdict.findings.append(Finding(fault, what, seal))


def _span(first: int, last: int) -> str:
    return f"seal {first}" if first == last else f"seals {first} to {last}"


def _is_whole(seal: Seal) -> bool:
    """Whether the root of a seal is that of its leaves, and the leaves are as many as its ids."""
    hashes = _hashes_of(seal)
    return len(seal.leaves) == _HASH_BYTES * len(seal.ids) and root_of(hashes).hex() == seal.root


def _hashes_of(seal: Seal) -> list[bytes]:
    return [seal.leaves[at : at + _HASH_BYTES] for at in range(0, len(seal.leaves), _HASH_BYTES)]
