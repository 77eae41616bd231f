"""The figures of the demo."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from commerce.ordering.v1 import ordering_service_pb2 as ordering
from treaty.operations.backlog import Backlog
from treaty.telemetry.spans import FinishedSpan

from scripts.lib.demo.balance import Balance
from scripts.lib.demo.invoices import Invoices
from scripts.lib.demo.shop import Outcome, Shop


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of the demo.

    Attributes:
        effects_ms: for each order that was not traced, the time from its first integration event to its last one.
        trace: the spans of one delivered order.
    """

    invoices: Invoices
    outcomes: Sequence[Outcome]
    shop: Shop
    contexts: int
    promotions: int
    mails: int
    balance: Balance
    effects_ms: Sequence[float]
    backlogs: Mapping[str, Backlog]
    trace: Sequence[FinishedSpan]

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
            "trace_spans": len(self.trace),
            "trace_services": len({span.service for span in self.trace}),
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


def show_json(results: Results) -> None:
    """Prints the JSON line."""
    print(json.dumps(results.figures()), flush=True)


def _percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return round(ordered[min(int(len(ordered) * share), len(ordered) - 1)], 1) if ordered else 0.0
