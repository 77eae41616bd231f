"""Keyed digests: of the bodies of requests, and tags on texts that come back from clients.

The digest of a body shows whether a repeated request has the body of the first one. It is keyed, so that personal data
in a body cannot be guessed from it. A key can be changed: the one before still recognises what was hashed with it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypedDict

TAG_BYTES = 16


class Hashed(TypedDict):
    """The arguments of a Cause that are about the body of its request."""

    digest: str
    digest_key: str
    digests_before: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DigestKeys:
    """The keys by their ids, the current one first. An id tells nothing of its key."""

    keys: Mapping[str, bytes]

    @classmethod
    def of(cls, *secrets: str) -> Self:
        """Returns the keys of secrets, the current one first; empty ones are left out."""
        keys = [hashlib.blake2b(secret.encode()).digest() for secret in secrets if secret]
        return cls({hashlib.blake2b(key, digest_size=4, person=b"treaty key id").hexdigest(): key for key in keys})

    def hashed(self, body: bytes) -> Hashed:
        """Returns the digest of a body under every key."""
        made = {id: hashlib.blake2b(body, key=key, digest_size=16).hexdigest() for id, key in self.keys.items()}
        current = next(iter(made))
        return Hashed(digest=made.pop(current), digest_key=current, digests_before=made)

    def tag(self, data: bytes) -> bytes:
        """Returns a tag under the current key, of TAG_BYTES bytes; only the owner of the key can make it."""
        return _tag(next(iter(self.keys.values())), data)

    def is_tag(self, tag: bytes, data: bytes) -> bool:
        """Returns whether the data has this tag under one of the keys."""
        return any(hmac.compare_digest(tag, _tag(key, data)) for key in self.keys.values())


def _tag(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2b(data, key=key, digest_size=TAG_BYTES, person=b"treaty tag").digest()
