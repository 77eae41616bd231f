"""The words and dates of a file: XMP first, then IPTC, then EXIF; what concerns a person is kept apart."""

from pathlib import Path
from typing import Any

import pytest
from PIL.TiffImagePlugin import IFDRational

from scripts.lib import pictures as make
from services.media.assets.external.pictures.messages import Inspected, Metadata, Personal
from tests.services.media.assets.pictures.made import inspected, jpeg, picture

XMP = {
    "dc:creator": ["Ada", "Ben"],
    "dc:rights": ["© XMP"],
    "photoshop:Credit": "XMP credit",
    "xmpRights:UsageTerms": ["Editorial only"],
    "xmpRights:WebStatement": "https://example.com/terms",
    "xmpRights:Marked": "True",
    "dc:description": ["An XMP caption"],
    "dc:subject": ["sea", "sun", "sea"],
    "photoshop:DateCreated": "2024-05-31T18:30:00+02:00",
    "tiff:Make": "NIKON",
    "tiff:Model": "NIKON D850",
    "plus:ModelReleaseStatus": "http://ns.useplus.org/ldf/vocab/MR-UMR",
    "plus:PropertyReleaseStatus": "http://ns.useplus.org/ldf/vocab/PR-NON",
    "plus:DataMining": "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED",
}
IPTC = {
    25: ["müll", "sky"],
    55: "20240601",
    60: "101112+0100",
    80: "Iva",
    110: "IPTC credit",
    116: "© IPTC",
    120: "An IPTC caption",
}
EXIF = {0x010E: "An EXIF caption", 0x010F: "Canon", 0x0110: "EOS 5D", 0x013B: "Eve", 0x8298: "© EXIF"}
DETAILS = {0x9003: "2024:06:02 08:09:10"}


def described(folder: Path, **blocks: Any) -> Inspected:
    return inspected(folder, jpeg(64, 48, **blocks))


def dated(folder: Path, date: str, offset: str = "") -> Inspected:
    details = {0x9003: date, **({0x9011: offset} if offset else {})}
    return described(folder, exif=make.exif({}, details=details))


def test_all_fields_of_xmp_are_read(tmp_path: Path) -> None:
    assert described(tmp_path, xmp=make.xmp(XMP)).picture.metadata == Metadata(
        creator="Ada, Ben",
        copyright="© XMP",
        credit="XMP credit",
        usage_terms="Editorial only",
        web_statement="https://example.com/terms",
        caption="An XMP caption",
        keywords=("sea", "sun"),
        taken_at="2024-05-31T18:30:00+02:00",
        camera="NIKON D850",
        marked=True,
        model_release="MR-UMR",
        property_release="PR-NON",
        data_mining="DMI-PROHIBITED",
    )


def test_all_fields_of_iptc_are_read(tmp_path: Path) -> None:
    assert described(tmp_path, iptc=make.iptc(IPTC)).picture.metadata == Metadata(
        creator="Iva",
        copyright="© IPTC",
        credit="IPTC credit",
        caption="An IPTC caption",
        keywords=("müll", "sky"),
        taken_at="2024-06-01T10:11:12+01:00",
    )


def test_all_fields_of_exif_are_read(tmp_path: Path) -> None:
    assert described(tmp_path, exif=make.exif(EXIF, details=DETAILS)).picture.metadata == Metadata(
        creator="Eve",
        copyright="© EXIF",
        caption="An EXIF caption",
        taken_at="2024-06-02T08:09:10",
        camera="Canon EOS 5D",
    )


def test_xmp_comes_before_iptc_before_exif(tmp_path: Path) -> None:
    blocks: dict[str, Any] = {
        "xmp": make.xmp({"dc:creator": ["Ada"]}),
        "iptc": make.iptc({80: "Iva", 116: "© IPTC"}),
        "exif": make.exif(EXIF, details=DETAILS),
    }
    found = described(tmp_path, **blocks).picture.metadata
    assert (found.creator, found.copyright, found.caption) == ("Ada", "© IPTC", "An EXIF caption")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_xmp_is_read_in_every_format_that_has_it(tmp_path: Path, format: str) -> None:
    packet = make.xmp(XMP)
    if format == "PNG":
        data = make.png_with(picture(64, 48), xmp=packet)
    elif format == "TIFF":
        data = make.encoded(picture(64, 48), format, tiffinfo={700: packet})
    else:
        data = make.encoded(picture(64, 48), format, xmp=packet)
    assert inspected(tmp_path, data).picture.metadata.creator == "Ada, Ben"


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_exif_is_read_in_every_format_that_has_it(tmp_path: Path, format: str) -> None:
    data = make.encoded(picture(64, 48), format, exif=make.exif(EXIF, details=DETAILS))
    found = inspected(tmp_path, data).picture.metadata
    assert (found.creator, found.camera, found.taken_at) == ("Eve", "Canon EOS 5D", "2024-06-02T08:09:10")


