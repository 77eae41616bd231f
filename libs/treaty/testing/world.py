"""A world in memory for tests: a clock moved by hand, repeatable chance and ids, and running contexts."""

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from treaty.clock import Clock, SystemClock
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.tries import Patience
from treaty.operations.backlog import backlog
from treaty.probes import NoProbe, Probe
from treaty.process.host import Host
from treaty.process.runner import Runner
from treaty.rpc.client import channel
from treaty.settings import ProcessSettings, read_settings
from treaty.surroundings import Surroundings
from treaty.testing.eventually import eventually

_GOLDEN = 0.6180339887498949


class ManualClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, start: datetime = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class SeededIds:
    """Makes the same ids in every run with the same seed."""

    def __init__(self, seed: str = "") -> None:
        self._namespace = uuid.uuid5(uuid.NAMESPACE_OID, seed)
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return str(uuid.uuid5(self._namespace, str(self._count)))


class SeededChance:
    """Makes the same jitter in every run with the same seed, spread evenly; `scale` shortens every pause."""

    def __init__(self, seed: int = 0, *, scale: float = 1.0) -> None:
        self._count = seed
        self._scale = scale

    def jitter(self, seconds: float) -> float:
        self._count += 1
        return seconds * self._scale * (0.5 + self._count * _GOLDEN % 1)


@dataclass(slots=True)
class World:
    """Contexts that run in this process, on memory adapters, behind one gRPC port.

    Attributes:
        stores: the stores of each context.
        channel: a gRPC channel to the port.
    """

    host: Host
    broker: MemoryBroker
    stores: Mapping[str, MemoryStores]
    channel: Any
    ids: SeededIds = field(default_factory=SeededIds)

    def runner(self, context: str) -> Runner:
        """Returns the runner of a context."""
        return next(runner for runner in self.host.runners if runner.service.name == context)

    def resource(self, context: str) -> Any:
        """Returns the first resource of a context: its client of another system."""
        return self.runner(context).service.resources[0]

    async def is_settled(self) -> bool:
        """Returns whether no work is left now: only timers are pending, and read models show everything."""
        for runner in self.host.runners:
            if not runner.ready:
                return False
            left = await backlog(runner.service, runner.stores, self.broker, runner.topology.partitions)
            if not left.empty:
                return False
        return True


@asynccontextmanager
async def embedded(
    *contexts: str,
    environ: Mapping[str, str] | None = None,
    broker: MemoryBroker | None = None,
    stores: dict[str, MemoryStores] | None = None,
    clock: Clock | None = None,
    probe: Probe | None = None,
) -> AsyncIterator[World]:
    """Runs contexts on a free port of the loopback interface until the block ends.

    Args:
        contexts: names of contexts, such as commerce.ordering.
        environ: settings of the process and of the contexts.
        broker: a broker from before; by default a new one.
        stores: the stores of contexts from before; by default new ones.
    """
    probe = probe or NoProbe()
    surroundings = Surroundings(clock=clock or SystemClock(), chance=SeededChance(scale=0.1), probe=probe)
    kept = {} if stores is None else stores
    here = {"GRPC_HOST": "127.0.0.1", "GRPC_PORT": "0", "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0"}
    told = {**here, "GRPC_DRAIN_SECONDS": "2", **(environ or {})}
    host = Host(
        contexts=contexts,
        settings=read_settings(ProcessSettings, told),
        stores=lambda name: kept.setdefault(name, MemoryStores(surroundings)),
        broker=broker or MemoryBroker(),
        environ=told,
        surroundings=surroundings,
        probes=dict.fromkeys(contexts, probe),
        patience=Patience(pause=0.01, look_every=0.05),
    )
    await host.start()
    assert host.server is not None
    opened = channel(f"127.0.0.1:{host.server.port}")
    try:
        await eventually(lambda: all(runner.ready for runner in host.runners))
        assert isinstance(host.broker, MemoryBroker)
        yield World(host, host.broker, kept, opened)
    finally:
        await opened.close()
        await host.stop()
