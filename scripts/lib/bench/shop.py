"""`scripts/bench shop`: orders through the whole shop, one at a time and as many as it takes, and what each costs."""

import asyncio
import sys
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc
from pymongo import MongoClient
from treaty.probes import NoProbe
from treaty.rpc.client import channel

from scripts.lib.bench.checkouts import environ_of
from scripts.lib.bench.commands import run_load
from scripts.lib.bench.idle import commands_of, servers_of
from scripts.lib.bench.used import used
from scripts.lib.demo.calls import Clients, new_id
from scripts.lib.demo.invoices import Invoice, Invoices
from scripts.lib.demo.places import CONTEXTS, Pace, Place, processes
from scripts.lib.demo.setup import Opening, pounds
from scripts.lib.virtual_hosts import virtual_host

_PRODUCTS, _CUSTOMERS, _PENCE, _PIECES = 40, 100, 499, 1_000_000
_PACE = Pace(gateway=5.0, late=5.0, carrier=0.0)
"""The external systems answer at once: what is measured is the shop."""

_ORDERED_WITHIN = 300.0

_COPIES = 500
"""Commits of each context that are stored once more by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The extent of a measurement.

    Attributes:
        alone: orders in each round that are placed when the one before has been delivered.
        orders: orders in each round that are placed together.
        at_once: how many of those are on their way at a time.
        before: another checkout, whose contexts are measured in turn with those of this one.
    """

    alone: int = 20
    orders: int = 200
    at_once: int = 32
    rounds: int = 3
    before: Path | None = None


@dataclass(slots=True)
class _Times:
    """Seconds from the call until an order was placed, confirmed and delivered."""

    placed: list[float] = field(default_factory=list)
    confirmed: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)


class NotDelivered(Exception):
    """An order did not come to its end, or to another one."""


async def measure(plan: Plan, environ: Mapping[str, str], logs: Path) -> dict[str, Any]:
    """Returns the figures, medians over the rounds; with another checkout also its own, and the ratios to those."""
    found: dict[str, list[dict[str, float]]] = {"now": []}
    checkouts: dict[str, Mapping[str, str]] = {"now": {}}
    if plan.before is not None:
        checkouts["before"], found["before"] = environ_of(plan.before, {}), []
    for number in range(plan.rounds):
        for name, code in checkouts.items():
            found[name].append(await _round(plan, environ, code, logs / name))
            print(f"round {number + 1} {name:7} {found[name][-1]}", file=sys.stderr)
    now, *before = [
        {key: round(median(one[key] for one in rounds), 3) for key in rounds[0]} for rounds in found.values()
    ]
    if not before:
        return dict(now)
    ratios = {f"{name}_ratio": round(now[key] / before[0][key], 3) for name, key in _RATIOS.items()}
    return {**now, **ratios, "before": before[0]}


_RATIOS = {
    "cpu": "cpu_ms_per_order",
    "rate": "orders_per_s",
    "placed": "placed_ms",
    "confirmed": "confirmed_ms",
    "delivered": "delivered_ms",
}


async def _round(plan: Plan, environ: Mapping[str, str], code: Mapping[str, str], logs: Path) -> dict[str, float]:
    """Opens a shop in databases of its own, and measures it."""
    prefix = f"shop_{uuid.uuid4().hex[:8]}"
    async with AsyncExitStack() as stack:
        environ = {**environ, **stack.enter_context(virtual_host(environ))}
        place = await stack.enter_async_context(
            processes({**environ, "LOG_LEVEL": "warning"}, logs, pace=_PACE, prefix=prefix, of_contexts=code)
        )
        clients = Clients(place.addresses, NoProbe())
        stack.push_async_callback(clients.close)
        asking = channel(place.addresses["commerce.ordering"])
        stack.push_async_callback(asking.close)
        stub = ordering_grpc.OrderingServiceStub(asking)
        await Opening(clients).open(_invoices(), _PIECES)
        client: MongoClient[Any] = MongoClient(environ["MONGODB_URI"])
        stack.callback(client.close)
        await _all_done(place)
        pids = {**place.pids, **{type(s).__name__.lower(): pid for s in servers_of(environ) if (pid := s.pid())}}
        await _order(stub, _Times(), 0)
        times = _Times()
        for number in range(plan.alone):
            await _order(stub, times, number)
        await _all_done(place)
        stored = _stored(client, prefix)
        before, asked, begun = used(pids), commands_of(client), time.perf_counter()
        await _order_many(stub, plan)
        seconds = time.perf_counter() - begun
        await _calm(client, prefix)
        after, operations = used(pids), commands_of(client) - asked
        await _all_done(place)
        commits, events = (now - then for now, then in zip(_stored(client, prefix), stored, strict=True))
        servers = {name: pids[name] for name in pids.keys() - place.pids.keys()}
        floor = await _by_hand(environ, prefix, servers)
    return {
        "orders_per_s": plan.orders / seconds,
        "cpu_ms_per_order": 1000 * sum((after - before).values()) / plan.orders,
        "store_ops_per_order": operations / plan.orders,
        "placed_ms": 1000 * median(times.placed),
        "confirmed_ms": 1000 * median(times.confirmed),
        "delivered_ms": 1000 * median(times.delivered),
        "commits_per_order": commits / plan.orders,
        "events_per_order": events / plan.orders,
        "cpu_ms_per_order_by_hand": 1000 * (commits * floor["commits"] + events * floor["events"]) / plan.orders,
        **{f"cpu_ms_{name.rpartition('.')[2]}": 1000 * s / plan.orders for name, s in (after - before).items()},
    }


