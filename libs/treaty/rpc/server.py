"""The gRPC server of a process: all its services on one port, with health checks and reflection."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from treaty.digests import DigestKeys
from treaty.probes import Probe
from treaty.rpc.api import Api
from treaty.rpc.interceptor import Interceptor
from treaty.settings import ProcessSettings, SettingsError

LIVENESS, READINESS = "liveness", "readiness"

_HEADROOM = 64
"""Calls above the toolkit's own limit that the server accepts, so that health checks work under overload."""


_UNSEEN = 250
"""Calls of one listener that may wait for the event loop. Above this, some are dropped with CANCELLED; above twice
this, all: a call that waits longer than its client does is wasted work."""


@dataclass(slots=True)
class GrpcServer:
    """Serves the APIs of the contexts of a process.

    `probe` returns the probe of a context. The health service has the names `liveness` (the process runs), `readiness`
    (it can do its work) and the name of each service.

    Several listeners share the port. grpc.aio accepts one new call for each listener in a turn of the event loop, and a
    turn of a busy loop is long. With one listener, calls would wait inside grpc before the limit of calls is reached.
    """

    settings: ProcessSettings
    apis: Sequence[Api]
    probe: Callable[[str], Probe]
    port: int = 0
    _servers: list[Any] = field(default_factory=list)
    _health: Any = field(default_factory=health.aio.HealthServicer)

    async def start(self) -> None:
        """Binds the port and serves; `port` becomes the bound port.

        Raises:
            SettingsError: if the port cannot be opened.
        """
        interceptor = Interceptor(
            probe=self.probe,
            digests=DigestKeys.of(
                self.settings.digest_key.get_secret_value(), self.settings.digest_key_before.get_secret_value()
            ),
            max_calls=self.settings.grpc_max_calls,
            deadline=self.settings.grpc_deadline_seconds,
            max_streams=self.settings.grpc_max_streams,
            max_bytes=self.settings.grpc_max_message_bytes,
            labels=self.settings.foreign_traces,
        )
        self.port = _free_port(self.settings.grpc_host, self.settings.grpc_port)
        for _ in range(self.settings.grpc_listeners if hasattr(socket, "SO_REUSEPORT") else 1):
            server = self._listener(interceptor)
            server.add_insecure_port(f"{self.settings.grpc_host}:{self.port}")
            await server.start()
            self._servers.append(server)
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self.set_ready(False)

    def _listener(self, interceptor: Interceptor) -> Any:
        server = grpc.aio.server(
            interceptors=[interceptor],
            maximum_concurrent_rpcs=self.settings.grpc_max_calls + self.settings.grpc_max_streams + _HEADROOM,
            options=_options(self.settings.grpc_max_message_bytes),
        )
        for api in self.apis:
            api.add(api.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [api.name for api in self.apis]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        return server

    async def set_ready(self, ready: bool) -> None:
        """Sets the health status that decides whether clients send calls to this process."""
        kinds = health_pb2.HealthCheckResponse
        status = kinds.SERVING if ready else kinds.NOT_SERVING
        for name in ("", READINESS, *(api.name for api in self.apis)):
            await self._health.set(name, status)

    async def stop(self) -> None:
        """Refuses new calls, and lets running calls finish within the time that the settings allow."""
        await self.set_ready(False)
        await asyncio.gather(*(server.stop(self.settings.grpc_drain_seconds) for server in self._servers))


def _free_port(host: str, port: int) -> int:
    """Returns the port, or a free one if it is 0.

    Listeners that share a port would also share it with another program, so this checks first that it is free.

    Raises:
        SettingsError: if another program listens on the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            asking.bind((host.strip("[]"), port))
            free: int = asking.getsockname()[1]
            return free
    except OSError as error:
        raise SettingsError(f"GRPC_PORT {port} cannot be opened: {error.strerror or error}; is it in use?") from None


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        (
            "grpc.max_receive_message_length",
            2 * max_message_bytes,
        ),  # the interceptor refuses those between with reasons
        ("grpc.max_send_message_length", 4 * max_message_bytes),
        ("grpc.max_metadata_size", 16_384),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
        ("grpc.max_connection_age_ms", 600_000),
        ("grpc.max_connection_age_grace_ms", 30_000),
        ("grpc.so_reuseport", 1),
        ("grpc.server.max_pending_requests", _UNSEEN),
        ("grpc.server.max_pending_requests_hard_limit", 2 * _UNSEEN),
    ]
