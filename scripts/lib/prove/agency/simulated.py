"""Runs a seed of the agency: its contexts on a simulated cluster, its people, the nemesis, and the audit."""

from treaty.testing.simulation import simulate

from scripts.lib.prove.agency import AGENCY
from scripts.lib.prove.agency.audit import audit
from scripts.lib.prove.agency.people import People
from scripts.lib.prove.scene import DomainScene
from scripts.lib.prove.simulated import Run
from scripts.lib.ready import ASSETS, ready

AGENCY_EVERY = 40
"""One of so many seeds is of the agency."""


def is_of_the_agency(seed: int) -> bool:
    return seed % AGENCY_EVERY == AGENCY_EVERY // 2


def run_agency_seed(seed: int, *, faulty: bool = True) -> Run:
    """Runs one seed of the agency; with `faulty`, under faults of processes, messages, the broker and the stores."""
    return simulate(seed, _run(seed, faulty=faulty))


async def _run(seed: int, *, faulty: bool) -> Run:
    scene = DomainScene(AGENCY, {})
    chance = scene.chance

    async def announce(asset_id: str) -> None:
        await scene.cluster.broker.publish(ASSETS, ready(asset_id))

    people = People(ask=scene.ask, announce=announce, assets=chance.randint(1, 3), chance=chance, new_id=scene.new_id)
    await scene.start()
    await people.open()
    working = [people.work(chance.randint(5, 12)) for _ in range(chance.randint(2, 4))]
    await scene.play(working, faulty=faulty, seconds=3.0)
    left = await scene.settle()
    return scene.run_of(seed, await audit(scene.cluster.stores, people, settled=not left), left)
