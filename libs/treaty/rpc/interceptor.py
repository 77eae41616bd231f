"""The only interceptor: limits, deadline, span, validation, cause and errors for each call of every service."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack, aclosing
from functools import partial
from typing import Any, NamedTuple, cast

import grpc
import structlog
from grpc_status import rpc_status

from treaty.causes import Cause, acting, begun_by, carried_by
from treaty.concurrency.guarded import guarded, guarding
from treaty.digests import DigestKeys, Hashed
from treaty.probes import Probe
from treaty.rpc.errors import Refused, cut, internal, overloaded, status_of, too_slow, unimplemented
from treaty.rpc.limits import Limits
from treaty.rpc.pages import paging
from treaty.rpc.requests import parse, validate
from treaty.rpc.standard import limited
from treaty.rpc.uploads import Upload

logger = structlog.get_logger()

Method = Callable[[Any, Any], Any]

_STANDARD = ("/grpc.health.", "/grpc.reflection.")


class Interceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Wraps every method, so that its requests are read here, within the limits.

    grpc.aio reads the request of a unary method before it calls the handler, without limit of time or number. Therefore
    every method is registered as one that takes a stream of requests; its handler reads the only one.

    Args:
        digests: hashes the body of a request, to compare a repeated request_id's body with the first one.
        limits: those of the server.
        max_bytes: the size of the largest request, and of the largest message of an upload.
        upload_bytes: the size of the largest upload.
        upload_seconds: seconds for all messages of an upload to arrive.
        deadline: seconds for a call without a deadline of its client.
        labels: whether the trace, the baggage and the correlation of a caller are taken.
        probe: returns the probe of a context.
    """

    def __init__(
        self,
        *,
        probe: Callable[[str], Probe],
        digests: DigestKeys,
        limits: Limits,
        max_bytes: int,
        deadline: float,
        labels: bool = True,
        upload_bytes: int = 0,
        upload_seconds: float = 0.0,
    ) -> None:
        self._probe = probe
        self.digests, self.labels = digests, labels
        self.limits = limits
        self._deadline, self._max_bytes = deadline, max_bytes
        self.upload_bytes, self.upload_seconds = upload_bytes, upload_seconds
        self._wrapped: dict[str, Any] = {}

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        wrapped = self._wrapped.get(details.method)
        if wrapped is not None:
            return wrapped.refusing if wrapped.refusing and self.limits.full else wrapped.handler
        handler = await continuation(details)
        if handler is None:
            return grpc.stream_unary_rpc_method_handler(partial(_unimplemented, details.method))
        if details.method.startswith(_STANDARD):
            wrapped = _Wrapped(limited(handler, self.limits))
        else:
            wrapped = self._wrap(details.method, handler)
        self._wrapped[details.method] = wrapped
        return wrapped.handler

    def _wrap(self, path: str, handler: Any) -> Any:
        service, _, name = path[1:].partition("/")
        domain = domain_of(service)
        method = _method_of(handler)
        call = _Call(self, self._probe(domain), path[1:], name, domain, method)
        coding = {
            "request_deserializer": partial(parse, handler.request_deserializer, self._max_bytes),
            "response_serializer": handler.response_serializer,
        }
        if handler.response_streaming:
            return _Wrapped(grpc.stream_stream_rpc_method_handler(call.stream, **coding))
        refusing = grpc.stream_unary_rpc_method_handler(call.refuse)
        if handler.request_streaming:
            return _Wrapped(grpc.stream_unary_rpc_method_handler(call.upload, **coding), refusing)
        return _Wrapped(grpc.stream_unary_rpc_method_handler(call.handle, **coding), refusing)

    def hashed(self, request: Any) -> Hashed:
        """Returns the digests of a request, or of a digest of one."""
        body = request if isinstance(request, bytes) else request.SerializeToString(deterministic=True)
        return self.digests.hashed(body)

    @property
    def deadline(self) -> float:
        return self._deadline


class _Wrapped(NamedTuple):
    """The handlers of a method: one answers a call, the other refuses it if there are too many calls."""

    handler: Any
    refusing: Any = None


