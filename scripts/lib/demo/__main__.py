"""`scripts/demo`: see --help."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from treaty.telemetry.logs import configure_logging
from treaty.telemetry.receiver import TraceReceiver
from treaty.telemetry.setup import Telemetry, start_telemetry
from treaty.telemetry.spans import FinishedSpan

from scripts.lib import dev
from scripts.lib.command_line import parser_of
from scripts.lib.demo.balance import Balance, balance, promotions
from scripts.lib.demo.calls import Clients
from scripts.lib.demo.invoices import Invoices, NotInvoices, read_invoices
from scripts.lib.demo.places import CONTEXTS, Place, embedded, processes
from scripts.lib.demo.report import Results, show_json
from scripts.lib.demo.setup import NotHeardOf, Opening
from scripts.lib.demo.shop import Outcome, Shop
from scripts.lib.demo.summary import WIDTH, show
from scripts.lib.paths import ROOT
from scripts.lib.processes import DidNotStart
from scripts.lib.virtual_hosts import kept

LOGS = ROOT / ".dev" / "demo"

STUCK_SECONDS = 60.0
"""The demo gives up after this time without any progress."""


def main() -> int:
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    # Without this handler, SIGTERM would end the demo and leave its processes running.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        results = _run(arguments, console)
    except (NotInvoices, NotHeardOf, DidNotStart, dev.Failed, dev.Unavailable) as error:
        console.print(f"[red]demo:[/] {error}", highlight=False)
        return 2
    except KeyboardInterrupt:
        console.print("stopped")
        return 130
    if arguments.json:
        show_json(results)
    if not results.balanced:
        console.print("[red]the demo did not balance; the logs are in .dev/demo[/]", highlight=False)
    return 0 if results.balanced else 1


def _arguments() -> argparse.Namespace:
    parser = parser_of("demo")
    parser.add_argument("--orders", type=Path, default=ROOT / "examples" / "orders.csv")
    parser.add_argument("--stock", type=int, default=1000)
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    ending = parser.add_mutually_exclusive_group()
    ending.add_argument("--once", action="store_true")
    ending.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    if not 1 <= arguments.stock <= 1_000_000_000:
        parser.error("--stock must be a number of pieces from 1 to 1000000000")
    return arguments


def _run(arguments: argparse.Namespace, console: Console) -> Results:
    """Reads the file first: a file that cannot be used starts no server."""
    invoices = read_invoices(arguments.orders)
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / "demo.log").open("w") as log:  # not the screen, where progress is shown
        configure_logging(level="warning", format="console", stream=log)
        if arguments.embedded:
            return asyncio.run(_demonstrate(arguments, invoices, console, dict(os.environ)))
        with contextlib.ExitStack() as servers:
            with console.status("starting MongoDB and RabbitMQ"):
                uris = servers.enter_context(dev.borrow())
            own = kept(uris, "demo")  # not those of scripts/up, which may run beside it
            return asyncio.run(_demonstrate(arguments, invoices, console, {**os.environ, **own}))


async def _demonstrate(
    arguments: argparse.Namespace, invoices: Invoices, console: Console, environ: dict[str, str]
) -> Results:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(TraceReceiver())
        environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "200"}
        telemetry = await _telemetry("client", environ, stack)
        with console.status("starting the services"):
            place = await stack.enter_async_context(_place(arguments.embedded, environ))
        clients = Clients(place.addresses, telemetry.probe)
        stack.push_async_callback(clients.close)
        opening, shop = Opening(clients, await place.now()), Shop(clients)
        with console.status(f"a catalogue of {len(invoices.descriptions)} SKUs, stock, and customers"):
            await opening.open(invoices, arguments.stock)
        with _progress(console) as progress:
            outcomes = await _trade(shop, invoices, place, progress)
        balanced = await balance(place, shop, outcomes, opening)
        results = await _results(shop, outcomes, place, receiver, invoices, balanced)
        show(results, console, verbose=arguments.verbose)
        if arguments.keep:
            await _keep(place, environ, console)
    return results


@asynccontextmanager
async def _place(in_memory: bool, environ: dict[str, str]) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        if in_memory:
            probes = {name: (await _telemetry(name, environ, stack)).probe for name in CONTEXTS}
            yield await stack.enter_async_context(embedded(probes))
        else:
            yield await stack.enter_async_context(processes(environ, LOGS))


async def _telemetry(name: str, environ: dict[str, str], stack: AsyncExitStack) -> Telemetry:
    """Starts telemetry. A thread closes it, because that waits for the receiver, which runs in our event loop."""
    telemetry = start_telemetry(name, environ)
    stack.push_async_callback(asyncio.to_thread, telemetry.close)
    return telemetry


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, transient=not console.is_terminal)


async def _trade(shop: Shop, invoices: Invoices, place: Place, progress: Progress) -> list[Outcome]:
    """Places all orders, waits until each has ended, then sends back the orders that are to be returned."""
    task = progress.add_task("placing orders", total=len(invoices.invoices))
    outcomes = await shop.run(invoices.invoices, lambda: progress.advance(task))
    await _settle(shop, outcomes, place, progress, "carrying them out")
    for order in _to_send_back(outcomes):
        await shop.send_back(order)
    await _settle(shop, outcomes, place, progress, "taking returns back")
    for order in shop.returns.values():
        await shop.refresh(order)
    return outcomes


def _to_send_back(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns the orders for which the cancellation came after dispatch; if there is none, one delivered order."""
    wanted = {outcome.order_id for outcome in outcomes if outcome.state == "returns"}
    delivered = [outcome for outcome in outcomes if outcome.state == "delivered"]
    return [outcome for outcome in delivered if outcome.order_id in wanted] or delivered[:1]


