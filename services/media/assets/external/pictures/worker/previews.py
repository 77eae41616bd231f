"""Makes a decoded picture upright and plain, and its previews."""

import io

from PIL import Image, ImageCms

from services.media.assets.external.pictures.worker.notes import Notes

SIZES = {"large": 1024, "small": 256}
"""The largest width and height of each preview in pixels, the largest preview first. Nothing is enlarged."""

_QUALITY = 85
_SRGB = ImageCms.createProfile("sRGB")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The turn that makes a picture upright, by the value of the tag Orientation (EXIF 2.3, tag 0x0112)."""


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Returns the picture turned upright; a value that is no orientation means that it is."""
    turn = _TURNS.get(orientation)
    return image if turn is None else image.transpose(turn)


def plain(image: Image.Image) -> Image.Image:
    """Returns the picture in the mode L, RGB, RGBA or CMYK, with 8 bits for each of them."""
    if image.mode in ("L", "RGB", "RGBA", "CMYK"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(image)
    if image.mode in ("LA", "La", "PA", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scales 16 bits to 8, and brighter values than 16 bits can hold so that they fit."""
    values = image.convert("F")
    high = values.getextrema()[1]
    assert isinstance(high, float)
    most = 65_535.0 if image.mode != "F" and high <= 65_535 else max(high, 1.0)
    return values.point(lambda value: value * (255 / most) + 0.5).convert("L")


def flattened(image: Image.Image) -> Image.Image:
    """Returns a plain picture without transparency, on white."""
    if image.mode != "RGBA":
        return image
    white = Image.new("RGB", image.size, "white")
    white.paste(image, mask=image.getchannel("A"))
    return white


def grey(image: Image.Image) -> Image.Image:
    """Returns the grey values of a plain picture, on white."""
    values = image if image.mode == "L" else image.convert("L")
    if image.mode != "RGBA":
        return values
    white = Image.new("L", image.size, 255)
    white.paste(values, mask=image.getchannel("A"))
    return white


def previews(image: Image.Image, profile: bytes, notes: Notes) -> dict[str, bytes]:
    """Returns the previews of a plain, upright picture with its colour profile, as JPEG by their name."""
    shown, made = _at_most(image, max(SIZES.values())), {}
    shown = _in_srgb(flattened(shown), profile, notes)
    for name, edge in SIZES.items():
        shown = _at_most(shown, edge)
        made[name] = _jpeg(shown)
    return made


def _at_most(image: Image.Image, edge: int) -> Image.Image:
    scale = min(1.0, edge / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0) if size != image.size else image


def _in_srgb(image: Image.Image, profile: bytes, notes: Notes) -> Image.Image:
    if profile and image.mode != "L":
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            notes.warn("The colour profile cannot be used; the colours of the previews may be off.")
    return image if image.mode == "L" else image.convert("RGB")


def _jpeg(image: Image.Image) -> bytes:
    image.info.clear()  # it has comments and profiles, and a format may write them by itself
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_QUALITY, optimize=True)
    return out.getvalue()