def test_properties_of_xmp_may_be_attributes(tmp_path: Path) -> None:
    packet = make.xmp({}).replace(b'rdf:about=""', b'rdf:about="" photoshop:Credit="Agency"')
    assert described(tmp_path, xmp=packet).picture.metadata.credit == "Agency"


def test_the_default_language_is_taken(tmp_path: Path) -> None:
    items = '<rdf:li xml:lang="de">Meer</rdf:li><rdf:li xml:lang="x-default">sea</rdf:li>'
    packet = make.xmp({"dc:description": "@"}).replace(b"@", f"<rdf:Alt>{items}</rdf:Alt>".encode())
    assert described(tmp_path, xmp=packet).picture.metadata.caption == "sea"


def test_the_licensor_is_found_in_its_structure(tmp_path: Path) -> None:
    item = '<rdf:Seq><rdf:li><rdf:Description plus:LicensorName="House"/></rdf:li></rdf:Seq>'
    packet = make.xmp({"plus:Licensor": "@"}).replace(b"@", item.encode())
    assert described(tmp_path, xmp=packet).picture.metadata.licensor == "House"
    item = '<rdf:Seq><rdf:li rdf:parseType="Resource"><plus:LicensorName>Hall</plus:LicensorName></rdf:li></rdf:Seq>'
    packet = make.xmp({"plus:Licensor": "@"}).replace(b"@", item.encode())
    assert described(tmp_path, xmp=packet).picture.metadata.licensor == "Hall"


@pytest.mark.parametrize(
    "packet",
    [
        b"<not closed",
        b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
    ],
)
def test_xmp_that_cannot_be_read_is_a_warning(tmp_path: Path, packet: bytes) -> None:
    found = described(tmp_path, xmp=packet, exif=make.exif(EXIF)).picture
    assert found.metadata.creator == "Eve"
    assert found.warnings == ("The XMP data cannot be read.",)


def test_too_much_xmp_is_a_warning(tmp_path: Path) -> None:
    data = make.png_with(picture(64, 48), xmp=make.xmp({"dc:description": "a" * 600_000, "dc:rights": "b" * 600_000}))
    found = inspected(tmp_path, data).picture
    assert found.metadata == Metadata()
    assert found.warnings == ("The XMP data are too large and were not read.",)


@pytest.mark.parametrize(
    "date",
    ["0000:00:00 00:00:00", "    :  :     :  :  ", "", "2024:02:30 25:61:61", "2024:02:30 10:00:00", "yesterday"],
)
def test_a_date_that_is_none_is_no_date(tmp_path: Path, date: str) -> None:
    assert dated(tmp_path, date).picture.metadata.taken_at == ""


def test_only_a_date_that_was_set_and_is_none_is_worth_a_warning(tmp_path: Path) -> None:
    assert dated(tmp_path, "0000:00:00 00:00:00").picture.warnings == ()
    assert dated(tmp_path, "2024:02:30 25:61:61").picture.warnings == ("The date in the EXIF data is no date.",)


def test_a_date_without_an_offset_stays_local(tmp_path: Path) -> None:
    assert dated(tmp_path, "2024:05:31 18:30:00").picture.metadata.taken_at == "2024-05-31T18:30:00"
    assert dated(tmp_path, "2024:05:31 18:30:00", "+05:30").picture.metadata.taken_at == "2024-05-31T18:30:00+05:30"
    assert dated(tmp_path, "2024:05:31 18:30:00", "+99:00").picture.metadata.taken_at == "2024-05-31T18:30:00"


def test_the_dates_at_which_a_file_was_made_or_changed_are_not_taken(tmp_path: Path) -> None:
    block = make.exif({0x0132: "2024:05:31 18:30:00"}, details={0x9004: "2024:05:31 18:30:00"})
    packet = make.xmp({"xmp:CreateDate": "2024-05-31T18:30:00", "xmp:ModifyDate": "2024-05-31T18:30:00"})
    assert described(tmp_path, exif=block, xmp=packet).picture.metadata.taken_at == ""


@pytest.mark.parametrize(
    ("day", "time", "taken_at"),
    [("20240601", "", "2024-06-01"), ("20240600", "", ""), ("00000000", "", ""), ("20240601", "256161", "2024-06-01")],
)
def test_dates_of_iptc(tmp_path: Path, day: str, time: str, taken_at: str) -> None:
    block = make.iptc({55: day, **({60: time} if time else {})})
    assert described(tmp_path, iptc=block).picture.metadata.taken_at == taken_at


@pytest.mark.parametrize(
    ("text", "taken_at"),
    [("2024", ""), ("2024-05", ""), ("2024-05-31", "2024-05-31"), ("2024-05-31T18:30", "2024-05-31T18:30")],
)
def test_dates_of_xmp_are_whole_or_none(tmp_path: Path, text: str, taken_at: str) -> None:
    assert described(tmp_path, xmp=make.xmp({"photoshop:DateCreated": text})).picture.metadata.taken_at == taken_at


