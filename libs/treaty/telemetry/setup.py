"""Starts and stops telemetry, as the standard OTEL_ variables say. An unreachable collector never disturbs the service.

The SDK itself reads the other settings from the environment: OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG,
OTEL_RESOURCE_ATTRIBUTES, OTEL_EXPORTER_OTLP_HEADERS, _TIMEOUT, _CERTIFICATE, OTEL_METRIC_EXPORT_INTERVAL, OTEL_BSP_*.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.trace import NoOpTracerProvider

from treaty.probes import Probe
from treaty.telemetry.probe import OpenTelemetryProbe, PassingProbe

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from treaty.telemetry.exporters import Part

FLUSH_SECONDS = 2.0
"""The longest time that closing waits for the last export."""

_CHATTY = ("opentelemetry.exporter.otlp", "opentelemetry.sdk._shared_internal")
"""Loggers that log every failed attempt; the toolkit logs once that the collector is away or back instead."""


@dataclass(slots=True)
class Telemetry:
    """Running telemetry: call `close`, or use it as a context manager. `close` blocks for two seconds at most."""

    probe: Probe
    _parts: "Sequence[Part]" = ()

    def close(self) -> None:
        """Exports the remaining data, if that is possible within two seconds, and stops."""
        close_together([self])

    def release(self) -> "Sequence[Part]":
        """Returns the running parts, and keeps none of them."""
        parts, self._parts = self._parts, ()
        return parts

    async def aclose(self) -> None:
        """Closes as `close` does, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    async def flush(self) -> bool:
        """Exports all data of now; returns whether that succeeded within two seconds."""
        parts = self._parts
        ended = await asyncio.to_thread(_within, FLUSH_SECONDS, [part.provider.force_flush for part in parts])
        return ended and not any(part.reach.away for part in parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


def close_together(running: Sequence[Telemetry]) -> None:
    """Closes the telemetry of all contexts of a process at once, within two seconds.

    Nothing is sent to a collector where nothing listens, so that the process ends without waiting for it.
    """
    parts = [part for telemetry in running for part in telemetry.release()]
    for part in parts:
        if part.reach.away or part.reach.refused():
            part.reach.note(False)
            part.exporter.shutdown()
    if not _within(FLUSH_SECONDS, [part.provider.shutdown for part in parts]):
        for part in parts:
            part.reach.note(False)
            part.exporter.shutdown()


def start_telemetry(service_name: str, environ: Mapping[str, str], *, told: set[str] | None = None) -> Telemetry:
    """Starts the exports that the environment names; none without OTEL_EXPORTER_OTLP_ENDPOINT or a signal's own one.

    Args:
        service_name: the name of this process, unless OTEL_SERVICE_NAME is set.
        told: the endpoints that the log has mentioned as away; contexts of one process share this set.
    """
    traces, metrics = _endpoint("TRACES", environ), _endpoint("METRICS", environ)
    if not traces and not metrics:
        return Telemetry(PassingProbe())
    from treaty.telemetry.exporters import metering, tracing  # not imported without a collector

    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    resource = _resource(service_name, environ)
    told = set() if told is None else told
    spans, measures = tracing(resource, traces, environ, told), metering(resource, metrics, told)
    return Telemetry(
        OpenTelemetryProbe(
            (spans.provider if spans else NoOpTracerProvider()).get_tracer("treaty"),
            (measures.provider if measures else NoOpMeterProvider()).get_meter("treaty"),
        ),
        [part for part in (spans, measures) if part is not None],
    )


def _endpoint(signal: str, environ: Mapping[str, str]) -> str:
    """Returns the endpoint of a signal, empty without one."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    if environ.get(f"OTEL_{signal}_EXPORTER", "otlp").strip().lower() != "otlp":
        return ""
    return environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")


def _resource(service_name: str, environ: Mapping[str, str]) -> "Resource":
    """Returns the resource of this process; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence."""
    from opentelemetry.sdk.resources import Resource

    told = Resource.create().attributes
    ours: dict[str, Any] = {
        "service.namespace": "treaty",
        "service.version": _version(),
        "deployment.environment.name": environ.get("TREATY_ENVIRONMENT") or "dev",
    }
    name = environ.get("OTEL_SERVICE_NAME") or service_name
    return Resource({**ours, **told, "service.name": name})


def _version() -> str:
    try:
        return version("treaty")
    except PackageNotFoundError:
        return "unknown"


def _within(seconds: float, steps: Sequence[Callable[[], object]]) -> bool:
    """Runs the steps in parallel, in daemon threads; returns whether all ended in time."""
    deadline = time.monotonic() + seconds
    threads = [threading.Thread(target=_quietly, args=[step], daemon=True) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _quietly(step: Callable[[], object]) -> None:
    with contextlib.suppress(Exception):
        step()
