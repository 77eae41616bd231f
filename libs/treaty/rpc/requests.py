"""Requests: parsed and checked against the rules of their proto."""

from collections.abc import Callable
from typing import Any, NamedTuple

import grpc
import protovalidate
from google.protobuf.message import DecodeError

from treaty.rpc.errors import InvalidRequest, Refused, too_large

_ALL_CHECKED_BYTES = 16_384
"""Of a larger request only the first violation is found: the time to collect them grows with their square."""


class _Undecodable(NamedTuple):
    """Bytes that are not a message of the method's type, and the decoder's error."""

    why: str


class _TooLarge(NamedTuple):
    """A request of too many bytes, and their number."""

    size: int
    most: int


def parse(deserialize: Callable[[bytes], Any], most: int, data: bytes) -> Any:
    """Parses a request. gRPC itself would answer unreadable bytes with UNKNOWN, as for a fault of the server."""
    if len(data) > most:
        return _TooLarge(len(data), most)
    try:
        return deserialize(data)
    except DecodeError as error:
        return _Undecodable(str(error))


def validate(request: Any, domain: str) -> None:
    """Checks a parsed request against the rules in its proto.

    Raises:
        InvalidRequest: with the path of each wrong field.
        Refused: if it is too large.
    """
    if isinstance(request, _TooLarge):
        raise Refused(too_large(request.size, request.most, domain))
    if isinstance(request, _Undecodable):
        raise InvalidRequest([("", f"the request cannot be read: {request.why}")])
    if request is grpc.aio.EOF:
        raise InvalidRequest([("", "the call has no request")])
    violations = protovalidate.collect_violations(request, fail_fast=request.ByteSize() > _ALL_CHECKED_BYTES)
    if violations:
        raise InvalidRequest((_field(v), v.proto.message or v.proto.rule_id) for v in violations)


def _field(violation: protovalidate.Violation) -> str:
    """Returns the path of a field as people write it: lines[0].quantity."""
    path = ""
    for element in violation.proto.field.elements if violation.proto.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript is not None:
            path += f"[{element.subscript.value}]"
    return path
