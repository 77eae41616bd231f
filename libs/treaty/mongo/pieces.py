"""Large bodies in MongoDB, in pieces: a document has at most 16 MB, and a message may have more."""

import hashlib
from typing import Any

from treaty.messaging.quarantine import LARGE
from treaty.mongo.driver import reaching

_MARK = b"\x0ftreaty: in pieces "
"""No protobuf message begins with this byte, so code that does not know references cannot read one as a message."""

REFERENCE_BYTES = len(_MARK) + 32


class Pieces:
    """Keeps the bodies of one collection's documents, in a collection beside it.

    A large body is replaced by a reference: a mark and the digest of the body. The pieces are written before the
    document that has the reference. Pieces without a document are harmless.
    """

    def __init__(self, collection: Any) -> None:
        self._pieces = collection

    async def prepare(self) -> None:
        with reaching():
            await self._pieces.create_index([("owner", 1), ("digest", 1), ("n", 1)], name="owner")

    async def put(self, owner: str, body: bytes) -> bytes:
        """Keeps a body for the document `owner`; returns the bytes to put into that document."""
        if len(body) <= LARGE:
            return body
        digest = _digest(body)
        for n, start in enumerate(range(0, len(body), LARGE)):
            await self._put_piece(owner, digest, n, body[start : start + LARGE])
        return _MARK + digest

    async def get(self, owner: str, stored: bytes) -> bytes:
        """Returns the body for the bytes that are in the document `owner`.

        A body may look like a reference and be none, or its pieces may be gone: then these are the bytes themselves.
        """
        if len(stored) != REFERENCE_BYTES or not stored.startswith(_MARK):
            return stored
        digest = stored.removeprefix(_MARK)
        with reaching():
            found = self._pieces.find({"owner": owner, "digest": digest}, batch_size=4).sort("n", 1)
            body = b"".join([piece["data"] async for piece in found])
        return body if _digest(body) == digest else stored

    async def sweep(self, owner: str) -> None:
        """Removes all pieces of a document, which is gone."""
        with reaching():
            await self._pieces.delete_many({"owner": owner})

    async def _put_piece(self, owner: str, digest: bytes, n: int, data: bytes) -> None:
        piece = {"_id": f"{owner}/{digest.hex()}/{n}", "owner": owner, "digest": digest, "n": n, "data": data}
        with reaching():
            await self._pieces.replace_one({"_id": piece["_id"]}, piece, upsert=True)


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=32).digest()
