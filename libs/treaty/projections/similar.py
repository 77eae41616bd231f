"""Similar rows: those whose 64-bit hash is near another one, such as the perceptual hashes of pictures.

The distance of two hashes is the number of bits in which they differ. A row has the four parts of its hash. If two
hashes differ in at most 11 bits, then one of their parts differs in at most two; so an index of parts finds every row
that is near enough, and nothing has to be kept in memory. (The method is that of multi-index hashing: Norouzi, Punjani
and Fleet, CVPR 2012.)
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

_PARTS, _BITS = 4, 16
_MASK = (1 << _BITS) - 1

FARTHEST = 3 * _PARTS - 1
"""The greatest distance that can be searched, in bits."""


@dataclass(frozen=True, slots=True)
class Near:
    """A condition on a field of parts: its hash differs from one of these in at most `distance` bits.

    Attributes:
        hashes: in hex, of 64 bits.
        distance: at most `FARTHEST`.
    """

    hashes: tuple[str, ...]
    distance: int

    def __post_init__(self) -> None:
        if not 0 <= self.distance <= FARTHEST:
            raise ValueError(f"a distance of 0 to {FARTHEST} can be searched, not {self.distance}")

    @property
    def keys(self) -> Sequence[int]:
        """Returns the parts of which every near hash has at least one. A hash that is not near may have one too."""
        radius = self.distance // _PARTS
        return sorted({key for hash in self.hashes for part in parts_of(hash) for key in _around(part, radius)})

    def meets(self, parts: Sequence[int]) -> bool:
        """Whether a hash, by its parts, is near enough. What has no parts is near to nothing."""
        return bool(parts) and self.distance_of(parts) <= self.distance

    def distance_of(self, parts: Sequence[int]) -> int:
        """Returns the distance, in bits, between a hash, by its parts, and the nearest of these."""
        return min(_distance(parts_of(hash), parts) for hash in self.hashes)


def parts_of(hash: str) -> tuple[int, ...]:
    """Returns the parts of a hash (64 bits in hex) for a field that `Near` searches.

    Raises:
        ValueError: if it is no such hash.
    """
    if not re.fullmatch("[0-9a-f]{16}", hash):
        raise ValueError(f"{hash!r} is not 64 bits in hex")
    number = int(hash, 16)
    return tuple(n << _BITS | number >> n * _BITS & _MASK for n in range(_PARTS))


def _around(part: int, radius: int) -> Iterator[int]:
    """Yields a part with each choice of up to `radius` of its bits changed."""
    for size in range(radius + 1):
        for bits in combinations(range(_BITS), size):
            yield part ^ sum(1 << bit for bit in bits)


def _distance(one: Sequence[int], other: Sequence[int]) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))
