"""The gRPC server of a process: all its services on one port, and health checks there and on a port of their own."""

import asyncio
import math
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from treaty.digests import DigestKeys
from treaty.probes import Probe
from treaty.rpc.api import Api
from treaty.rpc.health import LIVENESS, READINESS, Health
from treaty.rpc.interceptor import Interceptor
from treaty.rpc.limits import Limits
from treaty.settings import ProcessSettings, SettingsError

_HEADROOM = 64
"""Calls above the sum of the limits that a listener accepts: health checks, and calls that are being refused."""


_UNSEEN = 250
"""Calls of one listener that may wait for the event loop. Above this, some are dropped with CANCELLED; above twice
this, all: a call that waits longer than its client does is wasted work."""

_PROBING = 32
"""The most calls of one connection of the health port, and its most streams and unread requests."""

_PROBES = 256
"""The most connections of the health port. One without a call is closed after a few seconds."""


@dataclass(slots=True)
class GrpcServer:
    """Serves the APIs of the contexts of a process.

    `probe` returns the probe of a context. The health service has the names `liveness` (the process runs), `readiness`
    (it can do its work) and the name of each service. It is also served on a port of its own, if the settings have one:
    with its own limits, so that no client of the other port can keep it from answering.

    Several listeners share the port. grpc.aio accepts one new call for each listener in a turn of the event loop, and a
    turn of a busy loop is long. With one listener, calls would wait inside grpc before the limit of calls is reached.
    """

    settings: ProcessSettings
    apis: Sequence[Api]
    probe: Callable[[str], Probe]
    port: int = 0
    health_port: int | None = None
    _servers: list[Any] = field(default_factory=list)
    _health: Health = field(default_factory=Health)

    async def start(self) -> None:
        """Binds the ports and serves; `port` and `health_port` become the bound ports.

        Raises:
            SettingsError: if a port cannot be opened.
        """
        settings = self.settings
        self._health.set(LIVENESS, serving=True)
        self.set_ready(False)
        if settings.health_port is not None:
            self.health_port = _free_port(settings.grpc_host, settings.health_port, "HEALTH_PORT")
            await self._serve(self._health_listener(), self.health_port)
        self.port = _free_port(settings.grpc_host, settings.grpc_port, "GRPC_PORT")
        limits = Limits(
            calls=settings.grpc_max_calls,
            streams=settings.grpc_max_streams,
            unread=settings.grpc_max_unread,
            patience=settings.grpc_patience_seconds,
            uploads=settings.grpc_max_uploads,
        )
        interceptor = self._interceptor(limits)
        listeners = settings.grpc_listeners if hasattr(socket, "SO_REUSEPORT") else 1
        for _ in range(listeners):
            await self._serve(self._listener(interceptor, listeners), self.port)

    async def _serve(self, server: Any, port: int) -> None:
        server.add_insecure_port(f"{self.settings.grpc_host}:{port}")
        await server.start()
        self._servers.append(server)

    def _interceptor(self, limits: Limits) -> Interceptor:
        keys = (self.settings.digest_key.get_secret_value(), self.settings.digest_key_before.get_secret_value())
        return Interceptor(
            probe=self.probe,
            digests=DigestKeys.of(*keys),
            limits=limits,
            deadline=self.settings.grpc_deadline_seconds,
            max_bytes=self.settings.grpc_max_message_bytes,
            labels=self.settings.foreign_traces,
            upload_bytes=self.settings.grpc_max_upload_bytes,
            upload_seconds=self.settings.grpc_upload_seconds,
        )

    def _listener(self, interceptor: Interceptor, listeners: int) -> Any:
        settings = self.settings
        server = grpc.aio.server(
            interceptors=[interceptor],
            # Answers that are not taken come on top of the running calls.
            maximum_concurrent_rpcs=2 * settings.grpc_max_calls
            + settings.grpc_max_streams
            + settings.grpc_max_uploads
            + settings.grpc_max_unread
            + _HEADROOM,
            options=_options(
                settings.grpc_max_message_bytes,
                connections=math.ceil(settings.grpc_max_connections / listeners),
                calls=settings.grpc_max_calls_per_connection,
            ),
        )
        for api in self.apis:
            api.add(api.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [api.name for api in self.apis]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        return server

    def _health_listener(self) -> Any:
        limits = Limits(calls=_PROBING, streams=_PROBING, unread=_PROBING, patience=self.settings.grpc_patience_seconds)
        options = _options(1024, connections=_PROBES, calls=_PROBING)
        server = grpc.aio.server(
            interceptors=[self._interceptor(limits)], options=[*options, ("grpc.max_connection_idle_ms", 5_000)]
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        return server

    def set_ready(self, ready: bool) -> None:
        """Sets the health status that decides whether clients send calls to this process."""
        for name in ("", READINESS, *(api.name for api in self.apis)):
            self._health.set(name, serving=ready)

    async def stop(self) -> None:
        """Refuses new calls, and lets running calls finish within the time that the settings allow."""
        self.set_ready(False)
        await asyncio.gather(*(server.stop(self.settings.grpc_drain_seconds) for server in self._servers))


def _free_port(host: str, port: int, setting: str) -> int:
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
        raise SettingsError(f"{setting} {port} cannot be opened: {error.strerror or error}; is it in use?") from None


def _options(max_message_bytes: int, *, connections: int, calls: int) -> list[tuple[str, int]]:
    """Returns the options of a listener.

    Args:
        connections: the most connections of the listener.
        calls: the most calls and streams of one connection at a time.
    """
    return [
        # The interceptor refuses requests between once and twice the limit, with reasons.
        ("grpc.max_receive_message_length", 2 * max_message_bytes),
        ("grpc.max_send_message_length", 4 * max_message_bytes),
        ("grpc.max_metadata_size", 16_384),
        # Otherwise the window of each upload grows by itself, and many uploads fill the memory.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.max_concurrent_streams", calls),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
        ("grpc.max_connection_age_ms", 600_000),
        ("grpc.max_connection_age_grace_ms", 30_000),
        ("grpc.so_reuseport", 1),
        ("grpc.server.max_pending_requests", _UNSEEN),
        ("grpc.server.max_pending_requests_hard_limit", 2 * _UNSEEN),
    ]
