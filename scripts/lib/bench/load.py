"""Closed-loop load: a number of callers, each of which sends ReceiveStock as soon as its last call is answered.

Usage: load register|load --target ADDRESS …. The last line of its output has the figures.
"""

import argparse
import asyncio
import json
import resource
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from treaty.rpc.client import channel


@dataclass(slots=True)
class Load:
    """One measurement.

    `acknowledged` counts all commands that the server answered with OK, `answered` only the commands after the warm-up.
    """

    stub: Any
    prefix: str
    items: int
    answered: int = 0
    acknowledged: int = 0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)

    async def register(self, callers: int) -> None:
        """Registers the items to which the load sends commands."""
        left = iter(range(self.items))
        await asyncio.gather(*(self._register(left) for _ in range(callers)))

    async def _register(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            request = pb.RegisterItemRequest(request_id=str(uuid.uuid4()), sku=f"{self.prefix}-{number}")
            await self.stub.RegisterItem(request, timeout=60)

    async def run(self, callers: int, seconds: float) -> float:
        """Sends the load. Returns the seconds that it took, without the warm-up."""
        await self._until(callers, time.perf_counter() + min(1.0, seconds / 3), count=False)
        started = time.perf_counter()
        await self._until(callers, started + seconds, count=True)
        return time.perf_counter() - started

    async def _until(self, callers: int, end: float, *, count: bool) -> None:
        await asyncio.gather(*(self._caller(number, callers, end, count=count) for number in range(callers)))

    async def _caller(self, number: int, callers: int, end: float, *, count: bool) -> None:
        turn = number
        while (now := time.perf_counter()) < end:
            sku = f"{self.prefix}-{turn % self.items}"
            turn += callers
            request = pb.ReceiveStockRequest(request_id=str(uuid.uuid4()), sku=sku, quantity=1)
            try:
                await self.stub.ReceiveStock(request, timeout=30)
            except Exception:
                self.errors += 1
                continue
            self.acknowledged += 1
            if count:
                self.answered += 1
                self.latencies.append(time.perf_counter() - now)


async def _main(arguments: argparse.Namespace) -> None:
    connection = channel(arguments.target)
    load = Load(pb_grpc.InventoryServiceStub(connection), arguments.prefix, arguments.items)
    begun, cpu, seconds = time.perf_counter(), _cpu(), 1.0
    if arguments.what == "register":
        await load.register(arguments.callers)
    else:
        seconds = await load.run(arguments.callers, arguments.seconds)
    whole, cpu = time.perf_counter() - begun, _cpu() - cpu
    await connection.close()
    ordered = sorted(load.latencies)
    figures = {
        "per_s": load.answered / seconds,
        "seconds": whole,
        "cpu_s": cpu,
        "errors": load.errors,
        "p50_ms": ordered[len(ordered) // 2] * 1000 if ordered else 0,
        "p99_ms": ordered[len(ordered) * 99 // 100] * 1000 if ordered else 0,
        "acknowledged": load.acknowledged,
    }
    print(json.dumps(figures), flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Sends ReceiveStock to a server.")
    parser.add_argument("what", choices=("register", "load"))
    parser.add_argument("--target", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--items", type=int, required=True)
    parser.add_argument("--callers", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    uvloop.run(_main(parser.parse_args()))
