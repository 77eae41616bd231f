"""Reads XMP (ISO 16684-1) with the vocabularies of Dublin Core, Photoshop, EXIF, PLUS and IPTC."""

import re
from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring
from PIL import Image

from services.media.assets.external.pictures.messages import Metadata, Personal
from services.media.assets.external.pictures.worker.exif import camera
from services.media.assets.external.pictures.worker.found import Found, position
from services.media.assets.external.pictures.worker.notes import (
    MAX_CAPTION,
    MAX_TEXT,
    Notes,
    clean,
    distinct,
    iso_date,
)

LONGEST = 1 << 20
"""Bytes of XMP that are read. More of it is refused with a warning, and the picture is accepted."""

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
PHOTOSHOP = "{http://ns.adobe.com/photoshop/1.0/}"
RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
TIFF = "{http://ns.adobe.com/tiff/1.0/}"
EXIF = "{http://ns.adobe.com/exif/1.0/}"
EXIF_EX = "{http://cipa.jp/exif/1.0/}"
AUX = "{http://ns.adobe.com/exif/1.0/aux/}"
PLUS = "{http://ns.useplus.org/ldf/xmp/1.0/}"

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_ANGLE = re.compile(r"(\d{1,3}),(\d{1,2}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])")

Properties = dict[str, list[str]]


def read(image: Image.Image, notes: Notes) -> Found:
    data = image.info.get("xmp", b"")
    data = data.encode() if isinstance(data, str) else bytes(data)
    data = data.strip(b"\0 \r\n\t")
    if not data:
        return Found()
    if len(data) > LONGEST:
        notes.warn("The XMP data are too large and were not read.")
        return Found()
    found = _properties(fromstring(data, forbid_dtd=True))
    return Found(metadata=_metadata(found, notes), personal=_personal(found, notes))


def _properties(root: Element) -> Properties:
    """Returns the values of each property of the descriptions: one, or those of a list; of languages the default."""
    found: Properties = {}
    for description in root.iter(f"{RDF}Description"):
        for name, value in description.attrib.items():
            found.setdefault(name, [value])
        for child in description:
            found.setdefault(child.tag, _values(child))
    for licensor in root.iter(f"{PLUS}LicensorName"):  # in a list of structures, of which the first is taken
        found.setdefault(licensor.tag, _values(licensor))
    return found


def _values(node: Element) -> list[str]:
    items = list(node.iter(f"{RDF}li"))
    if not items:
        return [node.get(f"{RDF}resource") or node.text or ""]
    if node.find(f"{RDF}Alt") is not None:
        items.sort(key=lambda item: item.get(_LANGUAGE) != "x-default")
    return ["".join(item.itertext()) for item in items]


def _metadata(found: Properties, notes: Notes) -> Metadata:
    return Metadata(
        creator=", ".join(distinct(found.get(f"{DC}creator", [])))[:MAX_TEXT],
        copyright=_text(found, f"{DC}rights"),
        credit=_text(found, f"{PHOTOSHOP}Credit"),
        usage_terms=_text(found, f"{RIGHTS}UsageTerms", longest=MAX_CAPTION),
        web_statement=_text(found, f"{RIGHTS}WebStatement"),
        caption=_text(found, f"{DC}description", longest=MAX_CAPTION),
        keywords=distinct(found.get(f"{DC}subject", [])),
        taken_at=_taken_at(found, notes),
        camera=camera(_text(found, f"{TIFF}Make"), _text(found, f"{TIFF}Model")),
        marked={"true": True, "false": False}.get(_text(found, f"{RIGHTS}Marked").lower()),
        licensor=_text(found, f"{PLUS}LicensorName"),
        model_release=_code(found, f"{PLUS}ModelReleaseStatus"),
        property_release=_code(found, f"{PLUS}PropertyReleaseStatus"),
        data_mining=_code(found, f"{PLUS}DataMining"),
    )


def _personal(found: Properties, notes: Notes) -> Personal:
    names = (f"{EXIF}GPSLatitude", f"{EXIF}GPSLongitude")
    angles = [_degrees(_text(found, name)) for name in names]
    place = position(*angles)
    if place is None and any(name in found for name in names):
        notes.warn("The XMP data have no position that can be read.")
    serials = (
        f"{EXIF_EX}BodySerialNumber",
        f"{AUX}SerialNumber",
        f"{EXIF_EX}LensSerialNumber",
        f"{AUX}LensSerialNumber",
    )
    return Personal(
        latitude=place[0] if place else None,
        longitude=place[1] if place else None,
        owner=_text(found, f"{EXIF_EX}CameraOwnerName", f"{AUX}OwnerName"),
        serials=distinct([_text(found, name) for name in serials]),
    )


def _text(found: Properties, *names: str, longest: int = MAX_TEXT) -> str:
    texts = (clean(values[0], longest) for name in names if (values := found.get(name)))
    return next((text for text in texts if text), "")


def _code(found: Properties, name: str) -> str:
    """Returns the code at the end of the address that PLUS gives to each of its terms."""
    return _text(found, name).rstrip("/").rpartition("/")[2]


def _taken_at(found: Properties, notes: Notes) -> str:
    """The time when a file was made is another one: that of a scan, or of a copy."""
    names = (f"{PHOTOSHOP}DateCreated", f"{EXIF}DateTimeOriginal")
    dates = (iso_date(_text(found, name), "XMP", notes) for name in names)
    return next((date for date in dates if date), "")


def _degrees(text: str) -> float | None:
    """Returns degrees from a text such as "52,31.2N" or "52,31,12N"."""
    parts = _ANGLE.fullmatch(text)
    if parts is None:
        return None
    total = int(parts[1]) + float(parts[2]) / 60 + float(parts[3] or 0) / 3600
    return round(-total if parts[4] in "SW" else total, 7)
