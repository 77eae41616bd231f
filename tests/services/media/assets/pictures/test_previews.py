"""Previews are upright, in sRGB, small, and say nothing about anybody."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from scripts.lib import pictures as make
from services.media.assets.external.pictures.messages import Inspected
from tests.services.media.assets.pictures.made import inspected, jpeg, picture


def opened(found: Inspected, name: str = "large") -> Image.Image:
    image = Image.open(io.BytesIO(found.previews[name]))
    assert image.format == "JPEG"
    image.load()
    return image


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int], bound: int = 12) -> bool:
    seen = image.convert("RGB").getpixel(place)
    assert isinstance(seen, tuple)
    return all(abs(a - b) <= bound for a, b in zip(seen, colour, strict=True))


def test_previews_have_their_sizes(tmp_path: Path) -> None:
    found = inspected(tmp_path, jpeg(3000, 1500))
    assert opened(found, "large").size == (1024, 512)
    assert opened(found, "small").size == (256, 128)


def test_nothing_is_enlarged(tmp_path: Path) -> None:
    found = inspected(tmp_path, jpeg(100, 50))
    assert opened(found, "large").size == opened(found, "small").size == (100, 50)


CORNERS = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}
"""The corner of the upright picture in which the first row and column of the file are, by the tag Orientation."""


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_upright(tmp_path: Path, format: str, orientation: int) -> None:
    stored = Image.new("RGB", (400, 300), "white")
    stored.paste((200, 0, 0), (0, 0, 100, 100))
    found = inspected(tmp_path, make.encoded(stored, format, exif=make.exif({0x0112: orientation})))
    width, height = (300, 400) if orientation > 4 else (400, 300)
    assert (found.picture.width, found.picture.height) == (width, height)
    shown = opened(found)
    assert shown.size == (width, height)
    corners = [
        (x, y)
        for x in (0, 1)
        for y in (0, 1)
        if near(shown, (20 + x * (width - 40), 20 + y * (height - 40)), (200, 0, 0))
    ]
    assert corners == [CORNERS[orientation]]
    assert dict(shown.getexif()) == {}


@pytest.mark.parametrize("orientation", [0, 9, 99])
def test_a_wrong_orientation_is_none(tmp_path: Path, orientation: int) -> None:
    found = inspected(tmp_path, jpeg(400, 300, exif=make.exif({0x0112: orientation})))
    assert (found.picture.width, found.picture.height) == (400, 300)
    assert opened(found).size == (400, 300)


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_previews_have_no_metadata(tmp_path: Path) -> None:
    block = make.exif(
        {0x013B: "SECRET-artist", 0x010F: "SECRET-make"},
        details={0xA430: "SECRET-owner", 0xA431: "SECRET-serial"},
        gps=make.position(52.5, 13.4),
    )
    data = jpeg(
        exif=block,
        xmp=make.xmp({"dc:creator": ["SECRET-creator"]}),
        iptc=make.iptc({80: "SECRET-iptc"}),
        comment=b"SECRET-comment",
        icc_profile=_profile(),
    )
    assert data.count(b"SECRET") == 7
    found = inspected(tmp_path, data)
    for name, preview in found.previews.items():
        image = opened(found, name)
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert b"SECRET" not in preview
        assert not any(mark in preview for mark in (b"Exif", b"http", b"Photoshop", b"ICC_PROFILE"))


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "GIF"])
def test_previews_of_other_formats_have_no_metadata(tmp_path: Path, format: str) -> None:
    image = picture(64, 48)
    block = make.exif({0x013B: "SECRET"})
    if format == "GIF":
        data = make.encoded(image, format, comment=b"SECRET")
    elif format == "PNG":
        data = make.png_with(image, comment="SECRET", exif=block)
    else:
        data = make.encoded(image, format, exif=block)
    assert b"SECRET" in data
    assert not any(b"SECRET" in preview for preview in inspected(tmp_path, data).previews.values())


def test_transparency_is_shown_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    image.paste((200, 0, 0, 255), (0, 0, 50, 100))
    for data in (make.encoded(image, "PNG"), make.encoded(image.quantize(8), "PNG"), make.encoded(image, "WEBP")):
        shown = opened(inspected(tmp_path, data))
        assert near(shown, (90, 50), (255, 255, 255))
        assert near(shown, (10, 50), (200, 0, 0), bound=20)


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_the_middle_grey_of_16_bits_stays_so(tmp_path: Path, mode: str) -> None:
    data = make.encoded(Image.new(mode, (64, 48), 30_300), "PNG" if mode == "I;16" else "TIFF")
    value = opened(inspected(tmp_path, data)).getpixel((20, 20))
    assert isinstance(value, int)
    assert abs(value - 118) <= 2


def test_cmyk_is_shown_in_rgb(tmp_path: Path) -> None:
    found = inspected(tmp_path, jpeg(image=Image.new("RGB", (64, 48), (200, 30, 30)).convert("CMYK"), quality=95))
    assert found.picture.mode == "CMYK"
    assert opened(found).mode == "RGB"
    assert near(opened(found), (20, 20), (200, 30, 30))


def test_a_broken_colour_profile_is_a_warning(tmp_path: Path) -> None:
    found = inspected(tmp_path, jpeg(64, 48, icc_profile=b"no profile"))
    assert found.picture.warnings == ("The colour profile cannot be used; the colours of the previews may be off.",)
    assert opened(found).size == (64, 48)


def test_colours_are_converted_by_their_profile(tmp_path: Path) -> None:
    """A file in the colours of Lab, said by its profile, comes out in those of sRGB."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    red = ImageCms.profileToProfile(
        Image.new("RGB", (64, 48), (200, 30, 30)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert red is not None
    data = make.encoded(red, "TIFF", icc_profile=profile)
    assert near(opened(inspected(tmp_path, data)), (20, 20), (200, 30, 30))


def test_only_the_first_frame_is_shown(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ((200, 0, 0), (0, 0, 200))]
    data = make.encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert near(opened(inspected(tmp_path, data)), (20, 20), (200, 0, 0))
