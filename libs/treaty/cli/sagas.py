"""`treaty sagas`: what process managers are at, which are stuck, and letting a stuck one go on or end.

A decision is a fact that the saga is told, committed on its stream like any other; its process takes it from there.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from treaty.causes import Cause, acting
from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.sagas import Saga, SagaRun

app = typer.Typer(help="Process managers: which run, which are stuck.", no_args_is_help=True)

Context = Annotated[str, typer.Argument(help="the context, such as commerce.ordering")]
Name = Annotated[str, typer.Argument(help="the saga, as `list` shows it")]
Id = Annotated[str, typer.Argument(help="the run, as `list` shows it")]
Reason = Annotated[str, typer.Option("--reason", help="why; it is kept in the saga's history")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a machine")]


@app.command("list")
def list_(
    context: Annotated[str, typer.Argument(help="one context; all of them by default")] = "",
    stuck: Annotated[bool, typer.Option("--stuck", help="only those that wait for a person")] = False,
    ended: Annotated[bool, typer.Option("--ended", help="those that have ended too")] = False,
    limit: Annotated[int, typer.Option(min=1, max=200)] = 100,
    as_json: Json = False,
) -> None:
    """List runs that have not ended, the stuck ones first."""
    rows = [row for name in chosen(context) for row in in_context(name, _listing(stuck, ended, limit))]
    if as_json:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo("no saga is stuck" if stuck else "no saga is running")
        return
    table = Table("context", "saga", "run", "status", "why", "last told")
    for row in rows:
        table.add_row(row["context"], row["saga"], row["id"], row["status"], row["why"], row["since"])
    Console().print(table)


@app.command()
def show(context: Context, saga: Name, id: Id, as_json: Json = False) -> None:
    """Show a run: its state, and every fact that it was told."""

    async def ask(opened: Opened) -> dict[str, Any]:
        found = _saga(opened, saga)
        stream = found.stored.stream_of(id)
        commits = await opened.stores.log.read(stream)
        if not commits:
            fail(f"there is no run {id} of {saga} in {context}")
        facts = [{"at": _time(c.position), "fact": e["type"], "data": e["data"]} for c in commits for e in c.events]
        return {"id": id, "state": dict(commits[-1].state["data"]), "facts": facts}

    details = in_context(context, ask)
    typer.echo(json.dumps(details, indent=None if as_json else 2, default=str))


@app.command()
def resume(context: Context, saga: Name, id: Id, reason: Reason) -> None:
    """Let a stuck run try again what it is stuck with."""
    in_context(context, _told(saga, id, reason, lambda found: found.stored.resume, "resume"))
    typer.echo(f"told {saga} {id} to go on")


@app.command()
def cancel(context: Context, saga: Name, id: Id, reason: Reason) -> None:
    """End a run that cannot come to its end by itself; what it has done stays done."""
    in_context(context, _told(saga, id, reason, lambda found: found.stored.cancel, "cancel"))
    typer.echo(f"told {saga} {id} to end")


def _told(
    saga: str, id: str, reason: str, fact: Callable[[Saga[Any]], Callable[[str, str], object] | None], verb: str
) -> Callable[[Opened], Awaitable[None]]:
    if not reason.strip():
        fail("--reason must say why")

    async def ask(opened: Opened) -> None:
        found = _saga(opened, saga)
        make = fact(found)
        if make is None:
            fail(f"{saga} knows no way to {verb} a run")
        await found.repository.get(id)
        with acting(Cause(id=f"cli/{opened.ports.surroundings.ids.new()}", actor="treaty sagas", durable=True)):
            await found.tell(make(id, reason))

    return ask


def _saga(opened: Opened, name: str) -> Saga[Any]:
    known = {found.stored.stream: found for found in opened.service.sagas}
    if name not in known:
        fail(f"{opened.service.name} has no saga {name}; it has {', '.join(known) or 'none'}")
    return known[name]


def _listing(stuck: bool, ended: bool, limit: int) -> Callable[[Opened], Awaitable[list[dict[str, Any]]]]:
    statuses = ["stuck"] if stuck else ["stuck", "running", *(["ended"] if ended else [])]

    async def ask(opened: Opened) -> list[dict[str, Any]]:
        rows = []
        for saga in opened.service.sagas:
            for status in statuses:
                runs, _ = await opened.ports.view(saga.runs).page({"status": status}, after=None, limit=limit)
                rows += [await _row(opened, saga, run) for run in runs]
        return rows

    return ask


async def _row(opened: Opened, saga: Saga[Any], run: SagaRun) -> dict[str, Any]:
    head = await opened.stores.log.head(saga.stored.stream_of(run.id))
    return {
        "context": opened.service.name,
        "saga": saga.stored.stream,
        "id": run.id,
        "status": run.status,
        "why": run.why,
        "since": _time(head.position) if head else "",
    }


def _time(position: tuple[int, int]) -> str:
    return datetime.fromtimestamp(position[0], UTC).isoformat()