async def _settle(shop: Shop, outcomes: Sequence[Outcome], place: Place, progress: Progress, name: str) -> None:
    """Waits until every order has ended and no work is left. Gives up after STUCK_SECONDS without progress."""
    orders = [outcome for outcome in outcomes if not outcome.invoice.cancels]
    task = progress.add_task(name, total=len(orders))
    loop = asyncio.get_running_loop()
    calm, before, moved = 0, (0, 0), loop.time()
    while calm < 3 and loop.time() - moved < STUCK_SECONDS:
        for outcome in orders:
            await shop.follow(outcome)
        ended = sum(outcome.state != "placed" for outcome in orders)
        progress.update(task, completed=ended)
        left = sum(b.total for b in (await place.backlogs()).values())
        if (ended, left) != before:
            before, moved = (ended, left), loop.time()
        calm = calm + 1 if ended == len(orders) and not left else 0
        await asyncio.sleep(0.1)


async def _results(
    shop: Shop,
    outcomes: Sequence[Outcome],
    place: Place,
    receiver: TraceReceiver,
    invoices: Invoices,
    balanced: Balance,
) -> Results:
    """Collects the results for the report. It waits for the traces, which arrive a moment after the work is done."""
    traced = [o for o in outcomes if o.trace and not o.invoice.cancels and o.state in ("delivered", "cancelled")]
    await _until_quiet(receiver)
    spans = {o.trace: receiver.trace(o.trace) for o in traced}
    untraced = {o.order_id for o in outcomes if not o.trace and not o.invoice.cancels and o.state == "delivered"}
    return Results(
        invoices=invoices,
        outcomes=outcomes,
        shop=shop,
        contexts=len(place.addresses),
        promotions=await promotions(shop, invoices),
        mails=len(place.mails()),
        balance=balanced,
        effects_ms=await place.durations_ms(untraced),
        backlogs=await place.backlogs(),
        trace=_shortest(spans[o.trace] for o in traced if o.state == "delivered"),
    )


def _shortest(traces: Iterable[Sequence[FinishedSpan]]) -> Sequence[FinishedSpan]:
    """Returns the trace to show: the one with the fewest spans among the traces through the most services."""
    return min(traces, key=lambda spans: (-len({span.service for span in spans}), len(spans)), default=())


async def _until_quiet(receiver: TraceReceiver) -> None:
    """Waits until no span has arrived for half a second."""
    before = -1
    for _ in range(20):
        now = sum(len(receiver.trace(trace)) for trace in receiver.traces())
        if now == before:
            return
        before = now
        await asyncio.sleep(0.5)


async def _keep(place: Place, environ: dict[str, str], console: Console) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    console.print("\n[bold]All services are running[/]; Ctrl-C ends them. Call one in another terminal:")
    call = "./treaty call commerce.ordering ListOrders '{\"page_size\": 3}'"
    console.print(f"  {call} \\\n    --at {place.addresses['commerce.ordering']}", highlight=False)
    for name, address in place.addresses.items():
        console.print(f"  {name:22} {address}", highlight=False)
    if "MONGODB_URI" in environ:
        console.print(
            f"  MONGODB_URI={environ['MONGODB_URI']}\n  AMQP_URL={environ.get('AMQP_URL', '')}", soft_wrap=True
        )
    await stop.wait()


if __name__ == "__main__":
    sys.exit(main())
