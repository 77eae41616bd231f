"""The properties of a message, encoded for AMQP 0-9-1.

The client library encodes them value by value, by type, which takes more time than all else that is done to publish a
message. Ours are texts only.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from struct import Struct

from pamqp.commands import Basic

LONGEST_PROPERTY = 255
"""Bytes of an AMQP property or routing key."""

_SHORT, _LONG, _TIME = Struct(">H").pack, Struct(">I").pack, Struct(">Q").pack
_PERSISTENT = b"\x02"


class Encoded(Basic.Properties):
    """Encoded properties; the client reads the message id only."""

    __slots__ = ("encoded",)

    def __init__(self, message_id: str, encoded: bytes) -> None:
        self.message_id = message_id
        self.encoded = encoded

    def marshal(self) -> bytes:
        return self.encoded


def bounded(text: str) -> str:
    """Returns a text for an AMQP property, which holds 255 bytes: a longer one as its digest. Headers have it whole."""
    data = text.encode(errors="surrogatepass")
    if len(data) <= LONGEST_PROPERTY:
        return text
    return f"blake2b:{hashlib.blake2b(data, digest_size=32).hexdigest()}"


def persistent(
    headers: Mapping[str, str],
    *,
    message_id: str,
    type: str,
    content_type: str = "",
    correlation_id: str = "",
    time: datetime | None = None,
    app_id: str = "",
) -> Encoded:
    """Returns the properties of a persistent message; properties without a value are left out.

    Source: the class `basic` of the specification, whose properties are in the order of the bits of their flags.

    Raises:
        ValueError: if a text cannot be encoded in UTF-8, or a property is longer than 255 bytes.
    """
    flags, parts = 0, []
    for flag, part in (
        (1 << 15, _property(content_type)),
        (1 << 13, _table(headers)),
        (1 << 12, _PERSISTENT),
        (1 << 10, _property(correlation_id)),
        (1 << 7, _property(message_id)),
        (1 << 6, b"" if time is None else _TIME(int(time.timestamp()))),
        (1 << 5, _property(type)),
        (1 << 3, _property(app_id)),
    ):
        if part:
            flags |= flag
            parts.append(part)
    return Encoded(message_id, b"".join((_SHORT(flags), *parts)))


def _property(text: str) -> bytes:
    """Returns a short string, with a byte for its length; nothing for an empty one."""
    return _string(text) if text else b""


def _string(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data  # ValueError above 255


def _table(headers: Mapping[str, str]) -> bytes:
    """Returns a table of long strings."""
    entries: list[bytes] = []
    for name, value in headers.items():
        data = value.encode()
        entries += (_name(name), _LONG(len(data)), data)
    table = b"".join(entries)
    return _LONG(len(table)) + table


@lru_cache(maxsize=256)
def _name(name: str) -> bytes:
    return _string(name) + b"S"
