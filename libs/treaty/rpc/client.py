"""gRPC channels to other services: each call has a deadline and the trace; a call without an answer is retried."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2

from treaty.probes import Probe
from treaty.rpc.errors import details_of

T = TypeVar("T")

_UNKNOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
"""Statuses of an unknown outcome. They come from an overloaded server: a call cancelled on this side raises asyncio's
own error."""


def channel(target: str) -> Any:
    """Opens a channel that balances calls over all addresses of the target."""
    return grpc.aio.insecure_channel(
        target,
        options=[
            ("grpc.lb_policy_name", "round_robin"),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            ("grpc.use_local_subchannel_pool", 1),
        ],
    )


async def call_traced(
    probe: Probe,
    method: Callable[..., Awaitable[T]],
    path: str,
    request: Any,
    *,
    timeout: float,
    parent: str = "",
    carried: Mapping[str, str] | None = None,
) -> T:
    """Makes one call inside a client span.

    Args:
        path: `package.Service/Method`, for the span.
        timeout: seconds.
        parent: the W3C traceparent that the call belongs to.
        carried: the W3C tracestate and baggage to send, by these names.
    """
    attributes: dict[str, str | int | float | bool] = {"rpc.system.name": "grpc", "rpc.method": path}
    with probe.span(path, kind="client", parent=parent, attributes=attributes) as span:
        metadata = tuple({**({"traceparent": span.trace} if span.trace else {}), **(carried or {})}.items())
        try:
            answer = await method(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            span.note(rpc_status_code=error.code().name, error_type=error.code().name)
            raise
        span.note(rpc_status_code="OK")
        return answer


async def until_answered(call: Callable[[], Awaitable[T]], *, attempts: int = 30, pause: float = 0.2) -> T:
    """Repeats a call whose outcome is unknown, or that an overloaded server refused for now.

    This is safe, because a request_id takes effect only once.
    """
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            attempts -= 1
            if attempts <= 0 or not (error.code() in _UNKNOWN or _put_off(error)):
                raise
            await asyncio.sleep(pause)


def _put_off(error: grpc.aio.AioRpcError) -> bool:
    """Returns whether the server asks the client to repeat the call later."""
    status = details_of(error)
    return status is not None and any(d.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for d in status.details)
