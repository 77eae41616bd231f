"""`treaty quarantine`: look at what could not be handled, and say what is to be done about it.

What is said here is an intent; the process that owns the partition carries it out, so that the order on a key holds.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from treaty.commits import StoreAway
from treaty.contexts import find_contexts
from treaty.mongo.driver import close, connect, database
from treaty.mongo.quarantine import MongoQuarantine
from treaty.ports import SystemClock
from treaty.quarantine import Action, Intent, Quarantine, Quarantined
from treaty.settings import ProcessSettings, SettingsError, read_settings

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
    names = [context] if context else find_contexts()
    rows = [(name, item) for name in names for item in _with(name, lambda quarantine: quarantine.find(limit=1000))]
    if as_json:
        typer.echo(json.dumps([{"context": name, **_summary(item)} for name, item in rows]))
    else:
        _table(rows)


@app.command()
def show(context: Context, id: Id, as_json: Json = False) -> None:
    """Show one message: its envelope, its error, its attempts."""
    item = _with(context, lambda quarantine: quarantine.get(id))
    if item is None:
        _fail(f"{context} has no message {id} in quarantine")
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
        _fail("--reason must say why the message is discarded")
    _intend(context, id, "discard", reason)


def _intend(context: str, id: str, action: Action, reason: str) -> None:
    intent = Intent(action=action, reason=reason, at=SystemClock().now())
    if not _with(context, lambda quarantine: quarantine.intend(id, intent)):
        _fail(f"{context} has no message {id} in quarantine")
    typer.echo(f"asked the owner of the partition to {action} {id}")


def _with(context: str, ask: Callable[[Quarantine], Awaitable[T]]) -> T:
    if context not in find_contexts():
        _fail(f"there is no context {context}; there are {', '.join(find_contexts())}")

    async def asking() -> T:
        settings = read_settings(ProcessSettings, os.environ)
        settings.require("MONGODB_URI")
        client = connect(settings.mongodb_uri.get_secret_value(), settings.mongodb_driver)
        try:
            return await ask(MongoQuarantine(database(client, context)))
        finally:
            await close(client)

    try:
        return asyncio.run(asking())
    except (SettingsError, StoreAway) as error:
        _fail(str(error))


def _fail(text: str) -> NoReturn:
    typer.echo(f"treaty: {text}", err=True)
    raise typer.Exit(2)


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
