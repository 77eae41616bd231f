"""`treaty quarantine`: shows the messages that could not be handled, and records decisions about them.

A decision is recorded as an intent. The process that owns the partition carries it out, so the order on a key holds.
"""

import getpass
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from google.protobuf.json_format import MessageToDict
from rich.console import Console
from rich.table import Table

from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.clock import SystemClock
from treaty.messaging.quarantine import Action, Answered, Intent, Quarantine, Quarantined, Wanted

T = TypeVar("T")

app = typer.Typer(
    help="Messages that could not be handled, and the later messages of their keys.", no_args_is_help=True
)

Context = Annotated[str, typer.Argument(help="the consuming context, such as commerce.ordering")]
Id = Annotated[str, typer.Argument(help="the id that `list` shows")]
Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="the ids that `list` shows")]
Reason = Annotated[str, typer.Option("--reason", help="the reason; it is kept for good")]
By = Annotated[str, typer.Option("--by", help="the person who decides; by default you")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a machine")]
Type = Annotated[str, typer.Option("--type", help="only events of this type, such as OrderPlaced")]
Error = Annotated[str, typer.Option("--error", help="only messages whose error contains this text")]
Key = Annotated[str, typer.Option("--key", help="only messages of this aggregate")]
OlderThan = Annotated[
    str, typer.Option("--older-than", help="only messages older than 90s, 15m, 2h or 3d, for example")
]
Deploy = Annotated[bool, typer.Option("--waits-for-deploy", help="only messages that this version cannot read")]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHOWN, _MANY = 1_000, 500_000


@app.command("list")
def list_(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "",
    type: Type = "",
    error: Error = "",
    key: Key = "",
    older_than: OlderThan = "",
    waits_for_deploy: Deploy = False,
    as_json: Json = False,
) -> None:
    """List the messages in quarantine, in their order."""
    wanted = _wanted(type, error, key, older_than, waits_for_deploy)
    found = {
        name: _with(name, lambda quarantine: quarantine.find(wanted, limit=_SHOWN + 1)) for name in chosen(context)
    }
    rows = [(name, item) for name, items in found.items() for item in items[:_SHOWN]]
    for name in [name for name, items in found.items() if len(items) > _SHOWN]:
        typer.echo(f"{name} has more than these {_SHOWN:,}; select some of them, such as with --type", err=True)
    if as_json:
        typer.echo(json.dumps([{"context": name, **_summary(item)} for name, item in rows]))
    else:
        _table(rows)


@app.command()
def show(context: Context, id: Id, as_json: Json = False) -> None:
    """Show one message: its envelope, decoded body, error, attempts, and the decisions about it."""

    async def ask(opened: Opened) -> dict[str, Any]:
        item = await opened.stores.quarantine.get(id)
        if item is None:
            fail(f"{context} has no message {id} in quarantine")
        return {
            **_summary(item),
            "detail": item.detail,
            "headers": item.envelope.headers(),
            "says": _decoded(opened, item),
            "body": item.envelope.body.hex(),
            "history": [_entry(answered) for answered in await opened.stores.quarantine.answers(id)],
        }

    details = in_context(context, ask)
    if as_json:
        typer.echo(json.dumps(details))
        return
    for name, value in details.items():
        typer.echo(f"{name:12} {value if isinstance(value, str) else json.dumps(value, indent=2)}")


def _asks(action: Action, help: str) -> None:
    """Registers a command that leaves an intent for the owner of the partition."""

    @app.command(action, help=help)
    def ask(
        context: Context,
        ids: Ids = None,
        reason: Reason = "",
        by: By = "",
        type: Type = "",
        error: Error = "",
        key: Key = "",
        older_than: OlderThan = "",
        waits_for_deploy: Deploy = False,
    ) -> None:
        _ask(context, action, ids, reason, by, _wanted(type, error, key, older_than, waits_for_deploy))


_asks("retry", "Ask the owner to try the key of each message once now, from its first message on.")
_asks("release", "Ask the owner to restart the schedule of tries now. Use it when the cause is repaired.")
_asks("discard", "Ask the owner to skip messages for good. They are kept, with the reason.")


@app.command()
def edit(
    context: Context,
    id: Id,
    body: Annotated[Path, typer.Option("--body", help="a file with the new body, as protobuf bytes", exists=True)],
    reason: Reason = "",
    by: By = "",
) -> None:
    """Replace the body of a message and try it again. The old body is kept in the message's history."""

    async def ask(opened: Opened) -> None:
        item = await opened.stores.quarantine.get(id)
        if item is None or item.discarded:
            fail(f"{context} has no message {id} in quarantine")
        new = body.read_bytes()
        _check_parses(opened, item, new)
        await opened.stores.quarantine.intend(id, _intent("edit", reason, by, new))

    in_context(context, ask)
    typer.echo(f"asked the owner of the partition to edit {id}")


@app.command()
def history(
    context: Context,
    id: Annotated[str, typer.Option("--id", help="one message; by default all")] = "",
    as_json: Json = False,
) -> None:
    """Show the decisions about messages, their reasons and outcomes, the latest first; also of removed messages."""
    entries = [_entry(answered) for answered in _with(context, lambda quarantine: quarantine.answers(id, limit=1000))]
    if as_json:
        typer.echo(json.dumps(entries))
        return
    table = Table("at", "message", "asked for", "by", "reason", "outcome")
    for entry in entries:
        table.add_row(*(entry[name] for name in ("at", "message", "action", "by", "reason", "outcome")))
    Console().print(table)


def _ask(context: str, action: Action, ids: list[str] | None, reason: str, by: str, wanted: Wanted) -> None:
    """Leaves an intent with each message that was named, or that matches the filter."""
    if bool(ids) == (wanted != Wanted()):
        fail("name messages by id, or select them by --type, --error, --key, --older-than, --waits-for-deploy")
    intent = _intent(action, reason, by)

    async def asking(opened: Opened) -> int:
        quarantine = opened.stores.quarantine
        names = ids or [item.id for item in await quarantine.find(wanted, limit=_MANY)]
        known = [name for name in names if await quarantine.intend(name, intent)]
        missing = set(names) - set(known)
        if ids and missing:
            fail(f"{context} has no message {', '.join(sorted(missing))} in quarantine")
        return len(known)

    count = in_context(context, asking)
    if not count:
        fail(f"no message in the quarantine of {context} matches the filter")
    typer.echo(
        f"asked the owners of the partitions to {action} {ids[0] if ids and count == 1 else f'{count} messages'}"
    )
    if count >= _MANY:
        typer.echo("there may be more: once these are done, ask again", err=True)


def _intent(action: Action, reason: str, by: str, body: bytes = b"") -> Intent:
    if not reason.strip():
        fail("--reason must not be empty")
    return Intent(action=action, reason=reason, at=SystemClock().now(), by=by or getpass.getuser(), body=body)


def _wanted(type: str, error: str, key: str, older_than: str, waits_for_deploy: bool) -> Wanted:
    until = None
    if older_than:
        age = re.fullmatch(r"(\d+)([smhd])", older_than)
        if age is None:
            fail(f"--older-than {older_than!r} is no age: use a form such as 90s, 15m, 2h or 3d")
        until = SystemClock().now() - timedelta(seconds=int(age[1]) * _UNITS[age[2]])
    return Wanted(type=type, error=error, key=key, until=until, schema=waits_for_deploy)


def _with(context: str, ask: Callable[[Quarantine], Awaitable[T]]) -> T:
    return in_context(context, lambda opened: ask(opened.stores.quarantine))


def _decoded(opened: Opened, item: Quarantined) -> Any:
    """Returns the decoded body of the message, or a sentence if this version of the context cannot read it."""
    for subscription in opened.service.subscriptions:
        if subscription.type == item.envelope.type:
            try:
                return MessageToDict(subscription.parse(item.envelope.body), preserving_proto_field_name=True)
            except Exception as error:
                return f"not readable: {type(error).__name__}: {error}"
    return "this version has no subscription to this type"


def _check_parses(opened: Opened, item: Quarantined, body: bytes) -> None:
    parsers = [s.parse for s in opened.service.subscriptions if s.type == item.envelope.type]
    if not parsers:
        fail(f"this version of {opened.service.name} has no {item.envelope.type}, so it cannot check the body")
    try:
        parsers[0](body)
    except Exception as error:
        fail(f"the body is no {item.envelope.type}: {type(error).__name__}: {error}")


def _summary(item: Quarantined) -> dict[str, Any]:
    return {
        "id": item.id,
        "type": item.envelope.type,
        "key": item.key,
        "partition": item.partition,
        "error": item.error or _waiting(item),
        "attempts": item.attempts,
        "since": item.since.isoformat(),
        "next_try": item.next_try.isoformat() if item.next_try else None,
        "waits_for_deploy": item.schema,
        "waits_for_replay": item.waits_for or None,
        "intent": item.intent.action if item.intent else None,
        "discarded": item.discarded or None,
    }


def _entry(answered: Answered) -> dict[str, str]:
    return {
        "at": answered.at.isoformat(),
        "message": answered.message,
        "action": answered.intent.action,
        "by": answered.intent.by,
        "reason": answered.intent.reason,
        "outcome": answered.outcome,
        "before": answered.before.hex(),
    }


def _table(rows: Sequence[tuple[str, Quarantined]]) -> None:
    if not rows:
        typer.echo("nothing is in quarantine")
        return
    table = Table("context", "id", "type", "error", "attempts", "next try")
    for name, item in rows:
        table.add_row(
            name,
            item.id,
            item.envelope.type.rpartition(".")[2],
            item.error or _waiting(item),
            str(item.attempts),
            _when(item),
        )
    Console().print(table)


def _waiting(item: Quarantined) -> str:
    return f"waits for the replay {item.waits_for}" if item.waits_for else "waits behind another"


def _when(item: Quarantined) -> str:
    if item.next_try:
        return item.next_try.isoformat()
    if item.schema:
        return "a deploy"
    return "a person" if item.error else "waits"
