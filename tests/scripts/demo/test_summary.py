"""The demo's report for a person: short, narrow, with the verdict first and in good grammar."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from treaty.operations.backlog import Backlog
from treaty.telemetry.spans import FinishedSpan

from scripts.lib.demo.balance import Balance
from scripts.lib.demo.invoices import Invoice, Invoices, Item
from scripts.lib.demo.report import Results
from scripts.lib.demo.shop import Outcome, Shop
from scripts.lib.demo.summary import WIDTH, show
from scripts.lib.grammar import counted

EVEN = Balance(stock=True, money=True, messages=True)


def _results(*outcomes: Outcome, **more: Any) -> Results:
    nobody: Any = None
    usual: dict[str, Any] = {
        "invoices": Invoices(),
        "outcomes": outcomes,
        "shop": Shop(nobody, seconds=2.0, commands=100),
        "contexts": 7,
        "promotions": 1,
        "mails": 2,
        "balance": EVEN,
        "effects_ms": [],
        "backlogs": {},
        "trace": [],
    }
    return Results(**{**usual, **more})


def _order(number: str, state: str = "delivered", reason: str = "") -> Outcome:
    return Outcome(Invoice(number, "17850", "GB", {"MUG-1": Item(1, 255)}), order_id=number, state=state, reason=reason)


def _shown(results: Results, *, verbose: bool = False) -> str:
    out = io.StringIO()
    show(results, Console(file=out, width=WIDTH), verbose=verbose)
    return out.getvalue()


@pytest.mark.parametrize(("count", "text"), [(0, "0 orders"), (1, "1 order"), (2, "2 orders"), (1500, "1,500 orders")])
def test_counts_are_in_good_grammar(count: int, text: str) -> None:
    assert counted(count, "order") == text


def test_the_verdict_comes_first_and_names_what_is_wrong() -> None:
    assert _shown(_results(_order("1"))).startswith("It adds up")
    broken = _results(
        _order("1"),
        _order("2", "placed"),
        balance=replace(EVEN, money=False),
        backlogs={"commerce.ordering": Backlog(outbox=0, calls=0, queued=0, quarantined=1, projecting=0, held=0)},
    )
    assert _shown(broken).splitlines()[:4] == [
        "It does not add up.",
        "Out of balance: money.",
        "Left over: 1 message in quarantine.",
        "Not ended: 1 order.",
    ]


def test_a_report_without_a_delivered_order_is_whole() -> None:
    text = _shown(_results(_order("1", "refused", "there is no such SKU")))
    assert "0 delivered, 0 cancelled, 1 refused" in text
    assert "One order" not in text


def test_much_fits_on_the_screen() -> None:
    spans = [
        FinishedSpan(trace_id="7" * 32, span_id=str(n), name=f"process {n}" * 9, kind="consumer", service="commerce.x")
        for n in range(50)
    ]
    refused = [_order(str(n), "refused", "a very long reason, " * 9) for n in range(400)]
    invoices = Invoices(bad_rows=[(2, "too " * 40 + "long")] * 9)
    invoices.unknown_countries.update({f"Country {n}": 1 for n in range(30)})
    text = _shown(_results(*refused, invoices=invoices, trace=spans, effects_ms=[1e6] * 1000))
    assert max(map(len, text.splitlines())) <= WIDTH
    assert len(text.splitlines()) <= 32
    assert "taxed as in the United Kingdom, for lack of a rule: Country 0" in text
    assert "of 400 refused" in text


def test_everything_is_there_on_request() -> None:
    outcomes = [_order(f"A{n}", "refused", "no") for n in range(30)]
    text = _shown(_results(*outcomes), verbose=True)
    assert all(one.invoice.number in text for one in outcomes)
