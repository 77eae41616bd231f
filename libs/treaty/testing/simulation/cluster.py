"""A cluster of simulated processes: contexts in several replicas, with servers in memory, and faults of processes."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast

from treaty.causes import Cause, acting
from treaty.commits.log import StoreAway
from treaty.domain import DomainError
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.broker import BrokerAway
from treaty.messaging.tries import Patience
from treaty.probes import NoProbe
from treaty.process.runner import Runner
from treaty.rpc.peers import Peer, PeerAway
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.surroundings import Surroundings
from treaty.testing.simulation.faults import NONE, Rates
from treaty.testing.simulation.loop import Process, SimulatedLoop
from treaty.testing.simulation.wire import RemoteBroker, RemoteStores, Wire
from treaty.testing.world import SeededIds

START = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


class Unanswered(Exception):
    """A call has no answer, so it is unknown whether it took effect."""


class Killed(BaseException):
    """Unwinds the current work of a killed process; no code of the process runs after it."""


@dataclass(slots=True)
class SimulatedClock:
    """A wall clock: the virtual time multiplied by `speed`, plus `offset` seconds."""

    loop: SimulatedLoop
    speed: float = 1.0
    offset: float = 0.0

    def now(self) -> datetime:
        return START + timedelta(milliseconds=int(1000 * (self.loop.time() * self.speed + self.offset)))


@dataclass(frozen=True, slots=True)
class SimulatedChance:
    loop: SimulatedLoop

    def jitter(self, seconds: float) -> float:
        return seconds * self.loop.chance.uniform(0.5, 1.5)


class CrashingProbe(NoProbe):
    """Records nothing, but ends its process when a crash point is reached for the n-th time."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self.crash_at: tuple[str, int] | None = None

    def reach(self, place: str) -> None:
        if self.crash_at is None or self.crash_at[0] != place:
            return
        left = self.crash_at[1] - 1
        self.crash_at = (place, left) if left else None
        if not left:
            self._end()
            raise Killed(place)


class SimulatedPeer(Peer):
    """Another context of the cluster, called by one of its processes. The call, or its answer, may be lost."""

    def __init__(self, cluster: "Cluster", context: str) -> None:
        super().__init__(context, lambda name: name, NoProbe())
        self._cluster = cluster

    async def ask(self, stub: Any, method: str, request: Any, *, timeout: float = 5.0) -> Any:
        try:
            return await self._cluster.ask(self.context, method, request, timeout=timeout)
        except Unanswered as why:
            raise PeerAway(self.context, str(why)) from None


@dataclass(eq=False, slots=True)
class Node:
    """One process of a context."""

    context: str
    process: Process
    clock: SimulatedClock
    wires: tuple[Wire, Wire]
    probe: CrashingProbe
    service: Service | None = None
    runner: Runner | None = None

    @property
    def serving(self) -> bool:
        return self.service is not None and self.process.alive

    async def handle(self, method: str, request: Any, answer: "asyncio.Future[Any]") -> None:
        """Answers one call, as the gRPC server would; without an answer, the caller's time limit ends the call."""
        assert self.service is not None
        body = request.SerializeToString(deterministic=True)
        digest = hashlib.blake2s(body, digest_size=16).hexdigest()
        asked = getattr(request, "request_id", "")  # a query has none
        cause = Cause(id=f"{method}/{asked}", digest=digest, correlation=asked)
        try:
            with acting(cause):
                found = await getattr(self.service.api.servicer, method)(request, None)
        except DomainError as refusal:
            _answer(answer, refusal)
        except Exception as error:
            _answer(answer, Unanswered(f"{type(error).__name__}: {error}"))
        else:
            if not answer.done():
                answer.set_result(found)


