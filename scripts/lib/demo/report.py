"""The report that the demo prints at the end."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commerce.ordering.v1 import ordering_service_pb2 as ordering
from rich.console import Console
from rich.table import Table
from treaty.operations.backlog import Backlog

from scripts.lib.demo.balance import Balance
from scripts.lib.demo.invoices import Invoices
from scripts.lib.demo.shop import Outcome, Shop

_SHOWN = 150
"""The number of outcomes that are listed one by one. For the others of a larger file, the reasons are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of the demo. `effects_ms` has the time from a command to its last effect, for each traced order."""

    invoices: Invoices
    outcomes: Sequence[Outcome]
    shop: Shop
    contexts: int
    promotions: int
    mails: int
    balance: Balance
    effects_ms: Sequence[float]
    backlogs: Mapping[str, Backlog]
    tree: Sequence[str]
    trace_spans: int
    trace_services: int

    def figures(self) -> dict[str, Any]:
        """Returns the figures of the JSON line."""
        orders = [o for o in self.outcomes if not o.invoice.cancels]
        wishes = [o for o in self.outcomes if o.invoice.cancels]
        states = Counter(o.state for o in orders)
        return {
            "orders": len(orders),
            "contexts": self.contexts,
            "confirmed": states["delivered"],
            "delivered": states["delivered"],
            "cancelled": states["cancelled"],
            "refused": states["refused"],
            "repriced": sum(o.repriced for o in orders),
            "cancellations": sum(o.state == "cancels" for o in wishes),
            "cancellations_refused": sum(o.state == "refused" for o in wishes),
            "returns": self.returns,
            "promotions": self.promotions,
            "mails": self.mails,
            "bad_rows": len(self.invoices.bad_rows),
            "commands_per_s": round(self.shop.commands / self.shop.seconds, 1) if self.shop.seconds else 0.0,
            "effect_ms_p50": _percentile(self.effects_ms, 0.50),
            "effect_ms_p99": _percentile(self.effects_ms, 0.99),
            "outbox": sum(b.outbox + b.calls for b in self.backlogs.values()),
            "queued": sum(b.queued for b in self.backlogs.values()),
            "quarantined": sum(b.quarantined for b in self.backlogs.values()),
            "stock_balanced": self.balance.stock,
            "money_balanced": self.balance.money,
            "messages_balanced": self.balance.messages,
            "trace_spans": self.trace_spans,
            "trace_services": self.trace_services,
        }

    @property
    def returns(self) -> int:
        """The number of completed returns."""
        done = ordering.RETURN_STATUS_COMPLETED
        orders = {outcome.order_id: outcome.order for outcome in self.shop.returns.values()}
        return sum(one.status == done for order in orders.values() for one in order.returns)

    @property
    def balanced(self) -> bool:
        """Whether every order and return has ended, everything balances, and no message is left anywhere."""
        f = self.figures()
        ended = f["delivered"] + f["cancelled"] + f["refused"] == f["orders"] and self.returns == len(self.shop.returns)
        adds_up = self.balance.stock and self.balance.money and self.balance.messages
        return bool(ended and adds_up and not f["outbox"] and not f["queued"] and not f["quarantined"])


def show(results: Results, console: Console) -> None:
    """Prints the report for a person."""
    _bad_rows(results, console)
    _outcomes(results.outcomes, console)
    figures = results.figures()
    console.print(
        f"\n[bold]{figures['orders']} orders[/] through {figures['contexts']} contexts: "
        f"{figures['delivered']} delivered, {figures['cancelled']} cancelled, {figures['refused']} refused; "
        f"cancellations: {figures['cancellations']} accepted, {figures['cancellations_refused']} refused; "
        f"returns: {figures['returns']}; placed again at a new price: {figures['repriced']}"
    )
    console.print(
        f"customers promoted: {figures['promotions']}; mails: {figures['mails']}; adds up: "
        + ", ".join(f"{name} {_yes(figures[f'{name}_balanced'])}" for name in ("stock", "money", "messages"))
    )
    for message in results.balance.missing:
        console.print(f"[red]not balanced:[/] {message}", highlight=False)
    console.print(
        f"{figures['commands_per_s']} commands/s; from a command to its last effect "
        f"p50 {figures['effect_ms_p50']} ms, p99 {figures['effect_ms_p99']} ms"
    )
    console.print(
        f"left over: {figures['outbox']} in the outbox, {figures['queued']} in queues, "
        f"{figures['quarantined']} in quarantine"
    )
    if results.tree:
        console.print(f"\n[bold]One order's trace[/]: {results.trace_spans} spans in {results.trace_services} services")
        for line in results.tree:
            console.print(line, markup=False, highlight=False, no_wrap=True, overflow="ellipsis")
    console.print("\nNext: --keep leaves it running; docs/tutorial.md builds a context.", highlight=False)


def show_json(results: Results) -> None:
    """Prints the JSON line."""
    print(json.dumps(results.figures()), flush=True)


def _bad_rows(results: Results, console: Console) -> None:
    bad = results.invoices.bad_rows
    if bad:
        console.print(f"{len(bad)} rows of the file are not invoices, and are left out:", highlight=False)
    for line, reason in bad[:_SHOWN]:
        console.print(f"[yellow]line {line}[/]: {reason}", highlight=False, soft_wrap=True)
    if len(bad) > _SHOWN:
        console.print(f"… and {len(bad) - _SHOWN} more bad rows")


def _outcomes(outcomes: Sequence[Outcome], console: Console) -> None:
    colours = {
        "delivered": "green",
        "cancelled": "red",
        "refused": "yellow",
        "cancels": "cyan",
        "returns": "cyan",
        "placed": "magenta",
    }
    special = [outcome for outcome in outcomes if outcome.state != "delivered" or outcome.reason]
    table = Table("invoice", "customer", "outcome", "why", title="The invoices that were not simply delivered")
    for outcome in special[:_SHOWN]:
        colour = colours[outcome.state]
        table.add_row(
            outcome.invoice.number,
            outcome.invoice.customer or "guest",
            f"[{colour}]{outcome.state}[/]",
            outcome.reason,
        )
    console.print(table)
    if len(special) > _SHOWN:
        console.print(f"… and {len(special) - _SHOWN} more; by outcome and reason:")
        for (state, reason), count in Counter((o.state, _kind(o.reason)) for o in special).most_common(20):
            console.print(f"  {count:6} {state} {reason}", highlight=False, soft_wrap=True)


def _yes(balanced: bool) -> str:
    return "yes" if balanced else "[red]NO[/]"


def _kind(reason: str) -> str:
    """Returns a reason without its numbers, so that equal reasons can be counted."""
    for start in ("out of stock", "cancelled by invoice", "invoice"):
        if reason.startswith(start):
            return start
    return reason[:80]


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 1) if ordered else 0.0
