"""The delivery of a file has the same pixels and the rights, and no place, no device, and nothing that is hidden."""

import hashlib
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageSequence

from scripts.lib.pictures import encoded, exif, iptc, jpeg, picture, png_with, position, xmp
from services.media.assets.external.pictures.messages import Inspected, Reason
from tests.services.media.assets.pictures.made import inspected, refusal

SECRET = "SN-4711"
EXIF = exif(
    {271: "Treaty", 272: f"Box {SECRET}"[:3], 274: 6, 315: "Ann Lee", 33432: "© Ann Lee"},
    details={0xA430: SECRET, 0xA431: SECRET, 0xA435: SECRET, 0x927C: SECRET.encode() * 40},
    gps=position(52.5, 13.4),
)
WORDS = xmp(
    {
        "dc:creator": ["Ann Lee"],
        "dc:rights": "© Ann Lee &amp; Co",
        "photoshop:Credit": "The Agency",
        "plus:ModelReleaseStatus": "http://ns.useplus.org/ldf/vocab/MR-UMR",
        "aux:SerialNumber": SECRET,
        "exif:GPSLatitude": "52,31.2N",
        "exif:GPSLongitude": "13,24.5E",
    }
)
IMAGE = picture(96, 64, seed=3)


def _animated(format: str, **options: Any) -> bytes:
    frames = [picture(48, 32, seed=n) for n in range(3)]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=40, loop=0, **options)


FILES = {
    "JPEG": jpeg(image=IMAGE, exif=EXIF, xmp=WORDS, iptc=iptc({110: "The Agency"}), comment=SECRET.encode())
    + b"\0SN-4711",
    "progressive": jpeg(image=IMAGE, exif=EXIF, xmp=WORDS, progressive=True, icc_profile=b"profile" * 9),
    "CMYK": jpeg(image=IMAGE.convert("CMYK"), exif=EXIF, xmp=WORDS),
    "PNG": png_with(IMAGE, xmp=WORDS, comment=SECRET, exif=EXIF),
    "palette": png_with(IMAGE.quantize(16), xmp=WORDS, comment=SECRET, exif=EXIF, transparency=3),
    "WEBP": encoded(IMAGE, "WEBP", lossless=True, exif=EXIF, xmp=WORDS),
    "animated WEBP": _animated("WEBP", exif=EXIF, xmp=WORDS),
    "GIF": _animated("GIF", comment=SECRET.encode()),
    "TIFF": encoded(IMAGE, "TIFF", exif=EXIF, tiffinfo={700: WORDS, 305: SECRET}),
    "packed TIFF": encoded(IMAGE, "TIFF", compression="tiff_lzw", exif=EXIF, tiffinfo={700: WORDS, 305: SECRET}),
    "big TIFF": encoded(IMAGE, "TIFF", big_tiff=True, exif=EXIF, tiffinfo={700: WORDS, 305: SECRET}),
}


def delivered(data: bytes, found: Inspected) -> bytes:
    """Returns the bytes that are delivered of a file."""
    parts = found.delivery.parts
    made = b"".join(part.new or bytes(part.blank) or data[part.start : part.stop] for part in parts)
    return made if parts else data


