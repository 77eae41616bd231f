"""The bank under simulated faults: every transfer ends one way, and no money is made, lost or held."""

import asyncio
from typing import Any

import pytest
from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as pb
from treaty.domain import NotFound
from treaty.rpc.peers import PeerAway
from treaty.seals.verification import verify
from treaty.service.contexts import load_context
from treaty.testing.simulation import Cluster, simulate
from treaty.testing.simulation.cluster import SimulatedPeer

from scripts.lib.prove.bank.simulated import BANK_EVERY, is_of_the_bank, run_bank_seed

pytestmark = pytest.mark.slow


def test_without_faults_all_ends_well() -> None:
    run = run_bank_seed(1, faulty=False)
    assert (run.verdict.faults, run.faults, run.settled) == ([], [], True)
    assert run.verdict.commands >= 8


@pytest.mark.parametrize("seed", range(BANK_EVERY - 1, 20 * BANK_EVERY, BANK_EVERY))
def test_under_faults_every_transfer_ends_and_the_books_balance(seed: int) -> None:
    run = run_bank_seed(seed)
    assert is_of_the_bank(seed)
    assert run.verdict.faults == []
    assert (run.settled, bool(run.faults), run.verdict.commands >= 8) == (True, True, True)


def test_the_same_seed_is_the_same_run() -> None:
    assert run_bank_seed(5).digest == run_bank_seed(5).digest != run_bank_seed(6).digest


def test_a_simulated_peer_refuses_as_over_grpc_and_is_away_without_a_process() -> None:
    async def run() -> list[type[Exception]]:
        cluster = Cluster(load=load_context, contexts=("finance.accounts",))
        node = cluster.start("finance.accounts")
        await cluster.up()
        peer, raised = SimulatedPeer(cluster, "finance.accounts"), list[type[Exception]]()
        for _ in range(2):
            try:
                await peer.ask(Any, "GetAccount", pb.GetAccountRequest(account_id="nobody"))
            except (NotFound, PeerAway) as error:
                raised.append(type(error))
            cluster.kill(node)
        return raised

    assert simulate(1, run()) == [NotFound, PeerAway]


def test_a_simulated_context_is_sealed_over_its_wire() -> None:
    async def run() -> int:
        cluster = Cluster(load=load_context, contexts=("finance.accounts",))
        cluster.start("finance.accounts")
        await cluster.up()
        opening = pb.OpenAccountRequest(
            request_id=cluster.new_id(), account_id="ann", currency="EUR", kind=kinds.ACCOUNT_KIND_CUSTOMER
        )
        await cluster.ask("finance.accounts", "OpenAccount", opening)
        seals = cluster.stores["finance.accounts"].seals
        while not [seal async for seal in seals.all()]:
            await asyncio.sleep(1)
        return (await verify("finance.accounts", seals)).sealed

    assert simulate(1, run()) == 1
