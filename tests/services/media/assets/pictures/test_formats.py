"""Files are taken for what they are, by content; a file that cannot be decoded whole is refused with its reason."""

import io
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scripts.lib import pictures as make
from services.media.assets.external.pictures.messages import Reason, Unreadable
from tests.services.media.assets.pictures.made import inspected, jpeg, picture, refusal


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_each_format_is_accepted_under_any_name(tmp_path: Path, format: str) -> None:
    found = inspected(tmp_path, make.encoded(picture(64, 48), format)).picture
    assert (found.format, found.width, found.height, found.frames) == (format, 64, 48, 1)


def test_the_two_pictures_of_a_phone_are_one_jpeg(tmp_path: Path) -> None:
    data = make.encoded(picture(64, 48), "MPO", save_all=True, append_images=[picture(64, 48, 1)])
    assert Image.open(io.BytesIO(data)).format == "MPO"
    found = inspected(tmp_path, data).picture
    assert (found.format, found.frames) == ("JPEG", 1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_each_mode_of_png_is_accepted(tmp_path: Path, mode: str) -> None:
    image = Image.new("I;16", (64, 48), 30_300) if mode == "I;16" else picture(64, 48).convert(mode)
    found = inspected(tmp_path, make.encoded(image, "PNG"))
    assert found.picture.mode == mode
    assert set(found.previews) == {"small", "large"}


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGB"])
def test_each_mode_of_jpeg_is_accepted(tmp_path: Path, mode: str) -> None:
    assert inspected(tmp_path, jpeg(image=picture(64, 48).convert(mode))).picture.mode == mode


@pytest.mark.parametrize("mode", ["YCbCr", "LAB", "CMYK", "I;16B", "I", "F", "RGBA"])
def test_each_mode_of_tiff_is_accepted(tmp_path: Path, mode: str) -> None:
    plain = picture(64, 48).convert("L")
    image = Image.new(mode, (64, 48), 300) if mode == "I;16B" else plain.convert(mode) if mode in "IF" else None
    data = make.encoded(image or picture(64, 48).convert("RGB").convert(mode if mode != "LAB" else "RGB"), "TIFF")
    assert inspected(tmp_path, data).picture.width == 64


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_frames_are_counted(tmp_path: Path, format: str) -> None:
    others = [picture(64, 48, seed) for seed in (1, 2)]
    data = make.encoded(picture(64, 48), format, save_all=True, append_images=others)
    assert inspected(tmp_path, data).picture.frames == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"hello, I am no picture\n", Reason.NOT_A_PICTURE),
        (b"\0" * 5000, Reason.NOT_A_PICTURE),
        (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", Reason.UNSUPPORTED_FORMAT),
        (b"8BPS\0\1" + b"\0" * 100, Reason.UNSUPPORTED_FORMAT),
        (b"\0\0\0\x18ftypheic\0\0\0\0", Reason.UNSUPPORTED_FORMAT),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', Reason.UNSUPPORTED_FORMAT),
        (b"\xff\xd8\xff\xe0", Reason.CORRUPT),
        (b"\x89PNG\r\n\x1a\n", Reason.CORRUPT),
    ],
)
def test_a_file_that_is_no_picture_is_refused(tmp_path: Path, data: bytes, reason: Reason) -> None:
    assert refusal(tmp_path, data) is reason


