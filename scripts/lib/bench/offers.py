"""Sends ReceiveStock to a server in phases: as fast as it answers, or at a rate that does not wait for answers."""

import argparse
import asyncio
import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import uvloop
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from treaty.rpc.client import channel

from scripts.lib.bench.load import Load
from scripts.lib.bench.wire import Connection

PATH = "/commerce.inventory.v1.InventoryService/ReceiveStock"
DEADLINE = 5.0
"""Seconds that a caller waits. A later answer is of no use to it."""

_OK, _CANCELLED, _EXHAUSTED = 0, 1, 8
_TICK = 0.005


@dataclass(slots=True)
class Phase:
    """The outcome of one phase, in seconds. `ok_at` has the times of the OK answers, from the start of the phase.

    `told_when` counts the refusals that contain a time after which to repeat the call.
    """

    offered: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    told_when: int = 0
    refused: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)
    ok_at: list[float] = field(default_factory=list)

    def figures(self, seconds: float) -> dict[str, Any]:
        goodput = [0] * (int(seconds) + 1)
        for at in self.ok_at:
            goodput[min(int(at), len(goodput) - 1)] += 1
        return {
            "offered_per_s": self.offered / seconds,
            "goodput_per_s": sum(at < seconds for at in self.ok_at) / seconds,
            "per_second": goodput[: int(seconds)],
            "acknowledged": self.codes[_OK],
            "codes": {str(code): count for code, count in sorted(self.codes.items())},
            "refused": self.codes[_EXHAUSTED],
            "refused_told_when": self.told_when,
            "refused_p99_ms": _p99(self.refused),
            "answered_p99_ms": _p99(self.answered),
        }


class Offering:
    """Makes calls over a number of connections; `target` is host:port."""

    def __init__(self, target: str, prefix: str, items: int, connections: int) -> None:
        self._target, self._prefix, self._items, self._size = target, prefix, items, connections
        self._connections: list[Connection] = []
        self._sent: dict[tuple[int, int], float] = {}
        self._phase = Phase()
        self._begin = 0.0
        self._callers = 0
        self._turn = 0

    async def open(self) -> None:
        host, _, port = self._target.rpartition(":")
        loop = asyncio.get_running_loop()
        for number in range(self._size):

            def make(number: int = number) -> Connection:
                return Connection(
                    PATH, self._target, DEADLINE, lambda stream, code, wait: self._take(number, stream, code, wait)
                )

            _, connection = await loop.create_connection(make, host, int(port))
            self._connections.append(connection)

    async def closed_loop(self, callers: int, seconds: float) -> Phase:
        """Keeps as many calls in progress as there are callers."""
        self._start(callers)
        self._send(callers)
        await asyncio.sleep(seconds)
        return await self._end()

    async def open_loop(self, rate: float, seconds: float) -> Phase:
        """Sends at a fixed rate, independent of the answers."""
        self._start(0)
        while (elapsed := time.perf_counter() - self._begin) < seconds:
            self._send(int(rate * elapsed) - self._phase.offered)
            await asyncio.sleep(_TICK)
        return await self._end()

    def _start(self, callers: int) -> None:
        self._phase, self._callers, self._begin = Phase(), callers, time.perf_counter()

    async def _end(self) -> Phase:
        """Waits for the calls in progress, until the deadline of each has passed."""
        self._callers = 0
        end = time.perf_counter() + DEADLINE + 1.0
        while self._sent and time.perf_counter() < end:
            await asyncio.sleep(0.01)
        self._phase.codes[-2] += len(self._sent)
        self._sent.clear()
        return self._phase

    def _send(self, count: int) -> None:
        if count <= 0:
            return
        number = self._turn % self._size
        self._turn += 1
        now = time.perf_counter()
        for stream in self._connections[number].send([self._request() for _ in range(count)]):
            self._sent[number, stream] = now
        self._phase.offered += count

    def _request(self) -> bytes:
        self._turn += 1
        sku = f"{self._prefix}-{self._turn % self._items}"
        return pb.ReceiveStockRequest(request_id=str(uuid.uuid4()), sku=sku, quantity=1).SerializeToString()

    def _take(self, number: int, stream: int, code: int, wait: bool) -> None:
        sent = self._sent.pop((number, stream), None)
        if sent is None:
            return
        now, phase = time.perf_counter(), self._phase
        phase.codes[code] += 1
        if code in (_CANCELLED, _EXHAUSTED):
            phase.refused.append(now - sent)
            phase.told_when += wait
        elif code == _OK:
            phase.answered.append(now - sent)
            phase.ok_at.append(now - self._begin)
        if self._callers:
            self._send(1)


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000 if seconds else 0.0


async def _main(arguments: argparse.Namespace) -> None:
    """Reads phases from standard input, one JSON object per line; runs each phase and prints its figures."""
    registering = channel(arguments.target)
    await Load(pb_grpc.InventoryServiceStub(registering), arguments.prefix, arguments.items).register(64)
    await registering.close()
    offering = Offering(arguments.target, arguments.prefix, arguments.items, arguments.connections)
    await offering.open()
    print(json.dumps({"ready": True}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, input):
        asked = json.loads(line)
        if "callers" in asked:
            phase = await offering.closed_loop(asked["callers"], asked["seconds"])
        else:
            phase = await offering.open_loop(asked["rate"], asked["seconds"])
        print(json.dumps(phase.figures(asked["seconds"])), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Sends ReceiveStock in phases, which are read from standard input.")
    parser.add_argument("--target", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--connections", type=int, default=8)
    uvloop.run(_main(parser.parse_args()))
