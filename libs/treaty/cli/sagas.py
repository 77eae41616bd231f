"""`treaty sagas`: shows the runs of process managers, and resumes or cancels a stuck one.

A person's decision is a fact on the saga's stream, like any other fact. The saga's process acts on it.
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
from treaty.projections.view import Page
from treaty.sagas import Saga, SagaRun

app = typer.Typer(help="Show, resume and cancel the runs of process managers.", no_args_is_help=True)

Context = Annotated[str, typer.Argument(help="the context, such as commerce.ordering")]
Name = Annotated[str, typer.Argument(help="the saga, as `list` shows it")]
Id = Annotated[str, typer.Argument(help="the run, as `list` shows it")]
Reason = Annotated[str, typer.Option("--reason", help="the reason; it is kept in the saga's history")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for a machine")]


@app.command("list")
def list_(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "",
    stuck: Annotated[bool, typer.Option("--stuck", help="only runs that wait for a person")] = False,
    ended: Annotated[bool, typer.Option("--ended", help="also runs that have ended")] = False,
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
    table = Table("context", "saga", "run", "status", "why", "last fact")
    for row in rows:
        table.add_row(row["context"], row["saga"], row["id"], row["status"], row["why"], row["since"])
    Console().print(table)


@app.command()
def show(context: Context, saga: Name, id: Id, as_json: Json = False) -> None:
    """Show a run: its state, and every fact on its stream."""

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
    """Resume a stuck run: it tries again the step that it is stuck at."""
    in_context(context, _told(saga, id, reason, lambda found: found.stored.resume, "resume"))
    typer.echo(f"recorded that {saga} {id} is to resume")


@app.command()
def cancel(context: Context, saga: Name, id: Id, reason: Reason) -> None:
    """Cancel a run that cannot reach its end by itself. Finished steps are not undone."""
    in_context(context, _told(saga, id, reason, lambda found: found.stored.cancel, "cancel"))
    typer.echo(f"recorded that {saga} {id} is to be cancelled")


def _told(
    saga: str, id: str, reason: str, fact: Callable[[Saga[Any]], Callable[[str, str], object] | None], verb: str
) -> Callable[[Opened], Awaitable[None]]:
    if not reason.strip():
        fail("--reason must not be empty")

    async def ask(opened: Opened) -> None:
        found = _saga(opened, saga)
        make = fact(found)
        if make is None:
            fail(f"{saga} has no way to {verb} a run")
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
                runs, _ = await opened.ports.view(saga.runs).page({"status": status}, Page(size=limit))
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
