"""The ports of `scripts/up`: the documented ones; where one is taken, the next free one, which is remembered."""

import asyncio
import fcntl
import json
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TextIO

from scripts.lib.dev.ports import is_free, remembered


def settle(wanted: Mapping[str, int], file: Path) -> dict[str, int]:
    """Returns a free port for each name: the remembered one, the wanted one, or the next free one after it."""
    before = remembered(file)
    ports: dict[str, int] = {}
    for name, first in wanted.items():
        candidates = [before[name]] if name in before else []
        candidates += range(first, first + 1000)
        others = {port for other, port in wanted.items() if other != name}
        taken = {*ports.values(), *(others - {first})}
        ports[name] = next(port for port in candidates if port not in taken and is_free(port))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**before, **ports}, indent=1))
    return ports


@asynccontextmanager
async def nobody_else_starts() -> AsyncIterator[None]:
    """Keeps other checkouts from choosing ports inside the block: until a process listens, its port looks free."""
    with _lock() as lock:
        while not _is_ours(lock):
            await asyncio.sleep(0.2)
        yield


def _lock() -> TextIO:
    return Path(tempfile.gettempdir(), f"treaty-up-{os.getuid()}.lock").open("a")


def _is_ours(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
