"""A process that consumes large messages, and prints its peak of memory: `python -m tests.real.heavy_consumer`."""

import asyncio
import hashlib
import json
import os
import resource
import sys
from dataclasses import dataclass, field, replace
from functools import partial

from treaty.chance import RandomIds
from treaty.clock import SystemClock
from treaty.concurrency.tasks import at_once
from treaty.followers.inbox import note_mark
from treaty.messaging.broker import Topology
from treaty.messaging.consumer import PartitionConsumer
from treaty.messaging.envelope import Envelope
from treaty.messaging.quarantine import Intent
from treaty.messaging.tries import Patience
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.rabbit.broker import RabbitBroker
from treaty.surroundings import Surroundings
from treaty.testing import while_moving
from treaty.testing.suites.broker import subscriber

PRODUCER = "test.foundry"


def heavy(context: str) -> Topology:
    """Returns the topology of a context that hears of the foundry, with four partitions."""
    return replace(subscriber(context, PRODUCER), partitions=4)


@dataclass(slots=True)
class Taken:
    """What was handled, by the id of the event; an event whose id begins with `poison` fails until that is mended."""

    digests: dict[str, str] = field(default_factory=dict)
    calls: int = 0
    mended: bool = False

    async def handle(self, event: Envelope) -> None:
        self.calls += 1
        if event.id.startswith("poison") and not self.mended:
            raise ValueError(f"{event.id} is poison")
        self.digests[event.id] = hashlib.blake2b(event.body).hexdigest()


async def main(context: str, expected: int, failing: int) -> None:
    """Consumes until all but the failing events are handled and these are in quarantine; then releases those too."""
    taken, surroundings = Taken(), Surroundings()
    broker = RabbitBroker(os.environ["AMQP_URL"], name="heavy", ids=RandomIds())
    client = connect(os.environ["MONGODB_URI"], "motor")
    stores, topology = MongoStores(client, context, surroundings=surroundings), heavy(context)
    patience = Patience(tries=2, pause=0.05)
    consumers = [
        PartitionConsumer(
            topology,
            partition,
            broker,
            taken.handle,
            stores.quarantine,
            stores.replays,
            note_mark=partial(note_mark, stores.checkpoints, partition),
            sure=at_once,
            surroundings=surroundings,
            patience=patience,
        )
        for partition in range(topology.partitions)
    ]
    tasks = [asyncio.create_task(consumer.run()) for consumer in consumers]

    async def settled() -> bool:
        held = (await stores.quarantine.waiting()).count
        return len(taken.digests) == expected - failing and held == failing

    await while_moving(settled, lambda: taken.calls)
    held = [item.id for item in await stores.quarantine.find(limit=1000)]
    taken.mended = True
    for id in held:
        await stores.quarantine.intend(id, Intent(action="retry", reason="mended", at=SystemClock().now()))
    await while_moving(lambda: len(taken.digests) == expected, lambda: taken.calls)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await broker.close()
    await close(client)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"peak_kib": peak, "held": held, "digests": taken.digests}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
