"""The health service of gRPC: what it shows is set by the process."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

LIVENESS, READINESS = "liveness", "readiness"

_KINDS = health_pb2.HealthCheckResponse


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """Answers from memory. A client that does not read its answers holds nobody up.

    The servicer in grpcio-health-checking sends to a watching client while it holds the lock that `set` needs.
    """

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {}
        self._changed = asyncio.Event()

    def set(self, name: str, *, serving: bool) -> None:
        """Sets the status of a name, and wakes the clients that watch."""
        self._statuses[name] = _KINDS.SERVING if serving else _KINDS.NOT_SERVING
        self._changed.set()
        self._changed = asyncio.Event()

    async def Check(self, request: Any, context: Any) -> Any:
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "nothing has this name")
        return _KINDS(status=status)

    async def Watch(self, request: Any, context: Any) -> AsyncIterator[Any]:
        shown = None
        while True:
            changed = self._changed
            status = self._statuses.get(request.service, _KINDS.SERVICE_UNKNOWN)
            if status != shown:
                shown = status
                yield _KINDS(status=status)
            else:
                await changed.wait()
