"""Waiting as long as there is progress: a slow machine is no failure; a standstill is, and a condition that hangs."""

import asyncio
import itertools
import sys
from collections.abc import Callable
from typing import Any

import pytest
from treaty.testing import eventually, while_moving


async def test_it_waits_as_long_as_something_moves() -> None:
    moves, asked = itertools.count(), itertools.count()
    assert await while_moving(lambda: next(asked) > 30, lambda: next(moves), still=0.1) is True


async def test_without_progress_it_fails_and_names_the_standstill() -> None:
    with pytest.raises(AssertionError, match=r"without progress: .*progress: \(3, 'queued'\)"):
        await while_moving(lambda: False, lambda: (3, "queued"), still=0.1)


async def test_progress_alone_does_not_keep_it_waiting_for_ever() -> None:
    moves = itertools.count()
    with pytest.raises(AssertionError, match="not after"):
        await while_moving(lambda: False, lambda: next(moves), still=0.1, within=0.3)


async def test_both_questions_may_be_asynchronous() -> None:
    done = asyncio.Event()
    asyncio.get_running_loop().call_later(0.05, done.set)

    async def is_done() -> str:
        return "yes" if done.is_set() else ""

    async def progress() -> int:
        return 0

    assert await while_moving(is_done, progress, still=5.0) == "yes"


async def _hanging() -> None:
    await asyncio.Event().wait()


_HANGS = r"did not return within 0\.05 s: async def _hanging"


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["treaty.testing.eventually"], "_HANGS_SECONDS", 0.05)


@pytest.mark.usefixtures("_impatient")
async def test_a_condition_that_never_returns_is_named() -> None:
    with pytest.raises(AssertionError, match=_HANGS):
        await eventually(_hanging, within=0.01)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(("condition", "progress"), [(_hanging, int), (bool, _hanging)])
async def test_neither_a_condition_nor_its_progress_may_hang(
    condition: Callable[[], Any], progress: Callable[[], Any]
) -> None:
    with pytest.raises(AssertionError, match=_HANGS):
        await while_moving(condition, progress, within=0.01)


async def test_a_timeout_of_the_condition_is_its_own() -> None:
    async def late() -> bool:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        await eventually(late)
