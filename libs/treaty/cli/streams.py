"""`treaty streams`: shows the history of one aggregate, commit by commit, and its state at any time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import typer

from treaty.cli.context import Opened, fail, in_context, moment
from treaty.cli.tables import Json, as_json, table, text
from treaty.commits.commit import Commit
from treaty.commits.log import CommitLog, Unreadable
from treaty.commits.moments import version_at

app = typer.Typer(help="Show the histories of aggregates.", no_args_is_help=True)

Context = Annotated[str, typer.Argument(help="the context, such as commerce.ordering")]
Stream = Annotated[str, typer.Argument(help="the stream, such as order-6f96…; in a revision, the part before the @")]


@app.command("list")
def list_(
    context: Context,
    prefix: Annotated[str, typer.Option(help="only streams whose names begin with this, such as order-")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json_: Json = False,
) -> None:
    """List streams, with their latest version and the time of its commit."""
    rows = in_context(context, lambda opened: listed(opened, prefix, limit))
    if json_:
        typer.echo(as_json(rows))
    else:
        table(rows, f"{context} has no stream that begins with {prefix!r}" if prefix else f"{context} has no stream")


@app.command()
def show(context: Context, stream: Stream, json_: Json = False) -> None:
    """Show every commit of a stream: its causes, events, outgoing events and calls. It holds no personal data."""
    commits = in_context(context, lambda opened: history(opened, stream))
    if json_:
        typer.echo(as_json(commits))
        return
    for commit in commits:
        _print(commit)


@app.command()
def at(
    context: Context,
    stream: Stream,
    version: Annotated[int | None, typer.Option(min=1, help="the state after this commit")] = None,
    then: Annotated[
        str,
        typer.Option("--moment", help="the state at this moment, such as 2026-07-01T12:00:00Z (UTC without a zone)"),
    ] = "",
    json_: Json = False,
) -> None:
    """Show the state of a stream after a commit, or at a moment (to the second, by the server's clock)."""
    if (version is None) == (not then):
        fail("use either --version or --moment")
    asked = moment(then) if then else None
    found = in_context(context, lambda opened: state(opened, stream, version, asked))
    if json_:
        typer.echo(as_json(found))
        return
    typer.echo(f"{stream}@{found['version']}  {text(found['committed'])}")
    for name, value in found["state"].items():
        typer.echo(f"  {name:20} {text(value)}")


async def listed(opened: Opened, prefix: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """Returns {stream, version, committed} of streams."""
    log = opened.stores.log
    return [row for name in await log.streams(prefix, limit) if (row := await _listed(log, name)) is not None]


async def _listed(log: CommitLog, stream: str) -> Mapping[str, Any] | None:
    try:
        head = await log.head(stream)
    except Unreadable as hole:
        return {"stream": stream, "version": hole.version, "committed": "cannot be read"}
    return {"stream": stream, "version": head.version, "committed": head.stored_at} if head else None


async def history(opened: Opened, stream: str) -> Sequence[Mapping[str, Any]]:
    """Returns a description of every commit of a stream."""
    commits = await opened.stores.log.read(stream, states=False)
    if not commits:
        fail(f"{opened.service.name} has no stream {stream}; `treaty streams list {opened.service.name}` shows some")
    readers = {kind.DESCRIPTOR.full_name: kind for kind in opened.service.publishes}  # type: ignore[attr-defined]
    return [_described(commit, readers) for commit in commits]


async def state(opened: Opened, stream: str, version: int | None, then: datetime | None) -> Mapping[str, Any]:
    """Returns {stream, version, committed, state} of a stream after a version, or at a moment."""
    log = opened.stores.log
    asked = version or (await version_at(log, stream, then) if then is not None else 0)
    commits = await log.read(stream, first=asked, last=asked) if asked else ()
    if not commits:
        fail(f"{opened.service.name} has no {stream} {f'in version {version}' if version else f'at {text(then)}'}")
    last = commits[0]
    data = last.state.get("data", last.state)
    return {"stream": stream, "version": last.version, "committed": last.stored_at, "state": data}


def _described(commit: Commit, readers: Mapping[str, Any]) -> Mapping[str, Any]:
    causes = [
        {"id": c.id, "actor": c.actor, "tenant": c.tenant, "trace": c.trace, "events": c.events, "refusal": c.refusal}
        for c in commit.causes
    ]
    outbox = [{"type": o.type, "time": o.time, "data": _data(o.type, o.body, readers)} for o in commit.outbox]
    calls = [{"type": call.type, "data": call.body, "due": call.due} for call in commit.calls]
    return {
        "version": commit.version,
        "committed": commit.stored_at,
        "causes": causes,
        "events": list(commit.events),
        "outgoing": outbox,
        "calls": calls,
    }


def _data(name: str, body: bytes, readers: Mapping[str, Any]) -> Any:
    """Returns the text of an outgoing event, or its bytes if this version of the code cannot read it."""
    try:
        return str(readers[name].FromString(body)).strip().replace("\n", " ")
    except Exception:
        return body


def _print(commit: Mapping[str, Any]) -> None:
    typer.echo(f"@{commit['version']}  {text(commit['committed'])}")
    for cause in commit["causes"]:
        refused = f"  refused: {cause['refusal']['message']}" if cause["refusal"] else ""
        typer.echo(f"  cause     {cause['id']}  {cause['actor']}{refused}".rstrip())
    for event in commit["events"]:
        typer.echo(f"  event     {event['type']}  {text(event['data'])}")
    for outgoing in commit["outgoing"]:
        typer.echo(f"  outgoing  {outgoing['type']}  {text(outgoing['data'])}")
    for call in commit["calls"]:
        due = f"  due {text(call['due'])}" if call["due"] else ""
        typer.echo(f"  call      {call['type']}  {text(call['data'])}{due}")
