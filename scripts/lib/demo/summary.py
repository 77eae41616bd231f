"""The demo's report for a person: about 25 lines of 80 columns, and the details on request."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from treaty.telemetry.tree import lines

from scripts.lib.demo.report import Results
from scripts.lib.demo.shop import Outcome
from scripts.lib.grammar import counted

WIDTH = 80
_EXCEPTIONS, _HOPS, _COUNTRIES = 4, 6, 3
"""How many lines the short report has of each."""

_COLOURS = {"cancelled": "red", "refused": "yellow", "returns": "cyan", "placed": "magenta", "cancels": "cyan"}


def show(results: Results, console: Console, *, verbose: bool) -> None:
    """Prints the verdict first, then the outcomes, the exceptions, the way of one order, and the speed."""
    figures = results.figures()
    for line in [*_verdict(results, figures), "", *_counts(results, figures), *_file(results), ""]:
        console.print(line, highlight=False)
    _details(results, console) if verbose else _exceptions(results, console)
    for line in _trace(results, verbose):
        console.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    for line in [*_speed(results, figures), *_next(verbose)]:
        console.print(line, highlight=False)


def _verdict(results: Results, figures: dict[str, Any]) -> Iterator[str]:
    wrong = [name for name in ("stock", "money", "messages") if not figures[f"{name}_balanced"]]
    places = (("outbox", "in an outbox"), ("queued", "in a queue"), ("quarantined", "in quarantine"))
    left = [f"{counted(figures[name], 'message')} {where}" for name, where in places if figures[name]]
    if results.balanced:
        yield "[bold green]It adds up[/]: stock, money and messages balance, and no work is left."
        return
    yield "[bold red]It does not add up.[/]"
    if wrong:
        yield f"Out of balance: {', '.join(wrong)}."
    if left:
        yield f"Left over: {', '.join(left)}."
    open_orders = figures["orders"] - figures["delivered"] - figures["cancelled"] - figures["refused"]
    if open_orders:
        yield f"Not ended: {counted(open_orders, 'order')}."
    yield from (f"Not balanced: {message}" for message in results.balance.missing)


def _counts(results: Results, figures: dict[str, Any]) -> Iterator[str]:
    yield f"[bold]{counted(figures['orders'], 'order')}[/] through {counted(figures['contexts'], 'context')}"
    parts = [f"{figures[state]:,} {state}" for state in ("delivered", "cancelled", "refused")]
    yield f"  {', '.join(parts)}"
    asked = figures["cancellations"] + figures["cancellations_refused"]
    answered = f" ({figures['cancellations']:,} accepted)" if asked else ""
    yield f"  {counted(asked, 'cancellation')}{answered}, {counted(figures['returns'], 'return')}"
    if figures["repriced"]:
        yield f"  {counted(figures['repriced'], 'order')} placed again at a new price"
    yield f"  {counted(figures['promotions'], 'customer')} promoted, {counted(figures['mails'], 'mail')} sent"


def _file(results: Results) -> Iterator[str]:
    bad, unknown = results.invoices.bad_rows, results.invoices.unknown_countries
    if bad:
        line, reason = bad[0]
        text = f"  {counted(len(bad), 'row')} left out, such as line {line}: {reason}"
        yield text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
    if unknown:
        names = [name for name, _ in unknown.most_common(_COUNTRIES)]
        more = f" and {len(unknown) - len(names)} more" if len(unknown) > len(names) else ""
        yield f"  taxed as in the United Kingdom, for lack of a rule: {', '.join(names)}{more}"


def _special(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Returns the outcomes that a person may ask about; an accepted cancellation is not one."""
    return [one for one in outcomes if one.state not in ("delivered", "cancels") and one.reason]


def _exceptions(results: Results, console: Console) -> None:
    special = _special(results.outcomes)
    shown = sorted(special, key=lambda one: one.state, reverse=True)[:_EXCEPTIONS]
    if shown:
        console.print("[bold]Exceptions[/]")
    for one in shown:
        who = one.invoice.customer or "guest"
        text = f"  {one.invoice.number:<8} {who:<8} [{_COLOURS[one.state]}]{one.state:<10}[/]{one.reason}"
        console.print(text, highlight=False, no_wrap=True, overflow="ellipsis")
    if len(special) > len(shown):
        kinds = Counter(one.state for one in special)
        console.print(
            f"  of {', '.join(f'{count:,} {state}' for state, count in sorted(kinds.items()))}", highlight=False
        )
    if shown:
        console.print()


def _details(results: Results, console: Console) -> None:
    for line, reason in results.invoices.bad_rows:
        console.print(f"[yellow]line {line}[/] left out: {reason}", highlight=False)
    table = Table("invoice", "customer", "outcome", "why", title="Invoices that were not simply delivered", box=None)
    for one in (one for one in results.outcomes if one.state != "delivered" or one.reason):
        colour = _COLOURS.get(one.state, "green")
        table.add_row(one.invoice.number, one.invoice.customer or "guest", f"[{colour}]{one.state}[/]", one.reason)
    console.print(table)
    console.print()


def _trace(results: Results, verbose: bool) -> Iterator[str]:
    """Yields the way of one order through the contexts: its hops, or all its spans."""
    if not results.trace:
        return
    found = lines(results.trace, width=WIDTH, folded=not verbose)
    heading, rows = found[0], found[1:]
    yield f"One order: {heading.partition(' · ')[2]}{'' if verbose else ', folded to its hops'}"
    shown = rows if verbose else rows[: _HOPS + 1]
    yield from (f"  {row}"[:WIDTH] for row in shown)
    if len(rows) > len(shown):
        yield f"  … and {counted(len(rows) - len(shown), 'more hop')}"
    yield ""


def _speed(results: Results, figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['commands_per_s']:,.0f} commands a second"
    if results.effects_ms:
        orders = counted(len(results.effects_ms), "untraced order")
        half, most = figures["effect_ms_p50"], figures["effect_ms_p99"]
        yield f"order to last event: p50 {half:,.0f} ms, p99 {most:,.0f} ms ({orders})"


def _next(verbose: bool) -> Iterator[str]:
    yield ""
    yield "Next: ./scripts/up --traffic runs it all, and shows each event as it happens."
    if not verbose:
        yield "      ./scripts/demo --verbose lists every exception and the whole trace."