def test_texts_are_cleaned_and_bounded(tmp_path: Path) -> None:
    block = make.exif({0x013B: "  Ada\0\0 L\x07.\0", 0x010E: "x" * 5000})
    found = described(tmp_path, exif=block).picture.metadata
    assert found.creator == "Ada L."
    assert found.caption == "x" * 2000


def test_utf_8_and_latin_letters_in_exif_and_iptc_are_read(tmp_path: Path) -> None:
    both = described(tmp_path, exif=make.exif({0x013B: "Zoë".encode(), 0x8298: "© Zoë".encode("latin-1")}))
    assert (both.picture.metadata.creator, both.picture.metadata.copyright) == ("Zoë", "© Zoë")
    assert described(tmp_path, iptc=make.iptc({80: "Zoë".encode("latin-1")})).picture.metadata.creator == "Zoë"


def test_keywords_are_bounded(tmp_path: Path) -> None:
    packet = make.xmp({"dc:subject": [f"word {number}" for number in range(500)]})
    assert len(described(tmp_path, xmp=packet).picture.metadata.keywords) == 100


def test_what_concerns_a_person_is_kept_apart(tmp_path: Path) -> None:
    block = make.exif(
        EXIF,
        details={0xA430: "Otto Owner", 0xA431: "BODY-1", 0xA435: "LENS-2"},
        gps=make.position(-33.865, 151.2094),
    )
    found = described(tmp_path, exif=block)
    assert found.personal == Personal(
        latitude=-33.865, longitude=151.2094, owner="Otto Owner", serials=("BODY-1", "LENS-2")
    )
    for secret in ("Otto", "BODY-1", "LENS-2", "33.8", "151.2"):
        assert secret not in repr(found.picture)


def test_a_person_is_found_in_xmp_too(tmp_path: Path) -> None:
    packet = make.xmp(
        {
            "exif:GPSLatitude": "52,31.2N",
            "exif:GPSLongitude": "13,24,36W",
            "aux:OwnerName": "Otto",
            "aux:SerialNumber": "1",
            "exifEX:LensSerialNumber": "2",
        }
    )
    found = described(tmp_path, xmp=packet, exif=make.exif({}, details={0xA431: "3"})).personal
    assert found == Personal(latitude=52.52, longitude=-13.41, owner="Otto", serials=("1", "2", "3"))


ZERO = (IFDRational(0, 0),) * 3


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: ZERO, 3: "E", 4: ZERO},
        {1: "N", 2: make.degrees(0), 3: "E", 4: make.degrees(0)},
        {1: "N", 2: make.degrees(52) * 2, 3: "E", 4: make.degrees(13) * 2},
        {1: "N", 2: make.degrees(91), 3: "E", 4: make.degrees(13)},
        {1: "N", 2: make.degrees(52), 3: "E", 4: make.degrees(181)},
        {2: make.degrees(52), 4: make.degrees(13)},
        {1: "N", 2: make.degrees(52)},
        {0: b"\2\3\0\0"},
    ],
)
def test_a_position_that_is_none_is_a_warning(tmp_path: Path, gps: dict[int, Any]) -> None:
    found = described(tmp_path, exif=make.exif(EXIF, gps=gps))
    assert (found.personal.latitude, found.personal.longitude) == (None, None)
    assert found.picture.warnings == ("The GPS data have no position that can be read.",)
    assert found.picture.metadata.creator == "Eve"


@pytest.mark.parametrize(
    "block", [b"Exif\0\0", b"Exif\0\0II*\0", b"Exif\0\0" * 3 + b"MM\0*\0\0\0\x08", b"Exif\0\0" + b"\xff" * 50]
)
def test_exif_that_cannot_be_read_is_a_warning(tmp_path: Path, block: bytes) -> None:
    found = described(tmp_path, exif=block, xmp=make.xmp({"dc:creator": ["Ada"]})).picture
    assert (found.metadata.creator, found.width, len(found.warnings)) == ("Ada", 64, 1)
    assert "EXIF" in found.warnings[0]


def test_a_doubled_header_of_exif_is_read(tmp_path: Path) -> None:
    block = b"Exif\0\0" + make.exif(EXIF, gps=make.position(52.5, 13.4))
    found = described(tmp_path, exif=block)
    assert (found.personal.latitude, found.picture.metadata.creator) == (52.5, "Eve")


def test_broken_iptc_does_no_harm(tmp_path: Path) -> None:
    whole = make.iptc(IPTC)
    for cut in range(1, len(whole), 7):
        assert described(tmp_path, iptc=whole[:cut]).picture.width == 64
    assert described(tmp_path, iptc=b"\x1c\x02\x50\xff\xff").picture.width == 64


def test_broken_exif_does_no_harm(tmp_path: Path) -> None:
    whole = make.exif(EXIF, details=DETAILS, gps=make.position(52.5, 13.4))
    for cut in range(8, len(whole), 5):
        assert described(tmp_path, exif=whole[:cut]).picture.width == 64


def test_a_picture_without_metadata_has_none(tmp_path: Path) -> None:
    found = described(tmp_path)
    assert (found.picture.metadata, found.personal, found.picture.warnings) == (Metadata(), Personal(), ())
