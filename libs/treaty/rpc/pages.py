"""Page tokens: a position in a list, as opaque text that a client sends back unchanged (AIP-158).

A token has a tag under the key of the process's digests, over the position, the method and the request's other fields.
So nobody can make one up, and a token of one list or filter is refused for another.
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from treaty.digests import TAG_BYTES, DigestKeys
from treaty.domain import Invalid
from treaty.projections.rows import Key
from treaty.projections.view import Page

_FREE = ("page_token", "page_size", "not_before")
"""The fields of a request that may change from page to page (AIP-158)."""


@dataclass(frozen=True, slots=True)
class _List:
    """The list that a call asks for, and the keys of its tokens."""

    keys: DigestKeys
    name: bytes

    def tagged(self, position: bytes) -> bytes:
        return self.keys.tag(self.name + position) + position

    def untagged(self, token: bytes) -> bytes:
        tag, position = token[:TAG_BYTES], token[TAG_BYTES:]
        if not self.keys.is_tag(tag, self.name + position):
            raise ValueError("the tag is wrong")
        return position


_current: ContextVar[_List] = ContextVar("treaty.list")


@contextmanager
def paging(keys: DigestKeys, path: str, request: Any) -> Iterator[None]:
    """Sets the list of a request whose method has this path, for the tokens that are read and made inside the block."""
    if "page_token" not in request.DESCRIPTOR.fields_by_name:
        yield
        return
    token = _current.set(_List(keys, _name(path, request)))
    try:
        yield
    finally:
        _current.reset(token)


def _name(path: str, request: Any) -> bytes:
    """Returns a digest of everything that determines which rows a list has."""
    asked = type(request)()
    asked.CopyFrom(request)
    asked.DiscardUnknownFields()
    for field in _FREE:
        if field in asked.DESCRIPTOR.fields_by_name:
            asked.ClearField(field)
    return hashlib.blake2b(path.encode() + b"\0" + asked.SerializeToString(deterministic=True)).digest()


class _Paged(Protocol):
    """A request for a page of a list (AIP-158)."""

    page_size: int
    page_token: str
    not_before: str


def page_of(request: _Paged) -> Page:
    """Returns the page that a request asks for.

    Raises:
        Invalid: if its token was not made for this list by a process with one of our keys.
    """
    return Page(size=request.page_size, after=from_token(request.page_token), not_before=request.not_before)


def to_token(after: Key | None) -> str:
    """Returns the token of a position in the list of the current call, or an empty text at the end of the list."""
    if after is None:
        return ""
    value, id = after
    plain = ["t", value.isoformat()] if isinstance(value, datetime) else ["v", value]
    position = json.dumps([*plain, id], ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_current.get().tagged(position)).decode()


def from_token(token: str) -> Key | None:
    """Returns the position of a token, or None for an empty token.

    Raises:
        Invalid: if it was not made for this list by a process with one of our keys.
    """
    if not token:
        return None
    try:
        position = _current.get().untagged(base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True))
        kind, value, id = json.loads(position)
    except ValueError:
        sentence = "use the next_page_token of the page before, unchanged and with the same filter, or begin again"
        raise Invalid(sentence, field="page_token") from None
    return (datetime.fromisoformat(value).astimezone(UTC) if kind == "t" else value), id
