"""Endings of a simulated run: what a settled cluster must stand besides random faults."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from treaty.commits.commit import Commit
from treaty.messaging.envelope import Envelope, parse
from treaty.messaging.replays import END_HEADER

from scripts.lib.prove.ground import ACCOUNTS, CONTEXTS, LEDGER
from scripts.lib.prove.ground.accounts.application import AWAY, HANGING, REFUSING
from scripts.lib.prove.ground.accounts.service import REFUSED

if TYPE_CHECKING:
    from scripts.lib.prove.simulated import Scene

HALTED_SECONDS = 60.0
"""Virtual seconds within which all other work must be done while a read model is halted."""

_ABSENT_SECONDS = 20.0
"""Virtual seconds for which the accounts are away: longer than the deadline of any transfer."""

_FAIR_SECONDS = 20.0
"""Virtual seconds within which calls to a bank that answers are made beside those to a bank that does not."""

_HANGING_CALLS = 64

_PUBLISHED_SECONDS = 10.0
"""Virtual seconds within which all events are published when there are no faults."""


async def halt_a_read_model(scene: "Scene") -> bool:
    """Lets one read model fail on one account. All other work must go on, and the read model once it is mended."""
    account = scene.accounts[0]
    REFUSED.add(account)
    try:
        while len(before := await _epochs(scene)) < len(CONTEXTS):
            await asyncio.sleep(0.5)
        for _ in range(3):
            await scene.move()
        await asyncio.sleep(10.0)
        # One new epoch may be a take-over that had begun before; a failure that is shared makes one every second.
        if any(after > epoch + 1 for epoch, after in zip(before, await _epochs(scene), strict=False)):
            scene.faults.append("a halted read model ended the work of all followers")
        deadline = scene.cluster.loop.time() + HALTED_SECONDS
        while held := [name for name in CONTEXTS if (found := await scene.backlog(name)).outbox or found.calls]:
            if scene.cluster.loop.time() > deadline:
                scene.faults.append(f"a halted read model held up the outbox or the calls of {', '.join(held)}")
                break
            await asyncio.sleep(0.5)
    finally:
        REFUSED.clear()
    return await scene.settle()


async def _epochs(scene: "Scene") -> list[int]:
    """Returns the epochs of the followers' leases. A new one means that the followers began again."""
    held = [await stores.leases.holders() for stores in scene.cluster.stores.values()]
    return [leases["followers"].epoch for leases in held if "followers" in leases]


async def stay_away(scene: "Scene") -> bool:
    """Keeps the accounts away while answers come in and deadlines pass. The answers must be read before timers fire."""
    cluster = scene.cluster
    asked: list[asyncio.Task[Any]] = [asyncio.create_task(scene.move()) for _ in range(6)]
    if len(scene.accounts) > 1:
        asked += [asyncio.create_task(scene.transfer(*scene.accounts[:2])) for _ in range(3)]
    await asyncio.wait(asked, timeout=2.0)
    await asyncio.sleep(scene.chance.uniform(0.0, 0.3))
    for node in cluster.living(ACCOUNTS):
        cluster.kill(node)
    await asyncio.sleep(_ABSENT_SECONDS)
    stores = cluster.stores[ACCOUNTS]
    waiting = [parse(headers, b"") for headers in cluster.broker.inbox(ACCOUNTS) if END_HEADER not in headers]
    now = await stores.pending.now()
    fired = {cause.id for commit in stores.commits.commits for cause in commit.causes}
    overdue = [id for id, due in (await stores.pending.timers(1000)).items() if due <= now and id not in fired]
    cluster.start(ACCOUNTS)
    await asyncio.wait(asked)
    settled = await scene.settle()
    if settled:
        scene.faults += _too_early(stores.commits.commits, waiting, overdue)
    return settled


def _too_early(commits: Sequence[Commit], waiting: Sequence[Envelope], overdue: Sequence[str]) -> Sequence[str]:
    """Returns a sentence for each message that took effect after an overdue timer, though it was there before."""
    when = {cause.id.rpartition("/")[0]: n for n, commit in enumerate(commits) for cause in commit.causes}
    fired = {cause.id: n for n, commit in enumerate(commits) for cause in commit.causes}
    first = min((fired[id] for id in overdue if id in fired), default=len(commits))
    handled = {event.id: when.get(f"{event.producer}/{event.id}", 0) for event in waiting}
    return [f"{id} was in the inbox, and a timer fired before it was read" for id, n in handled.items() if n > first]


async def lose_a_bank(scene: "Scene") -> bool:
    """Lets many calls wait for a bank that hangs. Calls to another bank, which answers again, must not wait."""
    cluster = scene.cluster
    AWAY.update({HANGING, REFUSING})
    try:
        asking = [scene.transfer(f"{HANGING}-{n}", scene.accounts[0]) for n in range(_HANGING_CALLS)]
        asking += [scene.transfer(f"{REFUSING}-{n}", scene.accounts[0]) for n in range(3)]
        ids = await asyncio.gather(*asking)
        await asyncio.sleep(2.0)
        AWAY.discard(REFUSING)
        for node in cluster.living(ACCOUNTS):
            cluster.kill(node)
        cluster.start(ACCOUNTS)
        await cluster.up()
        await asyncio.sleep(3 * cluster.lease_seconds + _FAIR_SECONDS)
        late = [id for id in ids[_HANGING_CALLS:] if not await _was_refused(scene, id)]
        scene.faults += [f"the transfer {id} waits behind calls to a bank that does not answer" for id in late]
    finally:
        AWAY.clear()
    return await scene.settle()


async def _was_refused(scene: "Scene", transfer: str) -> bool:
    """Returns whether a transfer from an empty account has ended."""
    commits = await scene.cluster.stores[ACCOUNTS].commits.read(f"transfer-{transfer}")
    return any(event["type"] == "refused" for commit in commits for event in commit.events)


async def lose_messages(scene: "Scene") -> bool:
    """Lets the broker drop messages that nobody has received. The audit must find just these, and bring them back."""
    cluster = scene.cluster
    await scene.audit(LEDGER).round()
    for node in cluster.living(LEDGER):
        cluster.kill(node)
    await asyncio.gather(*(scene.move() for _ in range(4)))
    await asyncio.sleep(_PUBLISHED_SECONDS)
    lost = {str(headers.get("ce-id", "")) for headers in cluster.broker.lose_queued(LEDGER)}
    await scene.audit(LEDGER, grace=_PUBLISHED_SECONDS * 100).round()  # by a process that ends before it knows
    cluster.start(LEDGER)
    await cluster.up()
    audit = scene.audit(LEDGER)
    while (found := await audit.round()).waiting:
        await asyncio.sleep(0.5)
    alarms = {event.envelope.id for event in found.missing} - lost
    scene.faults += [f"the audit says that {id} is missing, and the broker did not lose it" for id in sorted(alarms)]
    await scene.redelivery(LEDGER).deliver(found.missing)
    return await scene.settle()


ENDINGS: Mapping[int, Callable[["Scene"], Awaitable[bool]]] = {
    1: halt_a_read_model,
    2: stay_away,
    3: lose_a_bank,
    4: lose_messages,
}
"""The ending of a seed, by its remainder when divided by 6; most seeds have one."""

ENDINGS_EVERY = 6
