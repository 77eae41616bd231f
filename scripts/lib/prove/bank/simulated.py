"""Runs a seed of the bank: the three contexts on a simulated cluster, its customers, the nemesis, and the audit."""

import asyncio

from treaty.testing.simulation import simulate

from scripts.lib.prove.bank import BANK
from scripts.lib.prove.bank.audit import audit
from scripts.lib.prove.bank.customers import LARGE, Customers
from scripts.lib.prove.scene import DomainScene
from scripts.lib.prove.simulated import Run

BANK_EVERY = 40
"""One of so many seeds is of the bank."""


def is_of_the_bank(seed: int) -> bool:
    return seed % BANK_EVERY == BANK_EVERY - 1


def run_bank_seed(seed: int, *, faulty: bool = True) -> Run:
    """Runs one seed of the bank; with `faulty`, under faults of processes, messages, the broker and the stores."""
    return simulate(seed, _run(seed, faulty=faulty))


async def _run(seed: int, *, faulty: bool) -> Run:
    chance = asyncio.get_running_loop().chance  # type: ignore[attr-defined]
    settings = {
        "TRANSFERS_LARGE": str(LARGE),
        "TRANSFERS_DAILY_LIMIT": "150",
        "TRANSFERS_UNSCREENED": chance.choice(["refuse", "approve", "accept"]),
        "TRANSFERS_SCREENING_SECONDS": chance.choice(["1", "30"]),
    }
    scene = DomainScene(BANK, settings)
    customers = Customers(ask=scene.ask, people=chance.randint(3, 6), chance=chance, new_id=scene.new_id)
    await scene.start()
    await customers.open()
    count, clients = chance.randint(8, 16), chance.randint(2, 4)
    await scene.play([customers.pay(count) for _ in range(clients)], faulty=faulty, seconds=4.0)
    left = await scene.settle()
    audited = await audit(scene.cluster.stores, customers.told, customers.paid_in, settled=not left)
    return scene.run_of(seed, audited.verdict, left)
