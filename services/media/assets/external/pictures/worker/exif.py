"""Reads EXIF (CIPA DC-008)."""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from PIL import Image

from services.media.assets.external.pictures.messages import Metadata, Personal
from services.media.assets.external.pictures.worker.found import Found, position
from services.media.assets.external.pictures.worker.notes import (
    MAX_CAPTION,
    MAX_TEXT,
    Notes,
    clean,
    decoded,
    distinct,
    exif_date,
)

CAPTION, MAKE, MODEL, ORIENTATION, ARTIST, COPYRIGHT = 0x010E, 0x010F, 0x0110, 0x0112, 0x013B, 0x8298
DETAILS, GPS = 0x8769, 0x8825
TAKEN_AT, OFFSET, OWNER, SERIAL, LENS_SERIAL = 0x9003, 0x9011, 0xA430, 0xA431, 0xA435
LATITUDE_REF, LATITUDE, LONGITUDE_REF, LONGITUDE = 1, 2, 3, 4


def orientation(image: Image.Image) -> int:
    """Returns the tag Orientation, or 1 if there is none that can be read."""
    try:
        with warnings.catch_warnings(action="ignore"):
            value = image.getexif().get(ORIENTATION, 1)
        return int(value)
    except MemoryError:
        raise
    except Exception:  # bytes that were made to break the parser
        return 1


def read(image: Image.Image, notes: Notes) -> Found:
    with _noted(notes):
        exif = _block(image)
        details, gps = exif.get_ifd(DETAILS), exif.get_ifd(GPS)
        main: Mapping[int, Any] = dict(exif)
    taken_at = exif_date(_text(details, TAKEN_AT), _text(details, OFFSET), notes)
    metadata = Metadata(
        creator=_text(main, ARTIST),
        copyright=_text(main, COPYRIGHT),
        caption=_text(main, CAPTION, MAX_CAPTION),
        taken_at=taken_at,
        camera=camera(_text(main, MAKE), _text(main, MODEL)),
    )
    place = _position(gps, notes) if GPS in main else None
    personal = Personal(
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
        owner=_text(details, OWNER),
        serials=distinct([_text(details, SERIAL), _text(details, LENS_SERIAL)]),
    )
    return Found(metadata=metadata, personal=personal)


def camera(make: str, model: str) -> str:
    """Returns make and model; many models begin with their make."""
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def _block(image: Image.Image) -> Image.Exif:
    """Returns the block of a file, parsed again: Pillow parses it as it opens the file, and is silent about faults."""
    data = image.info.get("exif")
    if not data:
        return image.getexif()
    block = Image.Exif()
    block.load(data)
    if not block:
        raise ValueError("there is a header, and nothing in it")
    return block


@contextmanager
def _noted(notes: Notes) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        yield
    if heard:
        notes.warn("A part of the EXIF data cannot be read.")


def _text(tags: Mapping[int, Any], tag: int, longest: int = MAX_TEXT) -> str:
    """Returns a text. Pillow reads EXIF's bytes as Latin-1; many programs write UTF-8 there."""
    value = tags.get(tag, "")
    if isinstance(value, str):
        try:
            value = value.encode("latin-1")
        except UnicodeEncodeError:
            return clean(value, longest)
    return clean(decoded(value), longest) if isinstance(value, bytes) else ""


def _position(gps: Mapping[int, Any], notes: Notes) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(LATITUDE), _text(gps, LATITUDE_REF), "NS")
    longitude = _degrees(gps.get(LONGITUDE), _text(gps, LONGITUDE_REF), "EW")
    found = position(latitude, longitude)
    if found is None:
        notes.warn("The GPS data have no position that can be read.")
    return found


def _degrees(value: Any, direction: str, directions: str) -> float | None:
    """Returns degrees from degrees, minutes and seconds; a denominator of 0 gives NaN, which is no number of them."""
    if not isinstance(value, tuple) or len(value) != 3 or direction.upper() not in tuple(directions):
        return None
    degrees, minutes, seconds = (float(part) for part in value)
    total = degrees + minutes / 60 + seconds / 3600
    if not math.isfinite(total):
        return None
    return round(-total if direction.upper() == directions[1] else total, 7)
