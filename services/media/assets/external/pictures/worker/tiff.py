"""Takes a TIFF apart: directories keep the tags that show the picture, and all bytes that they do not name are blank.

Nothing moves, because the pixels are found by their places in the file.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.media.assets.external.pictures.messages import Part

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by its type."""

_KEPT = {
    *(254, 255, *range(256, 260), 262, 263, 264, 265, 266, 273, 274, *range(277, 286), *range(288, 294), 296, 297, 301),
    *(315, *range(317, 326), *range(332, 335), *range(336, 343), 347, *range(529, 533), 33432, 34675),
}
"""The baseline tags, their extensions, the maker and the copyright (315, 33432), and the profile of the colours."""

_XMP, _COMPRESSION, _OLD_JPEG = 700, 259, 6
_DATA = {273: 279, 324: 325}
"""The tags with the places of the pixels, and those with their lengths."""

_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Kind:
    """The order of bytes, and the widths of a classic TIFF or of a BigTIFF."""

    order: str
    count: str
    offset: str

    def number(self, code: str, data: bytes, at: int) -> int:
        return int(struct.unpack_from(self.order + code, data, at)[0])

    @property
    def width(self) -> int:
        return struct.calcsize(self.offset)

    @property
    def entry(self) -> int:
        return 4 + 2 * self.width


@dataclass(frozen=True, slots=True)
class _Entry:
    tag: int
    raw: bytes
    size: int
    at: int
    """The place of its values."""


def tiff(data: bytes, xmp: bytes) -> Sequence[Part]:
    """Returns the parts that stay; none if all tags can stay.

    Raises:
        ValueError, struct.error: the file cannot be taken apart.
    """
    kind, first = _kind(data)
    ranges: dict[int, int] = {0: 8 if kind.width == 4 else 16}
    directories: dict[int, bytes] = {}
    dropped, at, packet = False, first, xmp
    while at:
        if at in directories or len(directories) >= _MOST:
            raise ValueError("the directories go round in a circle")
        entries, after = _entries(kind, data, at)
        kept = [entry for entry in entries if entry.tag in _KEPT]
        dropped |= len(kept) < len(entries)
        for start, stop in _named(kind, data, kept):
            ranges[start] = max(stop, ranges.get(start, 0))
        raw = {entry.tag: entry.raw for entry in kept}
        if packet and len(kept) < len(entries):
            raw[_XMP] = struct.pack(kind.order + "HH" + 2 * kind.offset, _XMP, 1, len(packet), len(data))
            packet = b""
        directories[at] = _directory(kind, raw, len(entries), after)
        at = after
    if not dropped:
        return ()
    return _parts(data, ranges, directories, b"" if packet else xmp)


def _kind(data: bytes) -> tuple[_Kind, int]:
    order = "<" if data[:2] == b"II" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] == 42:
        kind = _Kind(order, "H", "I")
        return kind, kind.number("I", data, 4)
    kind = _Kind(order, "Q", "Q")
    return kind, kind.number("Q", data, 8)


def _entries(kind: _Kind, data: bytes, at: int) -> tuple[list[_Entry], int]:
    """Returns the entries of a directory, and the place of the next one."""
    count = kind.number(kind.count, data, at)
    if count > _MOST:
        raise ValueError("a directory has too many entries")
    first = at + struct.calcsize(kind.count)
    entries = []
    for start in range(first, first + count * kind.entry, kind.entry):
        tag, type_ = struct.unpack_from(kind.order + "HH", data, start)
        size = _SIZES.get(type_, 1) * kind.number(kind.offset, data, start + 4)
        inline = start + 4 + kind.width
        place = inline if size <= kind.width else kind.number(kind.offset, data, inline)
        entries.append(_Entry(tag, data[start : start + kind.entry], size, place))
    return entries, kind.number(kind.offset, data, first + count * kind.entry)


def _named(kind: _Kind, data: bytes, entries: Sequence[_Entry]) -> Iterator[tuple[int, int]]:
    """Yields the places that the entries name: of their values, and of the pixels."""
    by_tag = {entry.tag: entry for entry in entries}
    if _COMPRESSION in by_tag and _values(kind, data, by_tag[_COMPRESSION]) == [_OLD_JPEG]:
        raise ValueError("the pixels are in the older way of JPEG, which names places of its own")
    for entry in entries:
        if entry.size > kind.width:
            yield entry.at, entry.at + entry.size
    for places, lengths in _DATA.items():
        if places in by_tag and lengths in by_tag:
            both = (_values(kind, data, by_tag[tag]) for tag in (places, lengths))
            yield from ((start, start + length) for start, length in zip(*both, strict=True))
        elif places in by_tag:
            raise ValueError("the lengths of the pixels are not there")


def _values(kind: _Kind, data: bytes, entry: _Entry) -> list[int]:
    type_ = struct.unpack_from(kind.order + "H", entry.raw, 2)[0]
    code = {3: "H", 4: "I", 16: "Q"}[type_] if type_ in (3, 4, 16) else "B"
    number = entry.size // struct.calcsize(code)
    return [int(value) for value in struct.unpack_from(f"{kind.order}{number}{code}", data, entry.at)]


def _directory(kind: _Kind, raw: dict[int, bytes], before: int, after: int) -> bytes:
    """Returns a directory that is as long as it was before."""
    body = b"".join(raw[tag] for tag in sorted(raw))
    made = struct.pack(kind.order + kind.count, len(raw)) + body + struct.pack(kind.order + kind.offset, after)
    return made + b"\0" * ((before - len(raw)) * kind.entry)


def _parts(data: bytes, ranges: dict[int, int], directories: dict[int, bytes], xmp: bytes) -> Sequence[Part]:
    """Returns the ranges and the directories in their order, with blanks between them. What overlaps is taken once."""
    pieces = [(start, stop, b"") for start, stop in ranges.items()]
    pieces += [(start, start + len(new), new) for start, new in directories.items()]
    parts, at = [], 0
    for start, stop, new in sorted(pieces, key=lambda piece: (piece[0], not piece[2])):
        stop = min(stop, len(data))
        if stop <= at:
            continue
        if new and start < at:
            raise ValueError("a directory is in the middle of something else")
        if start > at:
            parts.append(Part(blank=start - at))
        parts.append(Part(new=new) if new else Part(start=max(start, at), stop=stop))
        at = stop
    if at < len(data):
        parts.append(Part(blank=len(data) - at))
    return [*parts, Part(new=xmp)] if xmp else parts
