"""The inspection of one file, from its bytes to the result."""

from collections.abc import Mapping
from pathlib import Path

from services.media.assets.external.pictures.messages import Inspected, Personal, Picture
from services.media.assets.external.pictures.worker import exif, formats, metadata
from services.media.assets.external.pictures.worker.delivery import delivery
from services.media.assets.external.pictures.worker.dhash import dhashes
from services.media.assets.external.pictures.worker.notes import Notes
from services.media.assets.external.pictures.worker.previews import grey, plain, previews, upright


def inspect(path: Path, pixels: int) -> Inspected:
    """Decodes a picture whole and returns its facts and its previews.

    Raises:
        Unreadable: the file is refused.
        MemoryError: the picture does not fit into the memory of this process.
    """
    picture, personal, made, turned = _decoded(path, pixels)
    delivered = delivery(path, picture.format, picture.metadata, turned)
    return Inspected(picture=picture, personal=personal, previews=made, delivery=delivered)


def _decoded(path: Path, pixels: int) -> tuple[Picture, Personal, Mapping[str, bytes], int]:
    """Returns also the orientation. The pixels are gone from the memory when it returns."""
    with formats.opened(path, pixels) as image:
        notes = Notes()
        known, personal = metadata.read(image, notes)
        size, mode, frames = image.size, image.mode, formats.frames(image)
        whole = formats.decode(image, path)
        turned = exif.orientation(image)
        if turned in (5, 6, 7, 8):
            size = (size[1], size[0])
        profile = image.info.get("icc_profile") or b""
        shown = upright(plain(whole), turned)
        hashes = dhashes(grey(shown))
        made = previews(shown, profile, notes)
    picture = Picture(
        format=formats.NAMES[image.format or ""],
        width=size[0],
        height=size[1],
        mode=mode,
        frames=frames,
        dhash=hashes[0],
        orientations=hashes,
        metadata=known,
        warnings=notes.warnings,
    )
    return picture, personal, made, turned
