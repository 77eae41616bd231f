"""`treaty quarantine`: look at what could not be handled, and say what is to be done about it.

What is said here is an intent; the process that owns the partition carries it out, so that the order on a key holds.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from treaty.cli.opening import chosen, fail, in_context
from treaty.ports import SystemClock
from treaty.quarantine import Action, Intent, Quarantine, Quarantined

T = TypeVar("T")

app = typer.Typer(help="Messages that could not be handled, and all that waits behind them.", no_args_is_help=True)

Context = Annotated[str, typer.Argument(help="the consuming context, such as commerce.ordering")]
Id = Annotated[str, typer.Argument(help="the id that `list` shows")]
Reason = Annotated[str, typer.Option("--reason", help="why; it is kept with the message")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a machine")]


@app.command("list")
def list_(
    context: Annotated[str, typer.Argument(help="one context; all of them by default")] = "",
    as_json: Json = False,
) -> None:
    """List what is in quarantine, in order."""
    found = {name: _with(name, lambda quarantine: quarantine.find(limit=1000)) for name in chosen(context)}
    rows = [(name, item) for name, items in found.items() for item in items]
    if as_json:
        typer.echo(json.dumps([{"context": name, **_summary(item)} for name, item in rows]))
    else:
        _table(rows)


@app.command()
def show(context: Context, id: Id, as_json: Json = False) -> None:
    """Show one message: its envelope, its error, its attempts."""
    item = _with(context, lambda quarantine: quarantine.get(id))
    if item is None:
        fail(f"{context} has no message {id} in quarantine")
    details = {
        **_summary(item),
        "detail": item.detail,
        "headers": item.envelope.headers(),
        "body": item.envelope.body.hex(),
    }
    if as_json:
        typer.echo(json.dumps(details))
        return
    for name, value in details.items():
        typer.echo(f"{name:12} {json.dumps(value, indent=2) if isinstance(value, dict) else value}")


@app.command()
def retry(context: Context, id: Id, reason: Reason = "") -> None:
    """Ask for the message's key to be tried again now, from its first message on."""
    _intend(context, id, "retry", reason)


@app.command()
def discard(context: Context, id: Id, reason: Reason) -> None:
    """Ask for a message to be passed over for good. It is kept, with the reason."""
    if not reason.strip():
        fail("--reason must say why the message is discarded")
    _intend(context, id, "discard", reason)


def _intend(context: str, id: str, action: Action, reason: str) -> None:
    intent = Intent(action=action, reason=reason, at=SystemClock().now())
    if not _with(context, lambda quarantine: quarantine.intend(id, intent)):
        fail(f"{context} has no message {id} in quarantine")
    typer.echo(f"asked the owner of the partition to {action} {id}")


def _with(context: str, ask: Callable[[Quarantine], Awaitable[T]]) -> T:
    return in_context(context, lambda opened: ask(opened.stores.quarantine))


def _summary(item: Quarantined) -> dict[str, Any]:
    return {
        "id": item.id,
        "type": item.envelope.type,
        "key": item.key,
        "partition": item.partition,
        "error": item.error or "waits behind another",
        "attempts": item.attempts,
        "since": item.since.isoformat(),
        "next_try": item.next_try.isoformat() if item.next_try else None,
        "intent": item.intent.action if item.intent else None,
        "discarded": item.discarded or None,
    }


def _table(rows: Sequence[tuple[str, Quarantined]]) -> None:
    if not rows:
        typer.echo("nothing is in quarantine")
        return
    table = Table("context", "id", "type", "error", "attempts", "next try")
    for name, item in rows:
        summary = _summary(item)
        table.add_row(
            name,
            item.id,
            item.envelope.type.rpartition(".")[2],
            summary["error"],
            str(item.attempts),
            summary["next_try"] or ("waits" if not item.error else "a person"),
        )
    Console().print(table)
