"""Reads IPTC IIM 4.2, which is in JPEG and TIFF."""

from PIL import Image, IptcImagePlugin
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from services.media.assets.external.pictures.messages import Metadata
from services.media.assets.external.pictures.worker.found import Found
from services.media.assets.external.pictures.worker.notes import (
    MAX_CAPTION,
    MAX_TEXT,
    Notes,
    clean,
    decoded,
    distinct,
    iso_date,
)

KEYWORDS, DATE, TIME, CREATOR = (2, 25), (2, 55), (2, 60), (2, 80)
CREDIT, COPYRIGHT, CAPTION = (2, 110), (2, 116), (2, 120)

Records = dict[tuple[int, int], list[bytes]]


def read(image: Image.Image, notes: Notes) -> Found:
    records = _records(image)
    metadata = Metadata(
        creator=", ".join(distinct([decoded(one) for one in records.get(CREATOR, [])]))[:MAX_TEXT],
        copyright=_text(records, COPYRIGHT),
        credit=_text(records, CREDIT),
        caption=_text(records, CAPTION, MAX_CAPTION),
        keywords=distinct([decoded(one) for one in records.get(KEYWORDS, [])]),
        taken_at=_taken_at(_text(records, DATE), _text(records, TIME), notes),
    )
    return Found(metadata=metadata)


def _records(image: Image.Image) -> Records:
    if not isinstance(image, JpegImageFile | TiffImageFile):
        return {}
    info = IptcImagePlugin.getiptcinfo(image) or {}
    return {key: value if isinstance(value, list) else [value] for key, value in info.items()}


def _text(records: Records, key: tuple[int, int], longest: int = MAX_TEXT) -> str:
    values = records.get(key, [])
    return clean(decoded(values[0]), longest) if values else ""


def _taken_at(day: str, time: str, notes: Notes) -> str:
    """Returns ISO 8601 from CCYYMMDD and HHMMSS±HHMM; zeros in place of a part of the day mean that it is unknown."""
    if not day.strip("0"):
        return ""
    if len(day) == 8:
        day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if len(time) in (6, 11):
        zone = f"{time[6:9]}:{time[9:]}" if len(time) == 11 else ""
        both = iso_date(f"{day}T{time[:2]}:{time[2:4]}:{time[4:6]}{zone}", "IPTC", notes)
        if both:
            return both
    return iso_date(day, "IPTC", notes)
