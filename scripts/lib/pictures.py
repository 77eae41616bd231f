"""Makes pictures for samples, the demo and tests: the same one for the same seed, with metadata as asked for."""

import io
import random
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, PngImagePlugin, TiffImagePlugin

NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
}

DETAILS, GPS = 0x8769, 0x8825


def picture(width: int = 640, height: int = 480, seed: int = 0) -> Image.Image:
    """Returns an RGB picture of soft colours with some shapes: another one for each seed."""
    chance = random.Random(seed)
    image = Image.frombytes("RGB", (8, 6), chance.randbytes(8 * 6 * 3)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = chance.randrange(width), chance.randrange(height)
        across, down = chance.randint(1, max(1, width // 5)), chance.randint(1, max(1, height // 5))
        colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        draw.ellipse((x, y, x + across, y + down), fill=colour)
    return image


def exif(
    tags: Mapping[int, Any], *, details: Mapping[int, Any] | None = None, gps: Mapping[int, Any] | None = None
) -> bytes:
    """Returns an EXIF block: the tags of its main directory, of its details (0x8769), of its position (0x8825)."""
    block = Image.Exif()
    block.update(_in_utf_8(tags))
    for directory, given in ((DETAILS, details), (GPS, gps)):
        if given is not None:
            block.get_ifd(directory).update(_in_utf_8(given))
            block[directory] = block.get_ifd(directory)
    return block.tobytes()


def _in_utf_8(tags: Mapping[int, Any]) -> dict[int, Any]:
    """Pillow writes a question mark for each letter that is not in ASCII; most programs write UTF-8."""
    return {tag: value.encode() if isinstance(value, str) else value for tag, value in tags.items()}


def degrees(value: float) -> tuple[TiffImagePlugin.IFDRational, ...]:
    """Returns degrees, minutes and seconds as EXIF has them, to the hundredth of a second."""
    hundredths = round(abs(value) * 360_000)
    return (
        TiffImagePlugin.IFDRational(hundredths // 360_000, 1),
        TiffImagePlugin.IFDRational(hundredths // 6_000 % 60, 1),
        TiffImagePlugin.IFDRational(hundredths % 6_000, 100),
    )


def position(latitude: float, longitude: float) -> dict[int, Any]:
    """Returns the directory of a position for `exif`, in degrees."""
    return {
        1: "N" if latitude >= 0 else "S",
        2: degrees(latitude),
        3: "E" if longitude >= 0 else "W",
        4: degrees(longitude),
    }


def xmp(properties: Mapping[str, str | Sequence[str]]) -> bytes:
    """Returns an XMP packet. A property is called after its vocabulary, such as "dc:creator"; a list becomes a Seq."""
    names = "".join(f' xmlns:{prefix}="{address}"' for prefix, address in NAMESPACES.items())
    lines = "".join(f"<{name}>{_value(value)}</{name}>" for name, value in properties.items())
    rdf = '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    body = f'{rdf}<rdf:Description rdf:about=""{names}>{lines}</rdf:Description></rdf:RDF>'
    begin = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    return f'{begin}{body}</x:xmpmeta><?xpacket end="w"?>'.encode()


def _value(value: str | Sequence[str]) -> str:
    if isinstance(value, str):
        return value
    return f"<rdf:Seq>{''.join(f'<rdf:li>{item}</rdf:li>' for item in value)}</rdf:Seq>"


def iptc(records: Mapping[int, str | bytes | Sequence[str]]) -> bytes:
    """Returns an IPTC block: the records 2:n by their n, and the sign that its texts are UTF-8 (1:90)."""
    lines = [_record(1, 90, b"\x1b%G")]
    for number, value in records.items():
        values = [value] if isinstance(value, str | bytes) else value
        lines += [_record(2, number, one if isinstance(one, bytes) else one.encode()) for one in values]
    return b"".join(lines)


def _record(record: int, number: int, value: bytes) -> bytes:
    return b"\x1c" + bytes([record, number]) + struct.pack(">H", len(value)) + value


def jpeg(
    width: int = 640,
    height: int = 480,
    seed: int = 0,
    *,
    image: Image.Image | None = None,
    quality: int = 85,
    exif: bytes = b"",
    xmp: bytes = b"",
    iptc: bytes = b"",
    **options: Any,
) -> bytes:
    """Returns a JPEG of `picture(width, height, seed)`, or of a given picture, with blocks of metadata."""
    given = {name: block for name, block in (("exif", exif), ("xmp", xmp)) if block}
    out = io.BytesIO()
    (image or picture(width, height, seed)).save(out, "JPEG", quality=quality, **given, **options)
    return _with_iptc(out.getvalue(), iptc) if iptc else out.getvalue()


def _with_iptc(data: bytes, block: bytes) -> bytes:
    """Adds a segment of Photoshop (APP13) with its resource 0x0404 after the first segment."""
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(block)) + block + b"\0" * (len(block) % 2)
    body = b"Photoshop 3.0\0" + resource
    first = 4 + struct.unpack(">H", data[4:6])[0]
    return data[:first] + b"\xff\xed" + struct.pack(">H", len(body) + 2) + body + data[first:]


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    """Returns a picture in a format of Pillow, such as "PNG"."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def png_with(image: Image.Image, *, xmp: bytes = b"", comment: str = "", **options: Any) -> bytes:
    """Returns a PNG with texts."""
    texts = PngImagePlugin.PngInfo()
    if xmp:
        texts.add_itxt("XML:com.adobe.xmp", xmp.decode())
    if comment:
        texts.add_text("Comment", comment)
    return encoded(image, "PNG", pnginfo=texts, **options)


def claiming_png(width: int, height: int) -> bytes:
    """Returns a PNG of less than 1 KB that says it has width × height pixels."""
    return _png(width, height, 2, [(b"IDAT", zlib.compress(b"\0" * 100))])


def black_png(width: int, height: int, *, colours: int = 1) -> bytes:
    """Returns a small file of a large black picture, grey (1 colour) or RGB (3), without making it in memory."""
    packer, row = zlib.compressobj(1), b"\0" * (1 + width * colours)
    packed = b"".join([*(packer.compress(row) for _ in range(height)), packer.flush()])
    return _png(width, height, 0 if colours == 1 else 2, [(b"IDAT", packed)])


def scan_bomb_jpeg(width: int, height: int, scans: int) -> bytes:
    """Returns a small grey JPEG that takes long to decode: the last of its scans is there `scans` times."""
    data = jpeg(image=Image.new("L", (width, height), 99), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def text_bomb_png(megabytes: int) -> bytes:
    """Returns a PNG with a compressed text (zTXt) that is `megabytes` long when it is read."""
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(b"a" * (1 << 20)) for _ in range(megabytes)), packer.flush()])
    return _png(1, 1, 0, [(b"zTXt", b"Comment\0\0" + packed), (b"IDAT", zlib.compress(b"\0\0"))])


def _png(width: int, height: int, colour: int, chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunks([(b"IHDR", header), *chunks, (b"IEND", b"")]))


def _chunks(chunks: Sequence[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, data in chunks:
        yield struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
