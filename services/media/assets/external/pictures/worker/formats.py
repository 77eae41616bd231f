"""Opens a picture by its content and decodes it; each fault becomes a refusal with its reason."""

import errno
import hashlib
import io
import resource
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import (
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from services.media.assets.external.pictures.messages import Reason, Unreadable

NAMES = {
    JpegImagePlugin.JpegImageFile.format: "JPEG",
    MpoImagePlugin.MpoImageFile.format: "JPEG",  # a phone's JPEG with a second picture
    PngImagePlugin.PngImageFile.format: "PNG",
    WebPImagePlugin.WebPImageFile.format: "WEBP",
    TiffImagePlugin.TiffImageFile.format: "TIFF",
    GifImagePlugin.GifImageFile.format: "GIF",
}
"""The formats of Pillow that are read, and how they are called. No other plugin is imported."""

_OPENED = [name for name in NAMES if name != MpoImagePlugin.MpoImageFile.format]
"""Pillow opens MPO as JPEG. Asked for a name that it does not open, it would import the plugins of all formats."""

SMALLER = 2048
"""JPEG can be decoded smaller, which takes less memory; a very large one is, to this width or height at least."""
_VERY_LARGE = 60_000_000

_KNOWN: list[tuple[str, Callable[[bytes], bool]]] = [
    ("JPEG", lambda head: head.startswith(b"\xff\xd8\xff")),
    ("PNG", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n")),
    ("GIF", lambda head: head.startswith((b"GIF87a", b"GIF89a"))),
    ("WEBP", lambda head: _is_webp(head)),
    ("TIFF", lambda head: head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))),
    ("BMP", lambda head: head.startswith(b"BM")),
    ("PDF", lambda head: head.startswith(b"%PDF")),
    ("PSD", lambda head: head.startswith(b"8BPS")),
    ("HEIC or AVIF", lambda head: head[4:8] == b"ftyp"),
    ("PostScript", lambda head: head.startswith(b"%!PS")),
    ("SVG", lambda head: b"<svg" in head[:256]),
]

_BYTES_OF_WEBP = 8
"""Bytes for each pixel of a WebP: its decoder holds two frames of four."""

_OF_THE_MACHINE = {errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.ESTALE}

_ENDS = tuple(filler * 64 + b"\xff\xd9" for filler in (b"\x00", b"\x55"))

Image.MAX_IMAGE_PIXELS = None  # there is a limit of our own, which refuses instead of warning


@contextmanager
def opened(path: Path, pixels: int) -> Iterator[Image.Image]:
    """Opens a picture without decoding it.

    Raises:
        Unreadable: the file is empty, no picture, of a format that is not read, or has more than `pixels` pixels in
            all of its frames.
    """
    with path.open("rb") as file:
        head = file.read(256)
        if not head:
            raise Unreadable(Reason.EMPTY, "The file is empty.")
        file.seek(0)
        if _is_webp(head):
            _check_webp(head, pixels)
        with _faults("opened"):
            try:
                image = Image.open(file, formats=_OPENED)
            except UnidentifiedImageError:
                raise _refused(head) from None
        with image:
            _check_size(image, pixels)
            yield image


def decode(image: Image.Image, path: Path) -> Image.Image:
    """Decodes the first frame, whole: only this finds that a file is cut.

    Returns:
        The image, or that of the completed file if nothing but the end mark of a JPEG is missing.

    Raises:
        Unreadable: the file is cut or damaged.
    """
    try:
        if isinstance(image, PngImagePlugin.PngImageFile):
            _verify(path)
        return _loaded(image)
    except Unreadable as refused:
        completed = _completed(path) if refused.reason is Reason.TRUNCATED and _is_jpeg(image) else None
        if completed is None:
            raise
        return completed


def _verify(path: Path) -> None:
    """Checks the checksums of a PNG, which are not looked at when it is decoded."""
    with _faults("verified"), Image.open(path, formats=["PNG"]) as image:
        image.verify()


def _loaded(image: Image.Image) -> Image.Image:
    with _faults("decoded"):
        if image.width * image.height > _VERY_LARGE:
            image.draft(None, _smaller(image.size))
        image.load()
    return image


def _completed(path: Path) -> Image.Image | None:
    """Returns the image of a cut JPEG with two different ends if it is the same with both: then nothing is missing."""
    data, seen = path.read_bytes(), set()
    for end in _ENDS:
        with _faults("decoded"):
            image = _loaded(Image.open(io.BytesIO(data + end), formats=["JPEG"]))
        seen.add(hashlib.sha256(image.tobytes()).digest())
    return image if len(seen) == 1 else None


def _is_jpeg(image: Image.Image) -> bool:
    return isinstance(image, JpegImagePlugin.JpegImageFile)


def frames(image: Image.Image) -> int:
    """Returns the number of frames; the second picture of a phone's JPEG is none.

    Raises:
        Unreadable: the frames cannot be counted.
    """
    if _is_jpeg(image):
        return 1
    with _faults("counted"):
        return int(getattr(image, "n_frames", 1))


def _check_size(image: Image.Image, pixels: int) -> None:
    if image.width * image.height > pixels:
        raise _too_many(image.width, image.height, pixels)
    count = frames(image)
    if image.width * image.height * count > pixels:
        sentence = f"The picture has {count} frames of {image.width} × {image.height} pixels; {pixels} are the most."
        raise Unreadable(Reason.TOO_MANY_PIXELS, sentence)


def _is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def _check_webp(head: bytes, pixels: int) -> None:
    """The decoder of WebP takes the memory for a picture as it opens the file, so its size is read before that.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    kind = head[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    if width * height > pixels:
        raise _too_many(width, height, pixels)
    if width * height * _BYTES_OF_WEBP > resource.getrlimit(resource.RLIMIT_AS)[0] >= 0:
        raise MemoryError


def _too_many(width: int, height: int, pixels: int) -> Unreadable:
    sentence = f"The picture has {width} × {height} pixels; {pixels} pixels in all are the most."
    return Unreadable(Reason.TOO_MANY_PIXELS, sentence)


def _smaller(size: tuple[int, int]) -> tuple[int, int]:
    scale = SMALLER / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _refused(head: bytes) -> Unreadable:
    name = next((name for name, fits in _KNOWN if fits(head)), "")
    if name in NAMES.values():
        return Unreadable(Reason.CORRUPT, f"The file begins as {name}, but its header cannot be read.")
    if name:
        return Unreadable(Reason.UNSUPPORTED_FORMAT, f"The file is {name}; JPEG, PNG, WebP, TIFF and GIF are read.")
    return Unreadable(Reason.NOT_A_PICTURE, "The content of the file is no picture.")


def is_of_the_machine(error: Exception) -> bool:
    """Returns whether no picture is to blame: no content of a file leads to one of these errors."""
    return isinstance(error, OSError) and error.errno in _OF_THE_MACHINE


@contextmanager
def _faults(done: str) -> Iterator[None]:
    """A decoder can fail with any exception on a file that was made for it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        if is_of_the_machine(error):
            raise
        if "out of memory" in str(error):
            raise MemoryError from error
        if "truncated" in str(error).lower():
            raise Unreadable(Reason.TRUNCATED, "The file is cut: a part of the picture is missing.") from error
        text = f"The file is damaged and cannot be {done} ({type(error).__name__})."
        raise Unreadable(Reason.CORRUPT, text) from error
