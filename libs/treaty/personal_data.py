"""Personal data is stored beside the log, where it can be deleted; commits hold a reference.

The pattern is forgettable payloads (Mathias Verraes).
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Protocol

ERASED_AGAIN = timedelta(days=1)
"""The time after an erasure at which it is carried out once more: no call that began before it is running any more."""


class PersonalData(Protocol):
    """Keeps personal data of one context: one document for each set of data of a subject.

    Commits are immutable, so they must not contain personal data. A commit holds a reference, which finds the data
    until the subject is erased or the time of the data is over. After that, the reference finds nothing.
    """

    async def keep(self, subject: str, data: Mapping[str, str], *, lasting: timedelta | None = None) -> str:
        """Stores data on a majority, and returns its reference; the same data of a subject has the same reference.

        With `lasting`, the data is deleted some minutes after so much time, by the server's clock. The time begins
        again with each call for the same data, and a call without it makes the data stay.
        """
        ...

    async def find(self, ref: str) -> Mapping[str, str] | None:
        """Returns the data of a reference, or None after its subject was erased or its time was over."""
        ...

    def reference(self, subject: str, data: Mapping[str, str]) -> str:
        """Returns the reference that `keep` would return, and stores nothing."""
        ...

    async def erase(self, subject: str) -> int:
        """Deletes all data of a subject; returns the number of deleted documents."""
        ...


def reference(subject: str, data: Mapping[str, str], key: bytes) -> str:
    """Returns the reference of some data: a keyed hash, so the data cannot be guessed from it."""
    text = json.dumps([subject, sorted(data.items())], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), key=key, digest_size=20).hexdigest()
