"""Takes the files of five formats apart, and leaves out of them all that is not needed to show the picture.

What stays is named here, and everything else goes: so the serial number in a maker's own block goes too. Pixels are
never decoded, so they stay as they are.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.media.assets.external.pictures.messages import Part
from services.media.assets.external.pictures.worker.tiff import tiff

_SCAN_END = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_JPEG_ALONE = {0x01, *range(0xD0, 0xD8)}
_JPEG_KEPT = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}
"""The application segments that say how to show the pixels, by their beginnings."""

_JPEG_TABLES = {*_JPEG_ALONE, *range(0xC0, 0xC8), *range(0xC9, 0xD0), 0xDA, 0xDB}
_JPEG_SIX_BYTES = {0xDC, 0xDD}
"""The markers without which no pixel can be shown: frames, tables and scans; and those of a number of two bytes."""

_PNG_KEPT = {
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"sBIT", b"bKGD"),
    *(b"pHYs", b"hIST", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT"),
}
_WEBP_KEPT = {b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_EXIF, _WEBP_XMP = 0x08, 0x04
_GIF_KEPT = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The blocks for a file: an EXIF block as TIFF has it, and an XMP packet. Either may be empty."""

    exif: bytes = b""
    xmp: bytes = b""


@dataclass(slots=True)
class _Kept:
    """Collects the parts of a file; neighbours become one part."""

    parts: list[Part] = field(default_factory=list)
    dropped: bool = False

    def keep(self, start: int, stop: int) -> None:
        last = self.parts[-1] if self.parts else None
        if last is not None and not last.new and last.stop == start:
            self.parts[-1] = Part(start=last.start, stop=stop)
        else:
            self.parts.append(Part(start=start, stop=stop))

    def add(self, *new: bytes) -> None:
        self.parts += [Part(new=one) for one in new if one]


def parts_of(format: str, data: bytes, blocks: Blocks) -> Sequence[Part]:
    """Returns the parts of a file that stay, in their order, with the blocks; none if all of it can stay.

    Raises:
        ValueError, IndexError, struct.error: the file cannot be taken apart.
    """
    if format == "TIFF":
        return tiff(data, blocks.xmp)
    kept = _FORMATS[format](data, blocks)
    return kept.parts if kept.dropped else ()


def _jpeg(data: bytes, blocks: Blocks) -> _Kept:
    """Source: ITU T.81, annex B."""
    kept, at, added = _Kept(), 2, False
    seen: set[int] = set()
    kept.keep(0, 2)
    while at < len(data):
        start = data.find(b"\xff", at)
        kept.dropped |= start != at
        if start < 0:
            break
        at = start
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker != 0xE0 and not added:
            kept.add(*(_segment(one) for one in (blocks.exif and b"Exif\0\0" + blocks.exif, _jpeg_xmp(blocks.xmp))))
            added = True
        if marker == 0xD9:
            kept.keep(at, at + 2)
            kept.dropped |= at + 2 < len(data)
            break
        stop = at + 2 if marker in _JPEG_ALONE else at + 2 + int.from_bytes(data[at + 2 : at + 4])
        if stop > len(data):
            raise ValueError("a segment is longer than the file")
        stays = _jpeg_segment(marker, data[at:stop], first=marker not in seen)
        if stays:
            seen.add(marker)
        if stays == data[at:stop]:
            kept.keep(at, stop)
        else:
            kept.add(stays)
            kept.dropped = True
        at = stop
        if marker == 0xDA:
            found = _SCAN_END.search(data, at)
            stop = found.start() if found else len(data)
            kept.keep(at, stop)
            at = stop
    return kept


def _jpeg_segment(marker: int, segment: bytes, *, first: bool) -> bytes:
    """Returns a segment as it stays; nothing if it goes. Of those that could have words in them, only numbers stay.

    Sources: JFIF 1.02; Adobe Technical Note 5116. Of Adobe's numbers, decoders use the last one, and take a strange one
    for 2.

    Args:
        first: there was no segment of this kind before.
    """
    if marker in _JPEG_TABLES or (marker in _JPEG_SIX_BYTES and len(segment) == 6):
        return segment
    if not segment.startswith(_JPEG_KEPT.get(marker, segment), 4):
        return b""
    match marker:
        case 0xE0 if first and len(segment) >= 18:
            return b"\xff\xe0\0\x10JFIF\0\1" + segment[10:11] + bytes([min(segment[11], 2)]) + segment[12:16] + b"\0\0"
        case 0xEE if len(segment) >= 16:
            return b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([min(segment[15], 2)])
        case 0xE2:
            return segment
    return b""


