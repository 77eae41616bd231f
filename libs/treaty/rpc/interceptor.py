"""The only interceptor: limits, deadline, span, validation, cause and errors for each call of every service."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import grpc
import protovalidate
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from treaty.causes import Cause, acting, begun_by, carried_by
from treaty.digests import DigestKeys, Hashed
from treaty.probes import Probe
from treaty.rpc.errors import InvalidRequest, cut, internal, overloaded, status_of, too_large, unimplemented
from treaty.rpc.pages import paging

logger = structlog.get_logger()

Method = Callable[[Any, Any], Any]

_UNBOUND = ("/grpc.health.", "/grpc.reflection.")


class Interceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps every method of the toolkit's services that takes a single request.

    Args:
        digests: hashes the body of a request, to compare a repeated request_id's body with the first one.
        max_calls: the most calls at a time; more are refused at once.
        max_streams: the same for methods that return a stream.
        max_bytes: the size of the largest request.
        deadline: seconds for a call without a deadline of its client.
        labels: whether the trace, the baggage and the correlation of a caller are taken.
        probe: returns the probe of a context.
    """

    def __init__(
        self,
        *,
        probe: Callable[[str], Probe],
        digests: DigestKeys,
        max_calls: int,
        max_streams: int,
        max_bytes: int,
        deadline: float,
        labels: bool = True,
    ) -> None:
        self._probe = probe
        self.digests, self.labels = digests, labels
        self._max_calls = max_calls
        self._deadline, self._max_bytes = deadline, max_bytes
        self._running = 0
        self.streams_left = max_streams
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        wrapped = self._wrapped.get(details.method)
        if wrapped is not None:
            return wrapped.handler if self._running < self._max_calls or wrapped.streams else wrapped.refusing
        handler = await continuation(details)
        if handler is None:
            return grpc.stream_unary_rpc_method_handler(partial(_unimplemented, details.method))
        if handler.request_streaming or details.method.startswith(_UNBOUND):
            return handler
        wrapped = self._wrapped[details.method] = self._wrap(details.method, handler)
        return wrapped.handler

    def _wrap(self, path: str, handler: Any) -> Any:
        service, _, name = path[1:].partition("/")
        domain = domain_of(service)
        method = handler.unary_stream if handler.response_streaming else handler.unary_unary
        call = _Call(self, self._probe(domain), path[1:], name, domain, method)
        coding = {
            "request_deserializer": partial(_read, handler.request_deserializer, self._max_bytes),
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            return _Wrapped(grpc.unary_stream_rpc_method_handler(call.stream, **coding), None, True)
        refusing = grpc.stream_unary_rpc_method_handler(call.refuse)
        return _Wrapped(grpc.unary_unary_rpc_method_handler(call.handle, **coding), refusing, False)

    def enter(self) -> bool:
        if self._running >= self._max_calls:
            return False
        self._running += 1
        return True

    def leave(self) -> None:
        self._running -= 1

    def hashed(self, request: Any) -> Hashed:
        """Returns the digests of a request."""
        return self.digests.hashed(request.SerializeToString(deterministic=True))

    @property
    def deadline(self) -> float:
        return self._deadline


class _Wrapped(NamedTuple):
    """The two handlers of a method: one answers a call, the other refuses it."""

    handler: Any
    refusing: Any
    streams: bool


class _Call:
    """A wrapped method of a service."""

    def __init__(
        self, interceptor: Interceptor, probe: Probe, path: str, name: str, domain: str, method: Method
    ) -> None:
        self._interceptor, self._probe, self._method = interceptor, probe, method
        self._path, self._name, self._domain = path, name, domain
        self._too_many = rpc_status.to_status(overloaded("too many calls at once; try again later", domain))

    async def refuse(self, requests: Any, context: Any) -> None:
        """Refuses a call without reading its request: an overloaded server spends its time on the other calls."""
        self._probe.measure("rpc.server.call.duration", 0.0, method=self._path, code="RESOURCE_EXHAUSTED")
        await context.abort_with_status(self._too_many)

    async def handle(self, request: Any, context: Any) -> Any:
        started = time.perf_counter()
        code = "OK"
        try:
            if not self._interceptor.enter():
                raise _Refused(overloaded("too many calls at once; try again later", self._domain))
            try:
                return await self._answer(request, context)
            finally:
                self._interceptor.leave()
        except _Refused as refused:
            code = _code_name(refused.status)
            await context.abort_with_status(rpc_status.to_status(refused.status))
        except asyncio.CancelledError:
            code = _given_up(context)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._probe.measure("rpc.server.call.duration", seconds, method=self._path, code=code)

    async def stream(self, request: Any, context: Any) -> AsyncIterator[Any]:
        """Answers with a stream of messages; the client decides when it ends."""
        try:
            if self._interceptor.streams_left <= 0:
                raise _Refused(overloaded("too many streams at once; try again later", self._domain))
            self._interceptor.streams_left -= 1
            try:
                _validate(request, self._domain)
                async for message in self._method(request, context):
                    yield message
            except _Refused:
                raise
            except Exception as error:
                raise _Refused(self._status(error)) from None
            finally:
                self._interceptor.streams_left += 1
        except _Refused as refused:
            self._probe.count("treaty.streams.refused", method=self._path, code=_code_name(refused.status))
            await context.abort_with_status(rpc_status.to_status(refused.status))

    async def _answer(self, request: Any, context: Any) -> Any:
        labels = context.invocation_metadata() if self._interceptor.labels else None
        metadata = {item[0]: item[1] for item in labels or ()}
        attributes: dict[str, str | int | float | bool] = {"rpc.system.name": "grpc", "rpc.method": self._path}
        with self._probe.span(
            self._path, kind="server", parent=str(metadata.get("traceparent", "")), attributes=attributes
        ) as span:
            try:
                if context.time_remaining() is not None:
                    response = await self._caused(request, context, span.trace, metadata)
                else:
                    async with asyncio.timeout(self._interceptor.deadline):
                        response = await self._caused(request, context, span.trace, metadata)
            except asyncio.CancelledError:
                code = _given_up(context)
                span.note(rpc_status_code=code, error_type=code)
                raise
            except Exception as error:
                status = error.status if isinstance(error, _Refused) else self._status(error)
                span.note(rpc_status_code=_code_name(status), error_type=type(error).__name__)
                raise _Refused(status) from None
            span.note(rpc_status_code="OK")
            return response

    async def _caused(self, request: Any, context: Any, trace: str, metadata: Mapping[str, object]) -> Any:
        _validate(request, self._domain)
        request_id = getattr(request, "request_id", None)
        if request_id is None:
            with paging(self._interceptor.digests, self._path, request):
                return await self._method(request, context)
        request_id = request_id.lower()
        cause = Cause(
            id=f"{self._name}/{request_id}",
            trace=trace,
            correlation=begun_by(metadata) or request_id,
            **self._interceptor.hashed(request),
            **carried_by(metadata),
        )
        with acting(cause):
            return await self._method(request, context)

    def _status(self, error: Exception) -> Any:
        status = status_of(error, self._domain)
        if status is None:
            logger.exception("a call failed", method=self._path, exc_info=error)
            return internal(self._domain)
        return status


class _Refused(Exception):
    """Carries the status to the place that aborts the call; abort must not run inside the error handling here."""

    def __init__(self, status: Any) -> None:
        self.status = status


def _given_up(context: Any) -> str:
    """Returns the status of a call that its client stopped waiting for."""
    left = context.time_remaining()
    return "DEADLINE_EXCEEDED" if left is not None and left <= 0 else "CANCELLED"


async def _unimplemented(path: str, requests: Any, context: Any) -> None:
    """Refuses a call of a method that does not exist."""
    service = cut(path, 200).strip("/").partition("/")[0]
    status = unimplemented(cut(path, 200), domain_of(service))
    await context.abort_with_status(rpc_status.to_status(status))


def domain_of(service: str) -> str:
    """Returns the context of a service: its package without the version."""
    return service.rpartition(".")[0].rpartition(".")[0]


_CODES = {code.value[0]: code.name for code in grpc.StatusCode}


def _code_name(status: Any) -> str:
    return str(_CODES.get(status.code, "UNKNOWN"))


class _Undecodable(NamedTuple):
    """Bytes that are not a message of the method's type, and the decoder's error."""

    why: str


_ALL_CHECKED_BYTES = 16_384
"""Of a larger request only the first violation is found: the time to collect them grows with their square."""


class _TooLarge(NamedTuple):
    """A request of too many bytes, and their number."""

    size: int
    most: int


def _read(deserialize: Callable[[bytes], Any], most: int, data: bytes) -> Any:
    """Parses a request. gRPC itself would answer unreadable bytes with UNKNOWN, as for a fault of the server."""
    if len(data) > most:
        return _TooLarge(len(data), most)
    try:
        return deserialize(data)
    except DecodeError as error:
        return _Undecodable(str(error))


def _validate(request: Any, domain: str) -> None:
    """Checks a request against the rules in its proto.

    Raises:
        InvalidRequest: with the path of each wrong field.
        _Refused: if it is too large.
    """
    if isinstance(request, _TooLarge):
        raise _Refused(too_large(request.size, request.most, domain))
    if isinstance(request, _Undecodable):
        raise InvalidRequest([("", f"the request cannot be read: {request.why}")])
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
