"""The hash of a picture stays near for copies, and is far for other pictures."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance

from scripts.lib import pictures as make
from services.media.assets.external.pictures.worker.dhash import dhash, dhashes
from tests.services.media.assets.pictures.made import inspected, jpeg, picture

SURE, MAYBE = 4, 10


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


@pytest.mark.parametrize(
    ("image", "hash"),
    [
        (picture(seed=0), "8c90f2f3da73c6c6"),
        (picture(seed=1), "6425b1b160444c5a"),
        (picture(seed=2), "d96466c3b5a5cc99"),
        (picture(seed=3), "4618584064a79232"),
        (picture(seed=4), "991bb6a42647cf9c"),
        (picture(seed=5), "326a4f1fb4684919"),
        (picture(101, 333, 7), "c64c68eaadb1b3eb"),
        (picture(1600, 900, 8).convert("CMYK"), "c424319b9acdcccc"),
    ],
)
def test_the_hash_equals_that_of_the_package_imagehash(image: Image.Image, hash: str) -> None:
    """The values are those of imagehash 4.3.2 with Pillow 13."""
    assert dhash(image) == hash


def _reencoded(image: Image.Image, quality: int) -> Image.Image:
    return Image.open(io.BytesIO(jpeg(image=image, quality=quality))).convert("RGB")


@pytest.mark.parametrize("seed", range(10))
def test_copies_match(seed: int) -> None:
    original = picture(seed=seed)
    width, height = original.size
    copies = {
        "JPEG 10": _reencoded(original, 10),
        "a quarter": original.resize((width // 4, height // 4)),
        "grey": original.convert("L"),
        "contrast": ImageEnhance.Contrast(original).enhance(0.7),
    }
    far = {name: distance(dhash(original), dhash(copy)) for name, copy in copies.items()}
    assert {name: bits for name, bits in far.items() if bits > SURE} == {}


@pytest.mark.slow
def test_other_pictures_do_not_match() -> None:
    hashes = [dhash(picture(seed=seed)) for seed in range(40)]
    near = [(a, b) for a in range(40) for b in range(a) if distance(hashes[a], hashes[b]) <= MAYBE]
    assert near == []


@pytest.mark.parametrize("seed", range(5))
def test_a_turned_or_mirrored_copy_matches_one_of_the_eight(seed: int) -> None:
    original = picture(seed=seed)
    hashes = dhashes(original)
    assert len(set(hashes)) == 8
    for turn in Image.Transpose:
        turned = dhash(original.transpose(turn))
        assert turned in hashes[1:]
        assert distance(turned, hashes[0]) > MAYBE


@pytest.mark.slow
def test_the_hashes_of_a_large_picture_are_near_those_of_the_whole() -> None:
    large = picture(3000, 2000, 3)
    hashes = dhashes(large)
    assert hashes[0] == dhash(large)
    assert distance(hashes[1], dhash(large.transpose(Image.Transpose.FLIP_LEFT_RIGHT))) <= 2
    assert distance(hashes[5], dhash(large.transpose(Image.Transpose.ROTATE_270))) <= 2


def _slope(horizontal: bool) -> Image.Image:
    slope = Image.linear_gradient("L")
    return slope.transpose(Image.Transpose.ROTATE_90) if horizontal else slope


@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (100, 100), "white"),
        Image.new("L", (100, 100), 0),
        Image.effect_noise((200, 200), 4),
        _slope(True),
        _slope(False),
        _slope(True).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    ],
)
def test_a_flat_picture_has_no_hash(image: Image.Image) -> None:
    assert dhash(image) == ""


def test_the_hash_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    upright = picture(400, 300)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    found = inspected(tmp_path, jpeg(image=turned, quality=95, exif=make.exif({0x0112: 6}))).picture
    assert distance(found.dhash, dhash(upright)) <= 2
    assert found.orientations[0] == found.dhash


def test_a_transparent_picture_has_the_hash_of_its_copy_on_white(tmp_path: Path) -> None:
    seen = picture(400, 300)
    mask = Image.new("L", seen.size, 0)
    mask.paste(255, (0, 0, 200, 300))
    clear = seen.copy()
    clear.putalpha(mask)
    white = Image.composite(seen, Image.new("RGB", seen.size, "white"), mask)
    found = inspected(tmp_path, make.encoded(clear, "PNG")).picture
    assert distance(found.dhash, dhash(white)) <= 2
