"""The host: one or several contexts in one process, behind one gRPC port, from start to drain."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from treaty.concurrency.tasks import ended
from treaty.messaging.broker import Broker
from treaty.messaging.tries import Patience
from treaty.probes import NoProbe, Probe
from treaty.process.runner import Runner
from treaty.rpc.server import GrpcServer
from treaty.seals.sealer import Sealing
from treaty.service.contexts import Build, load_context
from treaty.service.ports import Ports
from treaty.service.stores import Stores
from treaty.settings import ProcessSettings
from treaty.surroundings import Surroundings

if TYPE_CHECKING:
    from treaty.web.server import WebhookServer

logger = structlog.get_logger()

_REASON_SECONDS = 10.0
"""Seconds between two reasons in the log while the process is not ready: the texts of drivers' errors differ."""


_LEAST_DRAIN_SECONDS = 1.0
"""Seconds that consumers have to finish what they do, also if the calls took all of the drain."""


@dataclass(slots=True, kw_only=True)
class Host:
    """Runs contexts in one process.

    Args:
        stores: returns the stores of a context, given its name.
        broker: carries the events of the contexts; the caller starts and stops it.
        probes: the probe of each context; by default none.
        load: returns the `build` of a context; by default from `services/`.
        place: the name of this process on its leases, such as `<host name>/<process id>`.
    """

    contexts: Sequence[str]
    settings: ProcessSettings
    stores: Callable[[str], Stores]
    broker: Broker
    environ: Mapping[str, str] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)
    probes: Mapping[str, Probe] = field(default_factory=dict)
    patience: Patience = field(default_factory=Patience)
    load: Callable[[str], Build] = load_context
    place: str = ""
    runners: list[Runner] = field(default_factory=list)
    server: GrpcServer | None = None
    webhooks: "WebhookServer | None" = None
    _watching: "asyncio.Task[None] | None" = None

    async def start(self) -> None:
        """Builds the contexts and serves; the process is ready once each can commit and has declared its topology."""
        self.runners = [self._runner(name) for name in self.contexts]
        apis = [runner.service.api for runner in self.runners] if self._serves else []
        self.server = GrpcServer(settings=self.settings, apis=apis, probe=self._probe)
        await self.server.start()
        for runner in self.runners:
            await runner.start()
        await self._open_webhooks()
        self._watching = asyncio.create_task(self._watch(self.server))
        logger.info("serving", contexts=list(self.contexts), role=self.settings.role, port=self.server.port)

    async def stop(self) -> None:
        """Drains in this order: readiness, then calls, then consumers and followers. All share GRPC_DRAIN_SECONDS."""
        logger.info("draining", contexts=list(self.contexts))
        until = asyncio.get_running_loop().time() + self.settings.grpc_drain_seconds
        if self._watching is not None:
            await ended([self._watching])
        await asyncio.gather(*(runner.end_watching() for runner in self.runners))
        if self.webhooks is not None:
            await self.webhooks.stop()
        if self.server is not None:
            await self.server.stop()
        left = max(until - asyncio.get_running_loop().time(), _LEAST_DRAIN_SECONDS)
        await asyncio.gather(*(runner.stop(within=left) for runner in self.runners))
        logger.info("stopped", contexts=list(self.contexts))

    @property
    def _serves(self) -> bool:
        """Whether this process answers calls and webhooks; otherwise its port serves health checks alone."""
        return self.settings.role in ("all", "api")

    def _address(self, context: str) -> str:
        if context in self.contexts and self.server is not None and self._serves:
            return f"127.0.0.1:{self.server.port}"
        return self.settings.address_of(context)

    async def _open_webhooks(self) -> None:
        """Opens the HTTP port if a context has webhooks; without webhooks, the HTTP server is not imported."""
        hooks = [(hook, runner.surroundings.probe) for runner in self.runners for hook in runner.service.webhooks]
        if hooks and self._serves:
            from treaty.web.server import WebhookServer

            self.webhooks = WebhookServer(
                hooks,
                host=self.settings.http_host,
                port=self.settings.http_port,
                clock=self.surroundings.clock,
                foreign_traces=self.settings.foreign_traces,
                unread=self.settings.http_max_unread,
                patience=self.settings.http_patience_seconds,
            )
            await self.webhooks.start()

    def _probe(self, context: str) -> Probe:
        return self.probes.get(context) or NoProbe()

    def _runner(self, name: str) -> Runner:
        stores, surroundings = self.stores(name), replace(self.surroundings, probe=self._probe(name))
        ports = Ports(stores=stores, surroundings=surroundings, environ=self.environ, address=self._address)
        return Runner(
            service=self.load(name)(ports),
            stores=stores,
            broker=self.broker,
            surroundings=surroundings,
            role=self.settings.role,
            place=self.place,
            environment=self.settings.environment,
            partitions=self.settings.partitions,
            lease_seconds=self.settings.lease_seconds,
            inbox_wait_seconds=self.settings.inbox_wait_seconds,
            drain_seconds=self.settings.grpc_drain_seconds,
            patience=replace(self.patience, handler_seconds=self.settings.handler_seconds),
            sealing=Sealing.of(self.settings),
        )

    async def _watch(self, server: GrpcServer) -> None:
        """Sets readiness to whether the contexts can do their work, and logs why they cannot."""
        ready, told, told_at = False, "", asyncio.get_running_loop().time()  # a process that starts is not ready yet
        while True:
            why, now = await self._obstacles(), asyncio.get_running_loop().time()
            if ready != (not why):
                ready = not why
                server.set_ready(ready)
                logger.info("readiness changed", ready=ready)
                told, told_at = "", -math.inf
            if why and why != told and now - told_at >= _REASON_SECONDS:
                logger.warning("not ready", why=why)
                told, told_at = why, now
            await asyncio.sleep(1.0 if ready else 0.05)

    async def _obstacles(self) -> str:
        """Checks every context, sets its gauge, and returns why some of them cannot work; empty if all of them can."""
        found = await asyncio.gather(*(_obstacle(runner) for runner in self.runners))
        for runner, why in zip(self.runners, found, strict=True):
            runner.surroundings.probe.gauge("treaty.ready", float(not why))
        return "; ".join(
            f"{runner.service.name}: {why}" for runner, why in zip(self.runners, found, strict=True) if why
        )


async def _obstacle(runner: Runner) -> str:
    """Returns why a context cannot work now, or an empty text."""
    try:
        async with asyncio.timeout(2.0):
            await runner.check()
    except Exception as error:
        return str(error) or type(error).__name__
    return ""