def _invoices() -> Invoices:
    """Returns the products and the customers of the shop."""
    skus = [f"sku-{number}" for number in range(_PRODUCTS)]
    customers = [Invoice(number="", customer=_customer(number), country="") for number in range(_CUSTOMERS)]
    return Invoices(invoices=customers, descriptions={sku: sku for sku in skus}, prices=dict.fromkeys(skus, _PENCE))


def _customer(number: int) -> str:
    return f"buyer-{number % _CUSTOMERS}"


async def _order_many(stub: Any, plan: Plan) -> None:
    """Places orders, so many at a time, and returns when all are delivered."""
    numbers = iter(range(plan.orders))

    async def buyer() -> None:
        for number in numbers:
            await _order(stub, _Times(), number)

    async with asyncio.timeout(_ORDERED_WITHIN):
        await asyncio.gather(*(buyer() for _ in range(plan.at_once)))


async def _order(stub: Any, times: _Times, number: int) -> None:
    """Places an order and watches it until it is delivered.

    Raises:
        NotDelivered: if it ends in another way.
    """
    order_id, begun = new_id(), time.perf_counter()
    lines = [
        ordering.OrderLine(sku=f"sku-{(number + step) % _PRODUCTS}", quantity=1 + step, unit_price=pounds(_PENCE))
        for step in range(2)
    ]
    request = ordering.PlaceOrderRequest(
        request_id=order_id, customer_id=_customer(number), lines=lines, address=_ADDRESS
    )
    await stub.PlaceOrder(request, timeout=60)
    times.placed.append(time.perf_counter() - begun)
    is_confirmed = False
    async for answer in stub.WatchOrder(ordering.WatchOrderRequest(order_id=order_id), timeout=_ORDERED_WITHIN):
        status = answer.order.status
        if not is_confirmed and status >= ordering.ORDER_STATUS_CONFIRMED:
            is_confirmed = True
            times.confirmed.append(time.perf_counter() - begun)
        if status == ordering.ORDER_STATUS_COMPLETED:
            times.delivered.append(time.perf_counter() - begun)
            return
        if status == ordering.ORDER_STATUS_CANCELLED:
            raise NotDelivered(f"{order_id} was cancelled: {answer.order.reason}")
    raise NotDelivered(f"the stream of {order_id} ended")


_ADDRESS = ordering.Address(name="Buyer", line1="1 High Street", city="Anytown", postal_code="AB1", country="GB")


async def _calm(client: "MongoClient[Any]", prefix: str) -> None:
    """Waits until no commit has come for a second, and asks for little meanwhile."""
    before, calm = -1, 0
    while calm < 4:
        now = sum(client[_database(prefix, name)]["commits"].estimated_document_count() for name in CONTEXTS)
        before, calm = now, calm + 1 if now == before else 0
        await asyncio.sleep(0.25)


async def _by_hand(environ: Mapping[str, str], prefix: str, servers: Mapping[str, int]) -> Mapping[str, float]:
    """Returns the CPU seconds, servers included, of a commit and of an event that are stored and sent by hand."""
    options = {
        "mongodb_uri": environ["MONGODB_URI"],
        "amqp_url": environ["AMQP_URL"],
        "databases": ",".join(_database(prefix, name) for name in CONTEXTS),
        "most": _COPIES,
    }
    found = {}
    for what in ("commits", "events"):
        start = await run_load("scripts.lib.bench.by_hand", what, {**options, "most": 1})
        before = used(servers)
        figures = await run_load("scripts.lib.bench.by_hand", what, options)
        own = figures["cpu_s"] - start["cpu_s"]
        found[what] = (own + sum((used(servers) - before).values())) / (figures[what] - start[what])
    return found


async def _all_done(place: Place) -> None:
    """Waits until no context has any work left."""
    calm = 0
    async with asyncio.timeout(_ORDERED_WITHIN):
        while calm < 2:
            left = sum(backlog.total for backlog in (await place.backlogs()).values())
            calm = 0 if left else calm + 1
            await asyncio.sleep(0.2)


def _stored(client: "MongoClient[Any]", prefix: str) -> tuple[int, int]:
    """Returns the numbers of commits and of integration events in the shop's databases."""
    counts: Iterable[Sequence[Any]] = (
        list(
            client[_database(prefix, name)]["commits"].aggregate(
                [{"$group": {"_id": None, "commits": {"$sum": 1}, "events": {"$sum": {"$size": "$outbox"}}}}]
            )
        )
        for name in CONTEXTS
    )
    found = [one[0] for one in counts if one]
    return sum(one["commits"] for one in found), sum(one["events"] for one in found)


def _database(prefix: str, name: str) -> str:
    return f"{prefix}_{name.replace('.', '_')}"
