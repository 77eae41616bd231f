"""Personal data: what belongs to a person stays beside the log, where it can be deleted; commits hold a reference."""

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol


class PersonalData(Protocol):
    """Keeps personal data of one context, one document for each thing that was told of a subject.

    Commits are immutable, so nothing personal may enter one. What is kept here is found by the reference that the
    commit holds, until the subject is erased: from then on every reference of theirs leads nowhere.
    """

    async def keep(self, subject: str, data: Mapping[str, str]) -> str:
        """Keeps data on a majority and returns its reference; the same data of a subject has the same one."""
        ...

    async def find(self, ref: str) -> Mapping[str, str] | None:
        """Returns the data of a reference, or None if it was erased."""
        ...

    async def erase(self, subject: str) -> int:
        """Forgets all there is of a subject; returns how many documents that were."""
        ...


def reference(subject: str, data: Mapping[str, str], key: bytes) -> str:
    """Returns the reference of some data: a keyed hash, from which nobody can guess it."""
    text = json.dumps([subject, sorted(data.items())], ensure_ascii=False)
    return hashlib.blake2b(text.encode(), key=key, digest_size=20).hexdigest()
