"""Errors on the wire: domain errors as gRPC statuses with google.rpc details (AIP-193)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from treaty.commits.codec import Newer
from treaty.commits.duplicates import StreamDuplicated
from treaty.commits.log import CommitRefused, StoreAway, Unreadable
from treaty.commits.repository import Overloaded
from treaty.dependencies import DependencyAway
from treaty.domain import Conflict, DomainError, Invalid, NotFound, Rejected
from treaty.projections.view import NotShown

Violation = tuple[str, str]
"""(field, description of the error in it)."""

_MOST_TEXT, _MOST_VALUE, _MOST_FIELD, _MOST_VIOLATION_BYTES = 400, 200, 200, 2_000
"""Bytes of a status' message, which travels twice; of a value in its metadata; of a field's path or description; and of
all violations but the last. A status travels in the metadata, in base64, and a client takes 8 kB of metadata."""

DOMAIN_CODES: dict[type[DomainError], grpc.StatusCode] = {
    NotFound: grpc.StatusCode.NOT_FOUND,
    Rejected: grpc.StatusCode.FAILED_PRECONDITION,
    Conflict: grpc.StatusCode.ABORTED,
    Invalid: grpc.StatusCode.INVALID_ARGUMENT,
}
"""The gRPC status of each domain error, used in both directions."""


_SHOWN = 5
"""The number of violations in the message of an InvalidRequest; the details have more."""


class InvalidRequest(Invalid):
    """The request breaks a rule of its proto."""

    reason = "INVALID_REQUEST"

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        shown = [f"{field}: {text}" if field else text for field, text in self.violations[:_SHOWN]]
        more = len(self.violations) - len(shown)
        super().__init__("; ".join([*shown, *([f"and {more} more"] if more else [])]))


class Refused(Exception):
    """Carries a status to the place that aborts the call; abort must not run inside the error handling of a call."""

    def __init__(self, status: status_pb2.Status) -> None:
        self.status = status


def status_of(error: Exception, domain: str) -> status_pb2.Status | None:
    """Returns the status for the client, or None for an internal fault, whose details stay hidden from the client.

    Args:
        domain: the source of the error: the name of the context.
    """
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, DomainError):
        return _domain_status(error, domain)
    if isinstance(error, Overloaded):
        return overloaded(str(error), domain)
    if isinstance(error, Newer):
        return _status(grpc.StatusCode.UNAVAILABLE, str(error), "NEWER_DATA", domain)
    if isinstance(error, Unreadable):
        return _status(grpc.StatusCode.UNAVAILABLE, str(error), "STREAM_UNREADABLE", domain)
    if isinstance(error, StreamDuplicated):
        return _status(grpc.StatusCode.UNAVAILABLE, str(error), "STREAM_DUPLICATED", domain)
    if isinstance(error, StoreAway):
        return _status(grpc.StatusCode.UNAVAILABLE, "the store cannot be reached; try again", "STORE_AWAY", domain)
    if isinstance(error, DependencyAway):
        text = f"{error.dependency} cannot be reached; try again"
        return _status(grpc.StatusCode.UNAVAILABLE, text, "DEPENDENCY_AWAY", domain, _in_a_second())
    if isinstance(error, NotShown):
        return _status(grpc.StatusCode.UNAVAILABLE, str(error), "READ_MODEL_BEHIND", domain, _in_a_second())
    if isinstance(error, CommitRefused):
        return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error), "COMMIT_REFUSED", domain)
    if isinstance(error, TimeoutError):
        text = "not answered in time; the outcome is unknown, so repeat the call with the same request_id"
        return _status(grpc.StatusCode.DEADLINE_EXCEEDED, text, "DEADLINE_EXCEEDED", domain)
    return None


def overloaded(text: str, domain: str) -> status_pb2.Status:
    """Returns RESOURCE_EXHAUSTED with the advice to try again after a second."""
    return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "OVERLOADED", domain, _in_a_second())


def too_slow(text: str, domain: str) -> status_pb2.Status:
    """Returns RESOURCE_EXHAUSTED, for a client that is too slow, with the advice to try again after a second."""
    return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "TOO_SLOW", domain, _in_a_second())


def unimplemented(path: str, domain: str) -> status_pb2.Status:
    """Returns UNIMPLEMENTED, for a method that does not exist."""
    return _status(grpc.StatusCode.UNIMPLEMENTED, f"there is no method {path}", "NO_SUCH_METHOD", domain)


def too_large(size: int, most: int, domain: str) -> status_pb2.Status:
    """Returns RESOURCE_EXHAUSTED, for a request of too many bytes. Another try changes nothing."""
    text = f"the request has {size:,} bytes; at most {most:,} are taken"
    return _status(grpc.StatusCode.RESOURCE_EXHAUSTED, text, "REQUEST_TOO_LARGE", domain)


def details_of(error: Any) -> status_pb2.Status | None:
    """Returns the packed status of a failed call, or None: a proxy may have cut it or given the call another code."""
    try:
        found: status_pb2.Status | None = rpc_status.from_call(error)
    except (ValueError, DecodeError):
        return None
    return found


def _in_a_second() -> error_details_pb2.RetryInfo:
    return error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1))


def internal(domain: str) -> status_pb2.Status:
    """Returns INTERNAL without details, which are only in the log."""
    return _status(grpc.StatusCode.INTERNAL, "something went wrong on our side", "INTERNAL", domain)


def _domain_status(error: DomainError, domain: str) -> status_pb2.Status:
    code = next((DOMAIN_CODES[k] for k in type(error).__mro__ if k in DOMAIN_CODES), grpc.StatusCode.UNKNOWN)
    details = []
    if isinstance(error, InvalidRequest):
        details.append(_bad_request(error.violations))
    elif isinstance(error, Invalid) and error.field:
        details.append(_bad_request([(error.field, error.message)]))
    return _status(code, error.message, error.reason, domain, *details, metadata=error.details)


def _bad_request(violations: Sequence[Violation]) -> error_details_pb2.BadRequest:
    """Returns the violations, as many as fit; a last one says how many are left out."""
    shown = error_details_pb2.BadRequest()
    for count, (field, text) in enumerate(violations):
        if shown.ByteSize() > _MOST_VIOLATION_BYTES:
            shown.field_violations.add(description=f"and {len(violations) - count} more; correct these first")
            break
        shown.field_violations.add(field=cut(field, _MOST_FIELD), description=cut(text, _MOST_FIELD))
    return shown


def _status(
    code: grpc.StatusCode, text: str, reason: str, domain: str, *details: Any, metadata: Mapping[str, str] | None = None
) -> status_pb2.Status:
    values = {cut(name, 64): cut(value, _MOST_VALUE) for name, value in (metadata or {}).items()}
    info = error_details_pb2.ErrorInfo(reason=_upper_snake(reason), domain=domain, metadata=values)
    status = status_pb2.Status(code=code.value[0], message=cut(text, _MOST_TEXT), details=[_packed(info)])
    status.details.extend(_packed(detail) for detail in details)
    return status


def cut(text: str, most: int) -> str:
    """Returns the text, cut to so many bytes in UTF-8, with a mark at its end if it was longer."""
    data = text.encode(errors="replace")
    return data.decode() if len(data) <= most else data[: most - 3].decode(errors="ignore") + "…"


def _packed(detail: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _upper_snake(reason: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", reason.upper())[:63]
