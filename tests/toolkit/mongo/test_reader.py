"""The pace at which the change stream is read: a commit that comes alone at once, a steady stream in larger batches."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any

import pytest
from bson.timestamp import Timestamp
from treaty.commits.log import Place
from treaty.mongo import reader
from treaty.mongo.documents import to_document

from tests.toolkit.bank import Bank, deposit, request


class _Stream:
    """A change stream with one batch behind each request for more."""

    def __init__(self, document: Mapping[str, Any], size: int) -> None:
        self._document, self._size = document, size
        self.asked = 0

    async def command(self, command: Mapping[str, Any], **options: Any) -> Mapping[str, Any]:
        if "killCursors" in command:
            return {}
        self.asked += "getMore" in command
        await asyncio.sleep(0.01)
        changes = [self._change(number) for number in range(self._size)] if "getMore" in command else []
        return {"cursor": {"id": 1, "firstBatch": [], "nextBatch": changes, "postBatchResumeToken": {"_data": "t"}}}

    def _change(self, number: int) -> Mapping[str, Any]:
        return {"_id": {"_data": f"t{number}"}, "fullDocument": {**self._document, "position": Timestamp(1, 1)}}


async def _pauses(monkeypatch: pytest.MonkeyPatch, *, steady: float, size: int = 1) -> list[float]:
    """Reads five batches, which come about 10 ms apart or more; returns the pauses that the reader made."""
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(reader, "_STEADY_SECONDS", steady)
    monkeypatch.setattr(
        reader, "asyncio", SimpleNamespace(sleep=pause, get_running_loop=asyncio.get_running_loop), raising=True
    )
    bank = Bank()
    await bank.accounts().add("ann", deposit(1), cause=request("r"))
    stream: Any = _Stream(to_document(bank.commits[0]), size)
    missing: Any = None
    async with aclosing(reader.Reader(stream, missing, missing).batches(Place("token", (1, 1)))) as batches:
        async for _ in batches:
            if stream.asked == 5:
                break
    return pauses


async def test_commits_that_come_now_and_then_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _pauses(monkeypatch, steady=0.001) == []


async def test_commits_that_come_one_after_another_are_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _pauses(monkeypatch, steady=60.0) == [0.01] * 3  # not behind the first one, nor behind the last


async def test_batches_that_are_large_already_are_not_held_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _pauses(monkeypatch, steady=60.0, size=100) == []
