"""Methods of gRPC's own services, health and reflection: they keep the limits of a server, and nothing else of ours."""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import grpc
from grpc_status import rpc_status

from treaty.rpc.errors import Refused
from treaty.rpc.limits import Limits

_DOMAIN = "grpc"


def limited(handler: Any, limits: Limits) -> Any:
    """Returns the handler of a method, within the limits.

    Health checks do not count as calls, so that they are answered while the server refuses calls.
    """
    coding = {
        "request_deserializer": handler.request_deserializer,
        "response_serializer": handler.response_serializer,
    }
    if handler.unary_unary:
        return grpc.stream_unary_rpc_method_handler(partial(_answer, handler.unary_unary, limits), **coding)
    if handler.unary_stream:
        return grpc.stream_stream_rpc_method_handler(partial(_watch, handler.unary_stream, limits), **coding)
    return grpc.stream_stream_rpc_method_handler(partial(_talk, handler.stream_stream, limits), **coding)


async def _answer(method: Callable[..., Any], limits: Limits, requests: Any, context: Any) -> Any:
    return await method(await _request(limits, context), context)


async def _watch(method: Callable[..., Any], limits: Limits, requests: Any, context: Any) -> None:
    await _write_all(method, await _request(limits, context), limits, context)


async def _talk(method: Callable[..., Any], limits: Limits, requests: Any, context: Any) -> None:
    """Answers a stream of requests. It counts as a stream once the first request is there."""
    await _write_all(method, _all(await _request(limits, context), limits, context), limits, context)


async def _all(first: Any, limits: Limits, context: Any) -> AsyncIterator[Any]:
    message = first
    while message is not grpc.aio.EOF:
        yield message
        message = await limits.read(context, _DOMAIN)


async def _request(limits: Limits, context: Any) -> Any:
    """Returns the first request of a call."""
    try:
        request = await limits.read(context, _DOMAIN)
    except Refused as refused:
        await context.abort_with_status(rpc_status.to_status(refused.status))
    if request is grpc.aio.EOF:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the call has no request")
    return request


async def _write_all(method: Callable[..., Any], request: Any, limits: Limits, context: Any) -> None:
    try:
        async with limits.stream(context, _DOMAIN), aclosing(method(request, context)) as messages:
            async for message in messages:
                await limits.write(context, message, _DOMAIN)
    except Refused as refused:
        await context.abort_with_status(rpc_status.to_status(refused.status))