def test_a_bmp_named_jpg_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, make.encoded(picture(64, 48), "BMP")) is Reason.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("seed", range(5))
def test_a_jpeg_that_is_cut_at_half_is_refused(tmp_path: Path, seed: int, options: dict[str, Any]) -> None:
    data = jpeg(400, 300, seed, **options)
    assert refusal(tmp_path, data[: len(data) // 2]) is Reason.TRUNCATED
    assert refusal(tmp_path, data[: -len(data) // 20]) is Reason.TRUNCATED


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
@pytest.mark.parametrize("seed", range(5))
def test_a_jpeg_without_its_end_mark_is_accepted(tmp_path: Path, seed: int, options: dict[str, Any]) -> None:
    data = jpeg(400, 300, seed, **options)
    cut, whole = inspected(tmp_path, data[:-2]), inspected(tmp_path, data)
    assert replace(cut, delivery=whole.delivery) == whole
    assert (cut.delivery.parts, cut.delivery.size) == ((), len(data) - 2)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "GIF"])
def test_other_formats_that_are_cut_are_refused(tmp_path: Path, format: str) -> None:
    data = make.encoded(picture(400, 300), format)
    assert refusal(tmp_path, data[: len(data) // 2]) in (Reason.TRUNCATED, Reason.CORRUPT)


def test_a_damaged_png_is_refused(tmp_path: Path) -> None:
    data = bytearray(make.encoded(picture(64, 48), "PNG"))
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    assert refusal(tmp_path, bytes(data)) in (Reason.CORRUPT, Reason.TRUNCATED)


def test_a_small_file_that_claims_too_many_pixels_is_refused(tmp_path: Path) -> None:
    data = make.claiming_png(60_000, 60_000)
    assert len(data) < 1024
    assert refusal(tmp_path, data) is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": make.exif({0x010F: "Canon"})}])
def test_the_size_of_a_webp_is_read_before_it_is_opened(tmp_path: Path, options: dict[str, Any]) -> None:
    """The three kinds of its first chunk: VP8, VP8L and VP8X."""
    data = make.encoded(picture(64, 48), "WEBP", **options)
    assert inspected(tmp_path, data, pixels=64 * 48).picture.width == 64
    with pytest.raises(Unreadable, match="64 × 48"):
        inspected(tmp_path, data, pixels=64 * 48 - 1)


def test_the_pixels_of_all_frames_count(tmp_path: Path) -> None:
    data = make.encoded(picture(64, 48), "GIF", save_all=True, append_images=[picture(64, 48, 1)])
    assert inspected(tmp_path, data, pixels=64 * 48 * 2).picture.frames == 2
    assert refusal(tmp_path, data, pixels=64 * 48 * 2 - 1) is Reason.TOO_MANY_PIXELS


def test_the_largest_picture_is_accepted_and_a_pixel_more_is_not(tmp_path: Path) -> None:
    data = make.encoded(picture(64, 48), "PNG")
    assert inspected(tmp_path, data, pixels=64 * 48).picture.width == 64
    assert refusal(tmp_path, data, pixels=64 * 48 - 1) is Reason.TOO_MANY_PIXELS


@pytest.mark.slow
def test_a_compressed_text_of_200_mb_is_refused(tmp_path: Path) -> None:
    data = make.text_bomb_png(200)
    assert len(data) < 300_000
    assert refusal(tmp_path, data) is Reason.CORRUPT


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_the_narrowest_pictures_are_accepted(tmp_path: Path, size: tuple[int, int]) -> None:
    found = inspected(tmp_path, make.encoded(Image.new("RGB", size, "red"), "PNG"))
    assert (found.picture.width, found.picture.height) == size


def test_a_very_large_jpeg_is_decoded_smaller(tmp_path: Path) -> None:
    """Its facts are those of the file all the same."""
    found = inspected(tmp_path, jpeg(image=Image.new("L", (12_000, 6_000), 99), exif=make.exif({0x0112: 6})))
    assert (found.picture.width, found.picture.height) == (6_000, 12_000)
    assert Image.open(io.BytesIO(found.previews["large"])).size == (512, 1024)


def _whole() -> dict[str, bytes]:
    image, block = picture(64, 48), make.exif({0x0112: 6, 0x013B: "Eve"}, gps=make.position(52.5, 13.4))
    packet = make.xmp({"dc:creator": ["Ada"], "exif:GPSLatitude": "52,31.2N"})
    return {
        "JPEG": jpeg(64, 48, exif=block, xmp=packet, iptc=make.iptc({25: ["sea"], 80: "Iva"})),
        "progressive": jpeg(64, 48, progressive=True),
        "PNG": make.png_with(image, xmp=packet, exif=block),
        "WEBP": make.encoded(image, "WEBP", exif=block, xmp=packet),
        "TIFF": make.encoded(image, "TIFF", exif=block),
        "LZW": make.encoded(image, "TIFF", compression="tiff_lzw"),
        "GIF": make.encoded(image, "GIF", save_all=True, append_images=[picture(64, 48, 1)]),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", list(_whole()))
def test_a_damaged_file_is_accepted_or_refused_and_nothing_else(tmp_path: Path, name: str) -> None:
    """The damage is seeded. No exception of a decoder or a parser comes out."""
    whole, chance, seen = _whole()[name], random.Random(name), set()
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 2, 5, 20))):
            data[chance.randrange(min(len(data), chance.choice((64, 400, len(data)))))] = chance.randrange(256)
        try:
            seen.add(inspected(tmp_path, bytes(data), pixels=1_000_000).picture.format)
        except Unreadable as refused:
            seen.add(refused.reason)
    assert len(seen) > 1