class _Call:
    """A wrapped method of a service."""

    def __init__(
        self, interceptor: Interceptor, probe: Probe, path: str, name: str, domain: str, method: Method
    ) -> None:
        self._interceptor, self._limits, self._probe, self._method = interceptor, interceptor.limits, probe, method
        self._path, self._name, self._domain = path, name, domain
        self._too_many = rpc_status.to_status(overloaded("too many calls at once; try again later", domain))

    async def refuse(self, requests: Any, context: Any) -> None:
        """Refuses a call without reading its request: an overloaded server spends its time on the other calls."""
        self._probe.measure("rpc.server.call.duration", 0.0, method=self._path, code="RESOURCE_EXHAUSTED")
        await context.abort_with_status(self._too_many)

    async def handle(self, requests: Any, context: Any) -> Any:
        return await self._measured(self._handle(context), context)

    async def upload(self, requests: Any, context: Any) -> Any:
        """Answers a stream of messages."""
        return await self._measured(self._answer(partial(self._upload, context), context), context)

    async def _measured(self, answer: Coroutine[Any, Any, Any], context: Any) -> Any:
        started = time.perf_counter()
        code = "OK"
        try:
            return await answer
        except Refused as refused:
            code = _code_name(refused.status)
            await context.abort_with_status(rpc_status.to_status(refused.status))
        except (asyncio.CancelledError, grpc.aio.BaseError):
            code = _given_up(context)
            raise
        finally:
            seconds = time.perf_counter() - started
            self._probe.measure("rpc.server.call.duration", seconds, method=self._path, code=code)

    async def _handle(self, context: Any) -> Any:
        request = await self._limits.read(context, self._domain)
        self._limits.enter(context, self._domain)
        try:
            return await self._answer(partial(self._in_time, request, context), context)
        finally:
            self._limits.leave()

    async def stream(self, requests: Any, context: Any) -> None:
        """Answers with a stream of messages; the client decides when it ends."""
        try:
            request = await self._limits.read(context, self._domain)
            async with self._limits.stream(context, self._domain):
                await self._write_all(request, context)
        except Refused as refused:
            self._probe.count("treaty.streams.refused", method=self._path, code=_code_name(refused.status))
            await context.abort_with_status(rpc_status.to_status(refused.status))

    async def _write_all(self, request: Any, context: Any) -> None:
        try:
            validate(request, self._domain)
            with guarding():
                async with aclosing(self._method(request, context)) as messages:
                    async for message in messages:
                        await self._limits.write(context, message, self._domain)
        except grpc.aio.BaseError:
            raise  # the client is gone
        except Exception as error:
            raise Refused(self._status(error)) from None

    async def _answer(self, work: Callable[[str, Mapping[str, object]], Awaitable[Any]], context: Any) -> Any:
        labels = context.invocation_metadata() if self._interceptor.labels else None
        metadata = {item[0]: item[1] for item in labels or ()}
        attributes: dict[str, str | int | float | bool] = {"rpc.system.name": "grpc", "rpc.method": self._path}
        with self._probe.span(
            self._path, kind="server", parent=str(metadata.get("traceparent", "")), attributes=attributes
        ) as span:
            try:
                response = await guarded(work(span.trace, metadata))
            except asyncio.CancelledError:
                code = _given_up(context)
                span.note(rpc_status_code=code, error_type=code)
                raise
            except Exception as error:
                status = self._status(error)
                span.note(rpc_status_code=_code_name(status), error_type=type(error).__name__)
                raise Refused(status) from None
            span.note(rpc_status_code="OK")
            return response

    async def _in_time(self, request: Any, context: Any, trace: str, metadata: Mapping[str, object]) -> Any:
        if context.time_remaining() is not None:
            return await self._caused(request, context, trace, metadata)
        async with asyncio.timeout(self._interceptor.deadline):
            return await self._caused(request, context, trace, metadata)

    async def _upload(self, context: Any, trace: str, metadata: Mapping[str, object]) -> Any:
        """Calls the method with the messages of the client. Its cause is set when the last of them has arrived.

        So nothing can be committed for an upload that is not complete, and the cause has the digest of all of it.
        """
        loop, late = asyncio.get_running_loop(), asyncio.timeout(self._interceptor.upload_seconds)
        with ExitStack() as causes:
            async with self._limits.upload(context, self._domain) as release:

                def end(first: Any, digest: bytes) -> None:
                    release()
                    late.reschedule(loop.time() + self._interceptor.deadline)
                    if hasattr(first, "request_id"):
                        causes.enter_context(acting(self._cause(first.request_id, digest, trace, metadata)))

                read = partial(self._limits.read, context, self._domain)
                upload = Upload(read, self._domain, self._interceptor.upload_bytes, end)
                try:
                    async with late:
                        return await self._method(upload, context)
                except TimeoutError:
                    if upload.ended or not late.expired():
                        raise
                    seconds = self._interceptor.upload_seconds
                    raise Refused(too_slow(f"the upload took longer than {seconds:g} s", self._domain)) from None

    async def _caused(self, request: Any, context: Any, trace: str, metadata: Mapping[str, object]) -> Any:
        validate(request, self._domain)
        request_id = getattr(request, "request_id", None)
        if request_id is None:
            with paging(self._interceptor.digests, self._path, request):
                return await self._method(request, context)
        with acting(self._cause(request_id, request, trace, metadata)):
            return await self._method(request, context)

    def _cause(self, request_id: str, body: Any, trace: str, metadata: Mapping[str, object]) -> Cause:
        """Returns the cause of a command. `body` is its request, or the digest of an upload."""
        request_id = request_id.lower()
        return Cause(
            id=f"{self._name}/{request_id}",
            trace=trace,
            correlation=begun_by(metadata) or request_id,
            **self._interceptor.hashed(body),
            **carried_by(metadata),
        )

    def _status(self, error: Exception) -> Any:
        status = status_of(error, self._domain)
        if status is None:
            logger.exception("a call failed", method=self._path, exc_info=error)
            return internal(self._domain)
        return status


def _method_of(handler: Any) -> Method:
    """Returns the method of a handler.

    Raises:
        NotImplementedError: if both sides stream. Nothing here gives such a call its limits.
    """
    if handler.request_streaming and handler.response_streaming:
        raise NotImplementedError("a method streams its requests or its answers, and not both")
    method = handler.stream_unary if handler.request_streaming else handler.unary_stream or handler.unary_unary
    return cast(Method, method)


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