def _answer(answer: "asyncio.Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
        answer.exception()


@dataclass(slots=True, kw_only=True)
class Cluster:
    """Runs contexts in several replicas each, on servers in memory. Make it inside a running simulation.

    Attributes:
        load: returns the `build` of a context.
        contexts: the names of the contexts.
        environ: the settings of the contexts.
        rates: the faults of every wire; change them with `disturb`.
        speed: how much faster the wall clocks of the processes run than virtual time, for schedules of hours.
        operators: the processes of people beside the services.
        refusals: the errors with which the work of operators ended.
    """

    load: Callable[[str], Callable[[Ports], Service]]
    contexts: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    partitions: int = 2
    lease_seconds: float = 2.0
    rates: Rates = NONE
    speed: float = 1.0
    patience: Patience = field(default_factory=lambda: Patience(tries=3, pause=0.05, look_every=0.5))
    loop: SimulatedLoop = field(init=False)
    servers: Process = field(init=False)
    clock: SimulatedClock = field(init=False)
    broker: MemoryBroker = field(init=False)
    stores: Mapping[str, MemoryStores] = field(init=False)
    nodes: list[Node] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    operators: list[Node] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _ids: SeededIds = field(init=False)

    def __post_init__(self) -> None:
        self.loop = cast(SimulatedLoop, asyncio.get_running_loop())
        self.servers = Process("servers")
        self.clock = SimulatedClock(self.loop)
        self.broker = MemoryBroker()
        chance = SimulatedChance(self.loop)
        self.stores = {
            context: MemoryStores(Surroundings(clock=self.clock, chance=chance)) for context in self.contexts
        }
        self._ids = SeededIds("cluster")

    def start(self, context: str) -> Node:
        """Starts another process of a context."""
        node = self._node(context, f"{context}/{len(self.nodes)}")
        self.nodes.append(node)
        process = node.process
        self.loop.create_task(self._serve(node), context=process.context.copy())
        return node

    def start_operator(self) -> Node:
        """Starts the process of a person, which has access to all servers."""
        node = self._node("", f"operator/{len(self.operators)}")
        self.operators.append(node)
        return node

    def _node(self, context: str, name: str) -> Node:
        process = Process(name)
        wires = tuple(Wire(self.loop, process, self.servers, self.rates, away=away) for away in (StoreAway, BrokerAway))
        clock = SimulatedClock(self.loop, self.speed)
        node = Node(context, process, clock, (wires[0], wires[1]), CrashingProbe(lambda: self.kill(node)))
        return node

    def kill(self, node: Node) -> None:
        """Ends a process as kill -9 does. The broker closes its channels at once; its leases expire."""
        node.process.alive = False
        self.broker.drop(node.process)

    def stop(self, node: Node) -> None:
        """Stops a process as SIGSTOP does, without notice. After some seconds the broker closes its channels."""
        node.process.stopped = True
        self.loop.call_later(3.0, self._give_up, node, context=self.servers.context.copy())

    def go_on(self, node: Node) -> None:
        self.loop.resume(node.process)

    async def drain(self, node: Node) -> None:
        """Ends a process as SIGTERM does, and as SIGKILL does if that takes too long or if this is cancelled."""
        try:
            if node.runner is not None and node.process.alive:
                ending = self.loop.create_task(node.runner.stop(), context=node.process.context.copy())
                node.service = None
                await asyncio.wait([ending], timeout=15.0)
        finally:
            self.kill(node)

    def disturb(self, rates: Rates) -> None:
        """Changes the faults of every wire, also of processes that start later."""
        self.rates = rates
        for node in [*self.nodes, *self.operators]:
            for wire in node.wires:
                wire.rates = rates

    def living(self, context: str = "") -> list[Node]:
        """Returns the processes that were not killed, of one context or of all."""
        return [n for n in self.nodes if n.process.alive and (not context or n.context == context)]

    def new_id(self) -> str:
        return self._ids.new()

    async def up(self) -> None:
        """Waits until each context has been ready: a consumer misses events from before its binding."""
        while not all(any(n.runner and n.runner.ready for n in self.living(c)) for c in self.contexts):
            await asyncio.sleep(0.05)

    async def ask(self, context: str, method: str, request: Any, *, timeout: float = 3.0) -> Any:
        """Makes one call to a random process of a context.

        Raises:
            DomainError: the refusal of the context.
            Unanswered: if no process serves the context, or the answer is lost.
        """
        serving = [node for node in self.living(context) if node.serving]
        if not serving:
            await asyncio.sleep(0.2)
            raise Unanswered(f"no process serves {context}")
        node = self.loop.chance.choice(serving)
        await self._travel()
        answer: asyncio.Future[Any] = self.loop.create_future()
        handling = self.loop.create_task(node.handle(method, request, answer), context=node.process.context.copy())
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.shield(answer)
        except TimeoutError:
            self.loop.call_soon(handling.cancel, context=node.process.context.copy())
            raise Unanswered("no answer in time") from None
        await self._travel()
        if self.loop.chance.random() < self.rates.unanswered:
            raise Unanswered("the answer is lost")
        return found

    async def _travel(self) -> None:
        await asyncio.sleep(self.rates.latency * self.loop.chance.uniform(0.1, 1.0))

    def _give_up(self, node: Node) -> None:
        if node.process.stopped:
            self.broker.drop(node.process)

    async def _serve(self, node: Node) -> None:
        chance = SimulatedChance(self.loop)
        ids = SeededIds(node.process.name)
        stores: Any = RemoteStores(self.stores[node.context], node.wires[0], chance=chance, probe=node.probe)
        broker: Any = RemoteBroker(self.broker, node.wires[1])
        ports = Ports(
            stores=stores,
            surroundings=Surroundings(clock=node.clock, ids=ids, chance=chance, probe=node.probe),
            environ=self.environ,
            connect=partial(SimulatedPeer, self),
        )
        service = self.load(node.context)(ports)
        runner = Runner(
            service=service,
            stores=stores,
            broker=broker,
            surroundings=Surroundings(clock=node.clock, ids=ids, chance=chance, probe=node.probe),
            partitions=self.partitions,
            lease_seconds=self.lease_seconds,
            drain_seconds=5.0,
            patience=replace(self.patience),
        )
        while True:
            try:
                await runner.start()
                break
            except Exception:
                await asyncio.sleep(0.5)
        node.runner, node.service = runner, service
