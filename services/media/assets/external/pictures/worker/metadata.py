"""The words of a file about its picture: XMP first, then IPTC, then EXIF."""

from collections.abc import Callable

from PIL import Image

from services.media.assets.external.pictures.messages import Metadata, Personal
from services.media.assets.external.pictures.worker import exif, iptc, xmp
from services.media.assets.external.pictures.worker.found import Found, merged
from services.media.assets.external.pictures.worker.notes import Notes

_READERS: dict[str, Callable[[Image.Image, Notes], Found]] = {"XMP": xmp.read, "IPTC": iptc.read, "EXIF": exif.read}


def read(image: Image.Image, notes: Notes) -> tuple[Metadata, Personal]:
    """Reads what is known about an opened picture. A part that cannot be read gives a warning."""
    return merged([_read(name, reader, image, notes) for name, reader in _READERS.items()])


def _read(name: str, reader: Callable[[Image.Image, Notes], Found], image: Image.Image, notes: Notes) -> Found:
    try:
        return reader(image, notes)
    except MemoryError:
        raise
    except Exception:  # the parsers fail with any exception on bytes that were made for it
        notes.warn(f"The {name} data cannot be read.")
        return Found()
