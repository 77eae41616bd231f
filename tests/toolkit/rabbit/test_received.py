"""Properties of received messages: one that cannot be decoded is left out, and the others are read."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import frame
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from treaty.rabbit.received import UNREADABLE, tolerate

TYPE, TIME, MESSAGE_ID, HEADERS, CONTENT_TYPE = 1 << 5, 1 << 6, 1 << 7, 1 << 13, 1 << 15
NO_TEXT = b"\x02\xff\xfe"
"""A short string that is not in UTF-8."""

BIG = pack(">Q", 2**63)
"""A time that no calendar has."""


def _table(entries: bytes) -> bytes:
    return pack(">I", len(entries)) + entries


def _received(flags: int, properties: bytes) -> Basic.Properties:
    """Returns the properties of the header of a content, as the client library reads it from the connection."""
    tolerate()
    payload = pack(">HHQH", 60, 0, 7, flags) + properties
    _, _, header = frame.unmarshal(pack(">BHI", 2, 1, len(payload)) + payload + b"\xce")
    assert isinstance(header, ContentHeader)
    assert header.body_size == 7
    return header.properties


@pytest.mark.parametrize(
    ("flag", "value", "name"),
    [
        (TIME, BIG, "timestamp"),
        (TIME, pack(">Q", 1_700_000_000_000_000), "timestamp"),
        (MESSAGE_ID, NO_TEXT, "message_id"),
        (CONTENT_TYPE, NO_TEXT, "content_type"),
    ],
    ids=["no time", "microseconds", "message id", "content type"],
)
def test_a_property_that_cannot_be_decoded_is_left_out(flag: int, value: bytes, name: str) -> None:
    parts = {flag: value, HEADERS: _table(b"\x01aS\x00\x00\x00\x01b"), TYPE: b"\x01t"}
    found = _received(flag | HEADERS | TYPE, b"".join(parts[key] for key in sorted(parts, reverse=True)))
    assert (getattr(found, name), found.headers, found.message_type) == (None, {"a": "b"}, "t")


@pytest.mark.parametrize(
    "entries",
    [
        b"\x02\xff\xfeS\x00\x00\x00\x01b",
        b"\x01aT" + BIG,
        b"\x01aZ",
    ],
    ids=["name", "time", "type"],
)
def test_headers_that_cannot_be_decoded_are_kept_as_bytes(entries: bytes) -> None:
    found = _received(HEADERS | TYPE, _table(entries) + b"\x01t")
    assert (found.headers, found.message_type) == ({UNREADABLE: entries.hex()}, "t")


def test_headers_that_are_nested_too_deep_are_kept_as_bytes() -> None:
    entries = b""
    for _ in range(5_000):
        entries = b"\x01aF" + _table(entries)
    assert _received(HEADERS, _table(entries)).headers == {UNREADABLE: entries.hex()}


@given(flags=st.integers(0, 2**16 - 1).map(lambda flags: flags & ~1), data=st.binary(max_size=80))
def test_no_bytes_of_properties_end_a_connection(flags: int, data: bytes) -> None:
    _received(flags, data)
