"""Runs a seed: a simulated cluster with its clients and its nemesis, and then the checker."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from treaty.commits.log import Place
from treaty.domain import DomainError
from treaty.memory.leases import MemoryCheckpoints
from treaty.messaging.quarantine import Intent
from treaty.messaging.subscriptions import by_producer
from treaty.operations.backlog import Backlog, backlog
from treaty.operations.deliveries import DeliveryAudit
from treaty.operations.redelivery import Redelivery
from treaty.service.ports import Ports
from treaty.surroundings import Surroundings
from treaty.testing.simulation import Cluster, Rates, Unanswered, simulate
from treaty.testing.simulation.cluster import SimulatedChance
from treaty.testing.simulation.nemesis import Nemesis
from treaty.testing.simulation.operator import give_up_what_is_left
from treaty.testing.world import SeededIds

from scripts.lib.prove.checker import Operation, Verdict, check
from scripts.lib.prove.endings import ENDINGS, ENDINGS_EVERY
from scripts.lib.prove.ground import ACCOUNTS, CONTEXTS, load
from scripts.lib.prove.ground import accounts_pb2 as pb

SETTLED_WITHIN = 900.0
"""Virtual seconds after the last fault, within which all work must be done."""


@dataclass(slots=True)
class Run:
    """The outcome of one seed.

    Attributes:
        seconds: the virtual seconds that it took.
        digest: a hash of all commits and their order. It is the same for the same seed.
        settled: whether the faults had ended and all work was done, so that nothing may be missing.
    """

    seed: int
    verdict: Verdict
    faults: list[str] = field(default_factory=list)
    steps: int = 0
    seconds: float = 0.0
    digest: str = ""
    settled: bool = False


def run_seed(seed: int) -> Run:
    """Runs one seed. Every fifth is a safety run: its faults never end, so missing messages are not an error."""
    return simulate(seed, _run(seed, liveness=seed % 5 != 0))


async def _run(seed: int, *, liveness: bool) -> Run:
    scene = Scene(seed)
    await scene.play()
    settled = await scene.settle() if liveness else False
    if settled and seed % ENDINGS_EVERY in ENDINGS:
        settled = await ENDINGS[seed % ENDINGS_EVERY](scene)
    verdict = await check(scene.operations, scene.cluster.stores, settled=settled)
    if liveness and not settled:
        verdict.unsettled.append(
            f"after {SETTLED_WITHIN:.0f} s without faults some work is not done: {await scene.left()}"
        )
    verdict.untrue += [*scene.cluster.loop.errors, *scene.faults]
    loop = scene.cluster.loop
    return Run(seed, verdict, scene.cluster.faults, loop.steps, loop.time(), digest_of(scene.cluster), settled)


class _WatchedCheckpoints(MemoryCheckpoints):
    """Checkpoints that report a place that goes back."""

    def __init__(self, context: str, faults: list[str]) -> None:
        super().__init__()
        self._context, self._faults = context, faults

    async def save(self, places: Mapping[str, Place], epoch: int) -> None:
        before = await self.load()
        await super().save(places, epoch)
        for name, place in (await self.load()).items():
            if name in before and place.position < before[name].position:
                self._faults.append(f"the place of {name} in {self._context} went back to {place.position}")


def digest_of(cluster: Cluster) -> str:
    """Returns a hash of all commits of a cluster and their order."""
    digest = hashlib.blake2s()
    for name in cluster.contexts:
        for commit in cluster.stores[name].commits.commits:
            digest.update(repr((commit.id, commit.events, commit.causes, commit.position)).encode())
    digest.update(repr((cluster.loop.steps, cluster.loop.time(), cluster.faults)).encode())
    return digest.hexdigest()


class Scene:
    """A cluster with its clients, and what they have asked."""

    def __init__(self, seed: int) -> None:
        loop = asyncio.get_running_loop()
        self.chance = loop.chance  # type: ignore[attr-defined]
        fragile = self.chance.random() < 0.2
        self.cluster = Cluster(
            load=load,
            contexts=CONTEXTS,
            environ={
                "PROVING_PATIENCE": str(self.chance.choice([0.05, 1.0, 5.0])),
                "PROVING_FAILS_EVERY": str(self.chance.randint(2, 4) if fragile else 0),
                "PROVING_FAILS_ATTEMPTS": str(self.chance.randint(1, 5)),
            },
            partitions=self.chance.randint(1, 2),
            speed=20.0 if fragile else 1.0,
        )
        self.rates = Rates(
            lost=self.chance.choice([0.0, 0.01, 0.05]),
            unanswered=self.chance.choice([0.0, 0.01, 0.05]),
            late=self.chance.choice([0.0, 0.01, 0.05]),
            latency=self.chance.choice([0.002, 0.01, 0.05]),
            shorter=self.chance.choice([0.0, 0.02]),
        )
        self.accounts = [f"a{n}" for n in range(self.chance.randint(1, 3))]
        self.operations: list[Operation] = []
        self.faults: list[str] = []
        for name, stores in self.cluster.stores.items():
            stores.checkpoints = _WatchedCheckpoints(name, self.faults)
        self._ids = SeededIds(str(seed))
        self._services = {name: load(name)(self._ports(name)) for name in CONTEXTS}

    async def play(self) -> None:
        """Starts the clients, and runs the nemesis beside them until it ends."""
        cluster = self.cluster
        for context in CONTEXTS:
            for _ in range(self.chance.randint(1, 2)):
                cluster.start(context)
        await cluster.up()
        cluster.disturb(self.rates)
        nemesis = Nemesis(cluster, every=self.chance.choice([0.4, 1.0]))
        clients = [asyncio.create_task(self._client()) for _ in range(self.chance.randint(2, 4))]
        self._clients = clients
        await nemesis.run(self.chance.uniform(2.0, 6.0))

    def _ports(self, name: str) -> Ports:
        """Returns ports to build a context that is only read."""
        cluster, chance = self.cluster, SimulatedChance(self.cluster.loop)
        return Ports(
            stores=cluster.stores[name], surroundings=Surroundings(clock=cluster.clock, ids=SeededIds(), chance=chance)
        )

    async def settle(self) -> bool:
        """Ends all faults, and waits for all answers and until no work is left; returns whether it was in time."""
        cluster, loop = self.cluster, self.cluster.loop
        cluster.disturb(Rates(latency=self.rates.latency))
        await Nemesis(cluster).heal()
        deadline = loop.time() + SETTLED_WITHIN
        await asyncio.wait(self._clients, timeout=SETTLED_WITHIN)
        quiet = 0
        while loop.time() < deadline:
            await give_up_what_is_left(cluster)  # a late request of an operator may have begun a replay
            await self._ask_for_retries()
            quiet = 0 if await self.left() else quiet + 1
            if quiet == 2:
                return True
            await asyncio.sleep(0.4)
        return False

    async def _ask_for_retries(self) -> None:
        """Requests a retry of every failed message in quarantine, as a person would do."""
        for stores in self.cluster.stores.values():
            for item in await stores.quarantine.find():
                if item.error and not item.intent:
                    intent = Intent(action="retry", reason="it was mended", at=self.cluster.clock.now())
                    await stores.quarantine.intend(item.id, intent)

    async def left(self) -> str:
        """Returns a description of the work that is left, empty if there is none."""
        left = (
            [f"{sum(not client.done() for client in self._clients)} clients"]
            if not all(client.done() for client in self._clients)
            else []
        )
        for name, stores in self.cluster.stores.items():
            found = await self.backlog(name)
            timers = await stores.pending.timers(1000)
            if not found.empty or timers:
                left.append(f"{name}: {found}, {len(timers)} timers")
        return "; ".join(left)

    async def backlog(self, name: str) -> Backlog:
        cluster = self.cluster
        return await backlog(self._services[name], cluster.stores[name], cluster.broker, cluster.partitions)

    def audit(self, consumer: str, *, grace: float = 0.0) -> DeliveryAudit:
        """Returns an audit of the deliveries to a context, by a process that no fault meets."""
        return DeliveryAudit(**self._deliveries(consumer), grace=grace)

    def redelivery(self, consumer: str) -> Redelivery:
        return Redelivery(**self._deliveries(consumer))

    def _deliveries(self, consumer: str) -> dict[str, Any]:
        service, stores = self._services[consumer], self.cluster.stores
        return {
            "service": service,
            "stores": stores[consumer],
            "producers": {producer: stores[producer] for producer in by_producer(service.subscriptions)},
            "broker": self.cluster.broker,
            "partitions": self.cluster.partitions,
            "surroundings": self._ports(consumer).surroundings,
        }

    async def _client(self) -> None:
        """Sends one command after another, and repeats each until it has an answer."""
        for _ in range(self.chance.randint(2, 6)):
            await asyncio.sleep(self.chance.uniform(0.0, 1.0))
            if self.chance.random() < 0.3 and len(self.accounts) > 1:
                await self._transfer()
            else:
                await self.move()

    async def move(self) -> None:
        request = pb.MoveRequest(
            request_id=self._ids.new(),
            account_id=self.chance.choice(self.accounts),
            amount=self.chance.choice([5, 10, 20, -5, -15]),
        )
        operation = Operation(f"Move/{request.request_id}")
        await self._until_answered(operation, "Move", request)

    async def _transfer(self) -> None:
        source, target = self.chance.sample(self.accounts, 2)
        await self.transfer(source, target)

    async def transfer(self, source: str, target: str) -> str:
        """Asks for a transfer until it is answered; returns its id."""
        id = self._ids.new()
        request = pb.TransferRequest(request_id=id, source=source, target=target, amount=self.chance.randint(1, 10))
        await self._until_answered(Operation(f"Transfer/{id}"), "Transfer", request)
        return id

    async def _until_answered(self, operation: Operation, method: str, request: object) -> None:
        self.operations.append(operation)
        while True:
            operation.asked += 1
            try:
                answer = await self.cluster.ask(ACCOUNTS, method, request)
            except Unanswered:
                await asyncio.sleep(self.chance.uniform(0.05, 0.5))
            except DomainError:
                operation.outcome = "refused"
                return
            else:
                operation.outcome, operation.answer = "ok", getattr(answer, "number", 0)
                return
