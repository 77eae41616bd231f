"""Calls to contexts by their request alone: its contract says which context and which method it is for."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from treaty.rpc.client import channel, until_answered

from scripts.lib.up.domains import context_of

_SAMPLES = uuid.UUID("2f6c1f0e-6a1b-5d0e-9a5e-0d4f8f3b7c11")

_REFUSALS = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


class Refused(Exception):
    """The context refused the request, or did not answer."""


@dataclass(slots=True)
class Calls:
    """Clients of the contexts at these addresses."""

    addresses: Mapping[str, str]
    _channels: dict[str, Any] = field(default_factory=dict)

    async def close(self) -> None:
        for one in self._channels.values():
            await one.close()

    async def ask(self, request: Any) -> Any:
        """Returns the reply to a request, which gets a request_id if it has none. Nothing of it is traced.

        A method that takes a stream of requests gets this one.

        Raises:
            Refused
        """
        if "request_id" in request.DESCRIPTOR.fields_by_name and not request.request_id:
            request.request_id = str(uuid.uuid4())
        method = method_of(request)
        if context_of(request) not in self.addresses:
            raise Refused(f"{method.name} not sent: {context_of(request)} does not run")
        opened = self._channel(context_of(request))
        asking = (opened.stream_unary if method.client_streaming else opened.unary_unary)(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        trace = f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00"
        try:
            return await until_answered(
                lambda: asking(
                    [request] if method.client_streaming else request,
                    timeout=10.0,
                    metadata=(("traceparent", trace),),
                )
            )
        except grpc.aio.AioRpcError as error:
            why = error.details() if error.code() in _REFUSALS else error.code().name
            raise Refused(f"{method.name} refused: {why}") from None

    def _channel(self, context: str) -> Any:
        if context not in self._channels:
            self._channels[context] = channel(self.addresses[context])
        return self._channels[context]


def method_of(request: Any) -> MethodDescriptor:
    """Returns the method that takes this request."""
    services = request.DESCRIPTOR.file.services_by_name.values()
    methods: list[MethodDescriptor] = [method for service in services for method in service.methods]
    return next(method for method in methods if method.input_type.full_name == request.DESCRIPTOR.full_name)


def with_steady_id(request: Any) -> Any:
    """Gives a request an id that follows from its content, so that it takes effect once, however often it is sent."""
    content = f"{request.DESCRIPTOR.full_name} {request.SerializeToString(deterministic=True).hex()}"
    request.request_id = str(uuid.uuid5(_SAMPLES, content))
    return request
