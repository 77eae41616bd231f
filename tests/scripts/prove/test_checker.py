"""The checker: it is silent about a history without faults, and names what is wrong in one that was tampered with."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pytest
from treaty.memory.stores import MemoryStores
from treaty.testing.simulation import Cluster, simulate

from scripts.lib.prove.checker import Operation, Verdict, check
from scripts.lib.prove.ground import ACCOUNTS, CONTEXTS, LEDGER, load
from scripts.lib.prove.ground import accounts_pb2 as pb

Tamper = Callable[[Mapping[str, MemoryStores], list[Operation]], Awaitable[None]]


def verdict_after(tamper: Tamper | None = None) -> Verdict:
    """Moves money three times without any fault, changes something behind everybody's back, and checks."""

    async def main() -> Verdict:
        cluster = Cluster(load=load, contexts=CONTEXTS)
        for context in CONTEXTS:
            cluster.start(context)
        await cluster.up()
        operations = []
        for n in range(3):
            request = pb.MoveRequest(request_id=f"r{n}", account_id="a", amount=10)
            answer = await cluster.ask(ACCOUNTS, "Move", request)
            operations.append(Operation(f"Move/r{n}", "ok", answer.number, 1))
        await asyncio.sleep(10)
        if tamper is not None:
            await tamper(cluster.stores, operations)
        return await check(operations, cluster.stores, settled=True)

    return simulate(1, main())


def test_a_history_without_faults_is_fine() -> None:
    found = verdict_after()
    assert found.faults == []
    assert (found.commands, found.events) == (3, 6)


async def _forgotten(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    operations.append(Operation("Move/r9", "ok", 4, 1))


async def _unanswered(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    operations.append(Operation("Move/r9"))


async def _lied_to(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    operations[0].answer = 7


async def _refused(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    operations[0].outcome = "refused"


async def _hole(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    order = stores[ACCOUNTS].commits._order
    del order[next(n for n, commit in enumerate(order) if commit.id.startswith("account-a@") and commit.version == 2)]


async def _missing_effect(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    stores[LEDGER].commits._order.pop()


async def _second_effect(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    commits = stores[LEDGER].commits
    last = commits._order[-1]
    commits._order.append(replace(last, version=last.version + 1))


async def _wrong_row(stores: Mapping[str, MemoryStores], operations: list[Operation]) -> None:
    rows = stores[ACCOUNTS]._rows["balances"]._generations[0]
    rows["a"] = replace(rows["a"], values={**(rows["a"].values or {}), "balance": 31})


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (_forgotten, "lost"),
        (_unanswered, "unknown_unresolved"),
        (_lied_to, "untrue"),
        (_refused, "untrue"),
        (_hole, "lost"),
        (_missing_effect, "lost"),
        (_second_effect, "duplicate_effects"),
        (_wrong_row, "untrue"),
    ],
)
def test_what_is_wrong_is_named(tamper: Tamper, kind: str) -> None:
    assert getattr(verdict_after(tamper), kind)
