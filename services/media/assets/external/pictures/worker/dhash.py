"""The 64-bit difference hash of a picture, by which copies of it are found.

The picture is reduced to 9 × 8 grey values; each bit says whether a value is brighter than the one to its left, row by
row. Source: N. Krawetz, "Kind of Like That", hackerfactor.com, 2013. The result equals `dhash` of the package
imagehash.
"""

from PIL import Image

COLUMNS, ROWS = 9, 8
FLAT = 8
"""A picture whose reduced values differ by less is flat: chance, such as the noise of JPEG, decides on its bits."""
FEW = 4
"""With fewer bits set, or fewer not set, a picture is flat too: all pictures with a plain slope have the same hash."""

_SMALLER = 1024

_TURNS = (
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.ROTATE_180,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)


def dhash(image: Image.Image) -> str:
    """Returns 16 hexadecimal digits, or an empty text for a flat picture."""
    pixels = _grey(image).resize((COLUMNS, ROWS), Image.Resampling.LANCZOS).tobytes()
    if max(pixels) - min(pixels) < FLAT:
        return ""
    bits = [
        pixels[row * COLUMNS + column + 1] > pixels[row * COLUMNS + column]
        for row in range(ROWS)
        for column in range(COLUMNS - 1)
    ]
    if not FEW <= sum(bits) <= len(bits) - FEW:
        return ""
    return f"{int(''.join('1' if bit else '0' for bit in bits), 2):016x}"


def dhashes(image: Image.Image) -> tuple[str, ...]:
    """Returns the hashes of the eight orientations of a picture, as given first; then in the order of EXIF's tag.

    The first one is of the whole picture. A large picture is reduced before it is turned, which changes a bit at most
    where two grey values are the same.
    """
    grey = _grey(image)
    first = dhash(grey)
    if max(grey.size) > _SMALLER:
        grey = grey.reduce(-(-max(grey.size) // _SMALLER))
    return (first, *(dhash(grey.transpose(turn)) for turn in _TURNS))


def _grey(image: Image.Image) -> Image.Image:
    return image if image.mode == "L" else image.convert("L")
