"""Personal data is stored beside the log, where it can be deleted; commits hold a reference.

The pattern is forgettable payloads (Mathias Verraes).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol


class PersonalData(Protocol):
    """Keeps personal data of one context: one document for each set of data of a subject.

    Commits are immutable, so they must not contain personal data. A commit holds a reference, which finds the data
    until the subject is erased. After that, the references of the subject find nothing.
    """

    async def keep(self, subject: str, data: Mapping[str, str]) -> str:
        """Stores data on a majority, and returns its reference; the same data of a subject has the same reference."""
        ...

    async def find(self, ref: str) -> Mapping[str, str] | None:
        """Returns the data of a reference, or None after its subject was erased."""
        ...

    async def erase(self, subject: str) -> int:
        """Deletes all data of a subject; returns the number of deleted documents."""
        ...


def reference(subject: str, data: Mapping[str, str], key: bytes) -> str:
    """Returns the reference of some data: a keyed hash, so the data cannot be guessed from it."""
    text = json.dumps([subject, sorted(data.items())], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), key=key, digest_size=20).hexdigest()
