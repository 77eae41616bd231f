"""`treaty audit --follow`: it does not go on while the rounds of a consumer have ended."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from treaty.cli import audit
from treaty.concurrency.tasks import Broken
from treaty.operations.deliveries import Findings
from treaty.probes import NoProbe
from treaty.testing import eventually

from tests.toolkit.pair import Pair


class Rounds:
    """The audit of one consumer: it finds nothing, or raises `error`."""

    service = Pair().services[1]

    def __init__(self, error: BaseException | None = None) -> None:
        self.error, self.count = error, 0

    async def round(self) -> Findings:
        self.count += 1
        if self.error is not None:
            raise self.error
        return Findings()


def following(monkeypatch: pytest.MonkeyPatch, *audits: Rounds, alive: Path | None = None) -> Any:
    """Returns what `--follow` does until a signal, with these audits."""

    @asynccontextmanager
    async def opened(*_: object) -> AsyncIterator[Sequence[tuple[Rounds, None]]]:
        yield [(one, None) for one in audits]

    monkeypatch.setattr(audit, "_audits", opened)
    wanted = audit.Wanted(every=0.01, grace=0.0, patience=0.0, mend=False, alive=alive)
    return asyncio.wait_for(audit._until_signal("", wanted, NoProbe()), 10)


async def test_rounds_that_are_cancelled_from_within_end_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Broken):
        await following(monkeypatch, Rounds(), Rounds(asyncio.CancelledError()))


async def test_rounds_that_cannot_say_that_they_are_alive_end_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        await following(monkeypatch, Rounds(), alive=tmp_path / "gone" / "alive")


async def test_a_round_that_fails_is_tried_again_until_a_signal_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds(ValueError("not now"))
    command = asyncio.create_task(following(monkeypatch, rounds))
    await eventually(lambda: rounds.count > 2)
    signal.raise_signal(signal.SIGTERM)
    await command