def _jpeg_xmp(packet: bytes) -> bytes:
    return packet and b"http://ns.adobe.com/xap/1.0/\0" + packet


def _segment(body: bytes) -> bytes:
    return body and b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _png(data: bytes, blocks: Blocks) -> _Kept:
    """Source: PNG, third edition, section 5."""
    kept, at, kind = _Kept(), 8, b""
    kept.keep(0, 8)
    while kind != b"IEND":
        kind, stop = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4])
        if stop > len(data):
            raise ValueError("a chunk is longer than the file")
        if kind in _PNG_KEPT:
            kept.keep(at, stop)
        else:
            kept.dropped = True
        if kind == b"IHDR":
            packet = blocks.xmp and b"XML:com.adobe.xmp\0\0\0\0\0" + blocks.xmp
            kept.add(_chunk(b"eXIf", blocks.exif), _chunk(b"iTXt", packet))
        at = stop
    kept.dropped |= at < len(data)
    return kept


def _chunk(kind: bytes, body: bytes) -> bytes:
    return body and struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(data: bytes, blocks: Blocks) -> _Kept:
    """Source: RFC 9649, section 2. A file without the chunk VP8X has no place for blocks."""
    kept, size = _Kept(), 4
    end = min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    added = [_riff(b"EXIF", blocks.exif), _riff(b"XMP ", blocks.xmp)]
    extended = False
    for kind, start, stop in _riff_chunks(data, end):
        if kind == b"VP8X":
            extended = True
            flags = data[start + 8] & ~(_WEBP_EXIF | _WEBP_XMP)
            flags |= (_WEBP_EXIF if added[0] else 0) | (_WEBP_XMP if added[1] else 0)
            kept.add(data[start : start + 8] + bytes([flags]) + data[start + 9 : stop])
        elif kind in _WEBP_KEPT:
            kept.keep(start, stop)
        else:
            kept.dropped = True
            continue
        size += stop - start
    if extended:
        kept.add(*added)
        size += sum(map(len, added))
    kept.dropped |= end < len(data)
    kept.parts.insert(0, Part(new=b"RIFF" + struct.pack("<I", size) + b"WEBP"))
    return kept


def _riff_chunks(data: bytes, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the kind, the start and the end of each chunk, with its padding."""
    at = 12
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        stop = min(at + 8 + length + length % 2, len(data))
        if at + 8 + length > len(data):
            raise ValueError("a chunk is longer than the file")
        yield data[at : at + 4], at, stop
        at = stop


def _riff(kind: bytes, body: bytes) -> bytes:
    return body and kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _gif(data: bytes, blocks: Blocks) -> _Kept:
    """Source: GIF 89a, appendix B. Its words are not read by anybody here, so there are no blocks to put in."""
    kept, at = _Kept(), 13 + _colours(data[10])
    kept.keep(0, at)
    while at < len(data):
        start, kind = at, data[at]
        if kind == 0x3B:
            kept.keep(at, at + 1)
            kept.dropped |= at + 1 < len(data)
            break
        if kind == 0x2C:
            at = _after_blocks(data, at + 11 + _colours(data[at + 9]))
        elif kind == 0x21:
            at = _after_blocks(data, at + 2)
        else:
            raise ValueError("there is a block of no kind")
        if kind == 0x2C or data[start + 1] == 0xF9 or (data[start + 1] == 0xFF and _is_kept(data, start)):
            kept.keep(start, at)
        else:
            kept.dropped = True
    return kept


def _colours(flags: int) -> int:
    """Returns the bytes of a table of colours."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return min(at + 1, len(data))


def _is_kept(data: bytes, start: int) -> bool:
    return data[start + 3 : start + 14] in _GIF_KEPT


_FORMATS: Mapping[str, Callable[[bytes, Blocks], _Kept]] = {"JPEG": _jpeg, "PNG": _png, "WEBP": _webp, "GIF": _gif}
