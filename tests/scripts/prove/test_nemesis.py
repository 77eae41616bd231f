"""The nemesis: each kind of fault often enough, clients that wait for the ledger, and retries for all that failed."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import Any, cast

import pytest
from treaty.memory.stores import MemoryStores
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.suites.quarantine import kept

from scripts.lib.prove import stage
from scripts.lib.prove.extent import FULL, QUICK
from scripts.lib.prove.faults import LONG, Faults
from scripts.lib.prove.fleet import Clients
from scripts.lib.prove.nemesis import _order
from scripts.lib.prove.outcome import Looking

MISSING = cast(Any, None)


def test_a_full_proof_injects_each_fault_ten_times_and_a_quick_one_once() -> None:
    kinds = list(Faults(MISSING, MISSING, MISSING, MISSING, MISSING, "").all)
    for extent, least in ((FULL, 10), (QUICK, 1)):
        counts = Counter(_order(kinds, extent.faults, random.Random(1)))
        assert counts.total() == extent.faults
        assert min(counts[kind] for kind in kinds) >= least
        assert counts[LONG] == least


async def test_clients_wait_while_the_ledger_is_far_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "_FAR_BEHIND", 10)
    clients, noted = Clients(lambda: ""), {"a1": 5}
    keeping = asyncio.create_task(stage._keep_together(clients, noted))
    try:
        clients.numbers.update({"a1": 15, "a2": 0})
        await asyncio.sleep(0)
        assert not clients.held, "exactly so far is near enough"
        clients.numbers["a2"] = 1
        await eventually(lambda: clients.held)
        noted["a2"] = 7  # the subscriber may know more than the clients
        await eventually(lambda: not clients.held)
    finally:
        keeping.cancel()


async def test_clients_wait_when_they_have_done_as_much_as_they_may() -> None:
    clients = Clients(lambda: "", most=10)
    keeping = asyncio.create_task(stage._keep_together(clients, {"a1": 9, "a2": 2}))
    try:
        clients.numbers.update({"a1": 9})
        await asyncio.sleep(0)
        assert not clients.held
        clients.numbers["a2"] = 1
        await eventually(lambda: clients.held)
        clients.most = 20
        await eventually(lambda: not clients.held)
    finally:
        keeping.cancel()


async def test_what_failed_is_tried_again_however_many_messages_wait_before_it() -> None:
    stores = MemoryStores(Surroundings())
    for number in range(1_200):
        await stores.quarantine.add(kept(f"w{number}", number, key=f"k{number}"))
    failed = replace(kept("failed", 5_000, key="last"), error="Broken: it cannot be noted yet")
    await stores.quarantine.add(failed)
    await Looking({"made.up": cast(Any, stores)}, {}, MISSING).ask_for_retries()
    found = await stores.quarantine.find(limit=2_000)
    assert [item.id for item in found if item.intent] == [failed.id]
