"""The gRPC server of a process: all its services on one port, with health and reflection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from treaty.probes import Probe
from treaty.rpc.interceptor import Interceptor
from treaty.service import Api
from treaty.settings import ProcessSettings, SettingsError

LIVENESS, READINESS = "liveness", "readiness"

_HEADROOM = 64
"""Calls beyond our own bound that the server lets in, so that health checks are answered under overload."""


@dataclass(slots=True)
class GrpcServer:
    """Serves the APIs.

    `probe` tells who watches a context. Health knows `liveness` (the process runs), `readiness` (it can do its work)
    and each service by its name.
    """

    settings: ProcessSettings
    apis: Sequence[Api]
    probe: Callable[[str], Probe]
    port: int = 0
    _server: Any = None
    _health: Any = field(default_factory=health.aio.HealthServicer)

    async def start(self) -> None:
        """Binds the port and starts to answer; `port` is the one that was bound. SettingsError if it cannot be had."""
        interceptor = Interceptor(
            probe=self.probe,
            digest_key=self.settings.digest_key.get_secret_value().encode(),
            max_calls=self.settings.grpc_max_calls,
            deadline=self.settings.grpc_deadline_seconds,
            max_streams=self.settings.grpc_max_streams,
        )
        self._server = grpc.aio.server(
            interceptors=[interceptor],
            maximum_concurrent_rpcs=self.settings.grpc_max_calls + self.settings.grpc_max_streams + _HEADROOM,
            options=_options(self.settings.grpc_max_message_bytes),
        )
        for api in self.apis:
            api.add(api.servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = [api.name for api in self.apis]
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)
        try:
            self.port = self._server.add_insecure_port(f"{self.settings.grpc_host}:{self.settings.grpc_port}")
        except RuntimeError:
            raise SettingsError(f"GRPC_PORT {self.settings.grpc_port} cannot be had: is it in use?") from None
        await self._server.start()
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self.set_ready(False)

    async def set_ready(self, ready: bool) -> None:
        """Says whether calls should be sent here."""
        kinds = health_pb2.HealthCheckResponse
        status = kinds.SERVING if ready else kinds.NOT_SERVING
        for name in ("", READINESS, *(api.name for api in self.apis)):
            await self._health.set(name, status)

    async def stop(self) -> None:
        """Refuses new calls, and lets running ones finish for as long as the settings allow."""
        if self._server is not None:
            await self.set_ready(False)
            await self._server.stop(self.settings.grpc_drain_seconds)


def _options(max_message_bytes: int) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", 4 * max_message_bytes),
        ("grpc.max_metadata_size", 16_384),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
        ("grpc.max_connection_age_ms", 600_000),
        ("grpc.max_connection_age_grace_ms", 30_000),
        ("grpc.so_reuseport", 0),
    ]