def pixels(data: bytes) -> list[tuple[str, bytes]]:
    with Image.open(io.BytesIO(data)) as image:
        return [(frame.mode, frame.tobytes()) for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_the_pixels_and_the_rights_stay_and_places_and_devices_go(tmp_path: Path, data: bytes) -> None:
    before = inspected(tmp_path, data)
    made = delivered(data, before)
    assert (len(made), hashlib.sha256(made).hexdigest()) == (before.delivery.size, before.delivery.sha256)
    assert pixels(made) == pixels(data)
    assert SECRET.encode() in data
    assert SECRET.encode() not in made
    after = inspected(tmp_path, made)
    assert (after.personal.latitude, after.personal.serials, after.personal.owner) == (None, (), "")
    assert (after.picture.width, after.picture.height) == (before.picture.width, before.picture.height)
    assert (after.picture.dhash, after.picture.warnings) == (before.picture.dhash, before.picture.warnings)
    words = after.picture.metadata
    assert words == before.picture.metadata
    if before.picture.format == "GIF":  # its words are not read
        return
    assert (words.creator, words.copyright, words.credit) == ("Ann Lee", "© Ann Lee & Co", "The Agency")
    assert words.model_release == "MR-UMR"


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_what_is_delivered_of_a_delivered_file_has_the_same_words_and_pixels(tmp_path: Path, data: bytes) -> None:
    once = delivered(data, inspected(tmp_path, data))
    twice = delivered(once, inspected(tmp_path, once))
    assert pixels(twice) == pixels(data)
    assert inspected(tmp_path, twice).picture.metadata == inspected(tmp_path, once).picture.metadata


@pytest.mark.parametrize(
    "data",
    [
        jpeg(image=IMAGE),
        encoded(IMAGE, "PNG"),
        encoded(IMAGE, "WEBP"),
        _animated("GIF"),
        encoded(IMAGE, "TIFF"),
        encoded(IMAGE.convert("I;16"), "TIFF"),
    ],
)
def test_a_file_without_metadata_is_delivered_as_it_is(tmp_path: Path, data: bytes) -> None:
    found = inspected(tmp_path, data)
    assert found.delivery.parts == ()
    assert (found.delivery.size, found.delivery.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_second_picture_of_a_phone_goes(tmp_path: Path) -> None:
    data = encoded(IMAGE, "MPO", save_all=True, append_images=[picture(96, 64, seed=9)])
    made = delivered(data, inspected(tmp_path, data))
    assert len(made) < len(data)
    assert pixels(made) == pixels(data)[:1]


def _with_segments(mode: str, segments: list[tuple[int, bytes]], *, exif: bytes = b"") -> bytes:
    """Returns a file of a colour mode, with segments before those that it has."""
    made = b"".join(struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments)
    data = jpeg(image=IMAGE.convert(mode), exif=exif)
    return data[:2] + made + data[2:]


JFIF = b"JFIF\0\1\2\0\0\1\0\1"
ADOBE = b"Adobe\0\x64\0\0\0\0"


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "segments",
    [
        [(0xE0, JFIF + b"\0\0" + SECRET.encode())],
        [(0xE0, JFIF + b"\1\5" + SECRET.encode().ljust(15))],
        [(0xE0, JFIF + b"\0\0"), (0xE0, b"JFIF\0" + SECRET.encode().ljust(9))],
        [(0xEE, ADOBE + b"\2" + SECRET.encode())],
        [(0xEE, ADOBE + b"\0"), (0xEE, b"Adobe" + SECRET.encode())],
        [(0xEE, ADOBE + b"\7"), (0xE0, b"JFXX\0" + SECRET.encode())],
        [(0xDC, b"\0\x40" + SECRET.encode())],
    ],
)
def test_no_words_stay_in_segments_that_say_how_to_show_the_pixels(
    tmp_path: Path, mode: str, segments: list[tuple[int, bytes]]
) -> None:
    data = _with_segments(mode, segments)
    made = delivered(data, inspected(tmp_path, data))
    assert all(SECRET.encode()[at : at + 4] not in made for at in range(len(SECRET) - 3))
    assert pixels(made) == pixels(data)
    assert delivered(made, inspected(tmp_path, made)) == made


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_numbers_of_a_jfif_segment_stay(tmp_path: Path, mode: str) -> None:
    data = _with_segments(mode, [(0xE0, b"JFIF\0\1\2\1\x01\x2c\x01\x2c\1\1abc")], exif=EXIF)
    with Image.open(io.BytesIO(delivered(data, inspected(tmp_path, data)))) as image:
        assert image.info["dpi"] == (300, 300)


def test_more_keywords_than_a_segment_holds_are_left_out(tmp_path: Path) -> None:
    many = xmp({"dc:creator": ["Ann Lee"], "dc:subject": [f"{n} " + 400 * "é" for n in range(99)]})
    data = encoded(IMAGE, "WEBP", exif=EXIF, xmp=many)
    made = delivered(data, inspected(tmp_path, data))
    assert inspected(tmp_path, made).picture.metadata.keywords == ()
    assert inspected(tmp_path, made).picture.metadata.creator == "Ann Lee"


def test_a_tiff_whose_pixels_have_places_in_the_older_way_of_jpeg_is_refused(tmp_path: Path) -> None:
    data = bytearray(encoded(IMAGE, "TIFF", exif=EXIF))
    at = data.index(b"\x03\x01\x03\x00\x01\x00\x00\x00")
    data[at + 8] = 6
    assert refusal(tmp_path, bytes(data)) in (Reason.CORRUPT, Reason.TRUNCATED)
