"""The recipe of a delivery: which bytes of a content are delivered, and what is put between them."""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence

from services.media.assets.application.ports import Part

_BLANK = 1 << 16


def written(parts: Sequence[Part]) -> bytes:
    return json.dumps([[part.start, part.stop, b64encode(part.new).decode(), part.blank] for part in parts]).encode()


def read(recipe: bytes) -> Sequence[Part]:
    return [
        Part(start=start, stop=stop, new=b64decode(new), blank=blank) for start, stop, new, blank in json.loads(recipe)
    ]


async def delivered(pieces: AsyncIterator[bytes], parts: Sequence[Part]) -> AsyncIterator[bytes]:
    """Yields what a recipe makes of a content. The parts are in the order of the content, which is read once."""
    piece, begin = b"", 0
    for part in parts:
        if part.new:
            yield part.new
        for at in range(0, part.blank, _BLANK):
            yield bytes(min(_BLANK, part.blank - at))
        start = part.start
        while start < part.stop:
            while start >= begin + len(piece):
                begin += len(piece)
                piece = await anext(pieces)
            some = piece[start - begin : part.stop - begin]
            yield some
            start += len(some)
