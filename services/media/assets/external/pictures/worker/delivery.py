"""The delivery of a file: its pixels as they are, its rights, and nothing about places and devices."""

import hashlib
import mmap
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from PIL import Image

from services.media.assets.external.pictures.messages import Delivery, Metadata, Part, Reason, Unreadable
from services.media.assets.external.pictures.worker.containers import Blocks, parts_of
from services.media.assets.external.pictures.worker.exif import ARTIST, COPYRIGHT, ORIENTATION

_MOST = 60_000
"""Bytes of an XMP packet: a segment of JPEG has at most 65,535. Keywords are left out if they are too many."""

_PLUS = "http://ns.useplus.org/ldf/vocab/"
_NAMES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
}


def delivery(path: Path, format: str, metadata: Metadata, orientation: int) -> Delivery:
    """Returns the parts of a file that are delivered.

    Raises:
        Unreadable: the file cannot be taken apart, so nobody can say what is in it.
    """
    blocks = Blocks(exif=_exif(metadata, orientation), xmp=_xmp(metadata))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            parts = tuple(parts_of(format, data, blocks))  # type: ignore[arg-type]  # it is read as bytes are
        except (ValueError, IndexError, KeyError, struct.error):
            sentence = "The file cannot be taken apart, so its metadata cannot be left out. Save the picture again."
            raise Unreadable(Reason.CORRUPT, sentence) from None
        size, digest = 0, hashlib.sha256()
        for part in parts or (Part(stop=len(data)),):
            for piece in _pieces(data, part):
                size += len(piece)
                digest.update(piece)
    return Delivery(parts=parts, size=size, sha256=digest.hexdigest())


def _pieces(data: mmap.mmap, part: Part, most: int = 1 << 20) -> Iterator[bytes]:
    yield part.new
    for at in range(0, part.blank, most):
        yield bytes(min(most, part.blank - at))
    for at in range(part.start, part.stop, most):
        yield data[at : min(at + most, part.stop)]


def _exif(metadata: Metadata, orientation: int) -> bytes:
    """Returns a block with the orientation, the maker and the copyright; empty without any of them."""
    block = Image.Exif()
    if orientation != 1:
        block[ORIENTATION] = orientation
    for tag, text in ((ARTIST, metadata.creator), (COPYRIGHT, metadata.copyright)):
        if text:
            block[tag] = text.encode()
    return block.tobytes().removeprefix(b"Exif\0\0") if block else b""


def _xmp(metadata: Metadata) -> bytes:
    """Returns a packet with the words of a picture, as far as it has any."""
    packet = _packet(metadata, metadata.keywords)
    return packet if len(packet) <= _MOST else _packet(metadata, ())


def _packet(metadata: Metadata, keywords: tuple[str, ...]) -> bytes:
    lists = {
        "dc:creator": ("Seq", (metadata.creator,)),
        "dc:rights": ("Alt", (metadata.copyright,)),
        "dc:description": ("Alt", (metadata.caption,)),
        "dc:subject": ("Bag", keywords),
        "xmpRights:UsageTerms": ("Alt", (metadata.usage_terms,)),
    }
    texts = {
        "photoshop:Credit": metadata.credit,
        "photoshop:DateCreated": metadata.taken_at,
        "tiff:Model": metadata.camera,
        "xmpRights:WebStatement": metadata.web_statement,
        "xmpRights:Marked": "" if metadata.marked is None else str(metadata.marked),
        "plus:ModelReleaseStatus": metadata.model_release and _PLUS + metadata.model_release,
        "plus:PropertyReleaseStatus": metadata.property_release and _PLUS + metadata.property_release,
        "plus:DataMining": metadata.data_mining and _PLUS + metadata.data_mining,
    }
    lines = [_list(name, kind, values) for name, (kind, values) in lists.items() if any(values)]
    lines += [f"<{name}>{escape(text)}</{name}>" for name, text in texts.items() if text]
    if metadata.licensor:
        name = f"<plus:LicensorName>{escape(metadata.licensor)}</plus:LicensorName>"
        licensor = f'<rdf:Seq><rdf:li rdf:parseType="Resource">{name}</rdf:li></rdf:Seq>'
        lines.append(f"<plus:Licensor>{licensor}</plus:Licensor>")
    return _wrapped("".join(lines), _NAMES) if lines else b""


def _list(name: str, kind: str, values: tuple[str, ...]) -> str:
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    items = "".join(f"<rdf:li{language}>{escape(value)}</rdf:li>" for value in values)
    return f"<{name}><rdf:{kind}>{items}</rdf:{kind}></{name}>"


def _wrapped(lines: str, names: Mapping[str, str]) -> bytes:
    known = "".join(f' xmlns:{prefix}="{address}"' for prefix, address in names.items())
    rdf = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    body = f'<rdf:Description rdf:about=""{known}>{lines}</rdf:Description>'
    return f'{begin}{rdf}{body}</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'.encode()
