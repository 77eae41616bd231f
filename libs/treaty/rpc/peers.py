"""Peers: durable calls to other contexts over gRPC. The handler of a call repeats it until it has an answer."""

import uuid
from collections.abc import Callable
from typing import Any, Self

import grpc
from google.rpc import error_details_pb2

from treaty.causes import current_cause
from treaty.dependencies import DependencyAway
from treaty.probes import Probe
from treaty.rpc.client import call_traced, channel
from treaty.rpc.errors import DOMAIN_CODES, details_of

_REFUSALS = {code: kind for kind, code in DOMAIN_CODES.items()}
"""The domain error for each status with which another context refuses."""

_NAMESPACE = uuid.UUID("6f0f5d0e-3c1b-5c7a-9a56-9d2d7d9a4f10")


class PeerAway(DependencyAway):
    """The other context gave no final answer: the outcome is unknown, and the call is made again."""

    def __init__(self, context: str, why: str) -> None:
        super().__init__(f"{context}: {why}")
        self.dependency = context


class Peer:
    """Another context, called over gRPC.

    The channel is opened with the first call, when the ports of this process are known.

    Args:
        context: such as commerce.inventory.
        address: returns the address of a context.
    """

    def __init__(self, context: str, address: Callable[[str], str], probe: Probe) -> None:
        self.context = context
        self._address, self._probe = address, probe
        self._channel: Any = None
        self._stubs: dict[Any, Any] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._channel is not None:
            await self._channel.close()
            self._channel, self._stubs = None, {}

    async def ask(self, stub: Any, method: str, request: Any, *, timeout: float = 5.0) -> Any:
        """Makes one call, in the trace of the current cause.

        Args:
            stub: the generated stub class of the service.
            method: the name of its method.

        Raises:
            DomainError: the refusal of the other context.
            PeerAway: if it did not answer; another call with the same request is safe.
        """
        path = f"{request.DESCRIPTOR.full_name.rpartition('.')[0]}.{stub.__name__.removesuffix('Stub')}/{method}"
        asking = getattr(self._stub(stub), method)
        cause = current_cause()
        try:
            return await call_traced(
                self._probe, asking, path, request, timeout=timeout, parent=cause.trace, carried=cause.carried
            )
        except grpc.aio.AioRpcError as error:
            raise _raised(error, self.context) from error

    @staticmethod
    def request_id(step: str = "") -> str:
        """Returns a request id derived from the current cause: each repetition of a call has the same."""
        return str(uuid.uuid5(_NAMESPACE, f"{current_cause().id}/{step}"))

    def _stub(self, stub: Any) -> Any:
        if self._channel is None:
            self._channel = channel(self._address(self.context))
        if stub not in self._stubs:
            self._stubs[stub] = stub(self._channel)
        return self._stubs[stub]


def _raised(error: grpc.aio.AioRpcError, context: str) -> Exception:
    """Returns the domain error for a refusal, or PeerAway for any other status, which another try may change."""
    kind = _REFUSALS.get(error.code())
    text = error.details() or error.code().name
    if kind is None:
        return PeerAway(context, f"{error.code().name}: {text}")
    info = error_details_pb2.ErrorInfo()
    status = details_of(error)
    for detail in status.details if status else ():
        detail.Unpack(info)
    return kind(text, reason=info.reason or None)
