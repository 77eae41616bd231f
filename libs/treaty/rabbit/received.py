"""The properties of messages that are received, read also where a part of them cannot be decoded.

Any system can send to an exchange. The client library closes the connection at a property that it cannot decode, and
the broker delivers the same message first on the next connection, so one message would end all consumers for good.
"""

from typing import Any

from pamqp import decode
from pamqp.commands import Basic

UNREADABLE = "treaty-unreadable-headers"
"""The one header of a message whose headers cannot be decoded: their bytes, in hexadecimal digits."""

_LENGTHS = {"octet": 1, "timestamp": 8}
"""Bytes of the types of properties that always have the same length."""


def tolerate() -> None:
    """Lets the client library leave out a property that it cannot decode; headers are replaced by `UNREADABLE`."""
    Basic.Properties.unmarshal = _unmarshal  # type: ignore[assignment, method-assign]


def _unmarshal(properties: Any, flags: int, data: bytes) -> None:
    for name in properties.__slots__:
        if flags & properties.flags[name]:
            kind = getattr(properties, f"_{name}")
            try:
                length, value = decode.by_type(data, kind)
            except Exception:
                length = _length(kind, data)
                value = {UNREADABLE: data[4:length].hex()} if kind == "table" else None
            setattr(properties, name, value)
            data = data[length:]


def _length(kind: str, data: bytes) -> int:
    """Returns the bytes of a property."""
    match kind:
        case "shortstr":
            return 1 + data[0] if data else 0
        case "table":
            return 4 + int.from_bytes(data[:4])
        case _:
            return _LENGTHS[kind]
