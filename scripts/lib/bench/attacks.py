"""Clients that hold what they open: streams without a request, answers that nobody reads, connections, slow webhooks.

Each attack is a context manager. It ends with its block, in every case.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from scripts.lib.bench.wire import Connection

_TICK = 0.01


@dataclass(slots=True)
class Attack:
    """The state of an attack: how many streams or connections were opened, and how they ended.

    `wanted` is the number to hold. The endings have gRPC status codes; -1 is a stream that was reset, or a connection.
    """

    wanted: int
    opened: int = 0
    ended: Counter[int] = field(default_factory=Counter)

    @property
    def open(self) -> int:
        """The number of streams or connections that are open."""
        return self.opened - self.ended.total()


class _Held:
    """One connection with streams that are held open."""

    def __init__(self, attack: Attack, target: str, path: str, body: bytes | None, window: int) -> None:
        self._attack, self._body, self._open = attack, body, set[int]()
        self.connection = Connection(path, target, None, self._ended, window)

    def open(self, count: int) -> None:
        if count > 0 and not self.connection.lost:
            opened = self.connection
            self._open.update(opened.begin(count) if self._body is None else opened.send([self._body] * count))
            self._attack.opened += count

    def _ended(self, stream: int, code: int, wait: bool) -> None:
        if stream in self._open:
            self._open.discard(stream)
            self._attack.ended[code] += 1


@asynccontextmanager
async def streams(
    target: str,
    path: str,
    *,
    body: bytes | None = None,
    count: int = 6_300,
    connections: int = 24,
    rate: int = 2_000,
    window: int = 2**30,
    sender: str = "127.0.0.1",
) -> AsyncIterator[Attack]:
    """Holds streams open inside the block, and opens another one for each that the server ends.

    Args:
        path: of the method, such as /grpc.health.v1.Health/Watch.
        body: the request of each stream; by default no request is ever sent.
        count: of streams, on all connections.
        rate: the most streams to open in a second.
        window: the bytes of each answer that the server may send.
        sender: the address of this side.
    """
    attack, held = Attack(count), list[_Held]()
    host, _, port = target.rpartition(":")
    for _ in range(connections):
        holding = _Held(attack, target, path, body, window)
        make = partial(_itself, holding.connection)
        await asyncio.get_running_loop().create_connection(make, host, int(port), local_addr=(sender, 0))
        held.append(holding)
    async with _meanwhile(_hold(attack, held, count, rate)):
        yield attack
    for holding in held:
        holding.connection.close()


async def _hold(attack: Attack, held: Sequence[_Held], count: int, rate: int) -> None:
    for turn in itertools.count():
        wanted = min(count - attack.open, int(rate * _TICK))
        for number in range(len(held)):
            held[(turn + number) % len(held)].open(wanted // len(held) + (number < wanted % len(held)))
        await asyncio.sleep(_TICK)


def _itself(protocol: Connection) -> Connection:
    return protocol


@asynccontextmanager
async def _meanwhile(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs work inside the block, and cancels it at the end."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def requests(
    target: str, sent: bytes, *, count: int = 220, byte: bytes = b"x", sender: str = "127.0.0.1"
) -> AsyncIterator[Attack]:
    """Holds connections open inside the block, and opens another one for each that the server closes.

    Args:
        sent: the first bytes of each, such as the headers of a webhook.
        byte: is sent again and again after that; empty for silence.
        sender: the address of this side.
    """
    attack = Attack(count)
    async with asyncio.TaskGroup() as group:
        holding = [group.create_task(_hold_request(attack, target, sent, byte, sender)) for _ in range(count)]
        try:
            yield attack
        finally:
            for task in holding:
                task.cancel()


async def _hold_request(attack: Attack, target: str, sent: bytes, byte: bytes, sender: str) -> None:
    host, _, port = target.rpartition(":")
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection(host, int(port), local_addr=(sender, 0))
            attack.opened += 1
            try:
                writer.write(sent)
                await _trickle(reader, writer, byte)
            finally:
                attack.ended[-1] += 1
                writer.close()
        await asyncio.sleep(_TICK)


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, byte: bytes) -> None:
    """Sends a byte ten times a second until the server ends the connection or answers."""
    answered = asyncio.ensure_future(reader.read(1))
    try:
        while not answered.done():
            writer.write(byte)
            await asyncio.wait([answered], timeout=0.1)
        await answered
    finally:
        answered.cancel()
        await asyncio.gather(answered, return_exceptions=True)
