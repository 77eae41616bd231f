"""Calls of a test's client that are refused."""

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

TIMEOUT = 20.0
"""Seconds after which a call of a test gives up."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status as a client sees it."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    retry_seconds: int = 0
    metadata: dict[str, str] = field(default_factory=dict)


async def refusal(call: Awaitable[Any]) -> Refusal:
    """Makes a call that is refused, and returns how."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return _refusal(error)
    raise AssertionError(f"it was answered: {answer}")


def _refusal(error: grpc.aio.AioRpcError) -> Refusal:
    status = rpc_status.from_call(error)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details if status else ():
        for kind in (info, bad, retry):
            detail.Unpack(kind)
    fields = {violation.field: violation.description for violation in bad.field_violations}
    return Refusal(
        error.code(),
        error.details(),
        info.reason,
        info.domain,
        fields,
        retry.retry_delay.seconds,
        dict(info.metadata),
    )
