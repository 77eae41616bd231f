"""`treaty projections`: lists read models, and rebuilds them while the old ones still answer queries."""

import json
import traceback
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from treaty.chance import RandomIds
from treaty.cli.context import Opened, chosen, fail, in_context
from treaty.commits.log import Place, StoreAway, Unreadable
from treaty.operations.rebuild import AlreadyRebuilding, NotCaughtUp, RebuildLost, Rebuilt, rebuild
from treaty.projections.projection import Projection
from treaty.projections.projector import follower_of

app = typer.Typer(help="List and rebuild read models.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="print JSON for a machine")]


@app.command("list")
def list_(
    context: Annotated[str, typer.Argument(help="one context; by default all of them")] = "", as_json: Json = False
) -> None:
    """List the read models, and the number of commits that each is behind."""
    found = {key: row for name in chosen(context) for key, row in in_context(name, _listed).items()}
    if as_json:
        typer.echo(json.dumps(found))
        return
    table = Table("read model", "generation", "commits behind")
    for name, row in found.items():
        table.add_row(name, str(row["generation"]), str(row["behind"]))
    Console().print(table)


@app.command("rebuild")
def rebuild_(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="read models, such as commerce.x/rows")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="rebuild every read model of every context")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="compare the new read model with the old")] = False,
    as_json: Json = False,
) -> None:
    """Rebuild read models from the log, and switch queries to the new ones. Commands continue meanwhile."""
    if bool(names) == all_:
        fail("name the read models as `treaty projections list` shows them, or use --all")
    contexts = chosen("") if all_ else sorted({name.partition("/")[0] for name in names or ()})
    results: dict[str, Any] = {}
    for context in contexts:
        wanted = None if all_ else [name for name in names or () if name.partition("/")[0] == context]
        results |= _rebuilt(context, wanted, verify)
    _show(results, as_json)
    if any(result["equal"] is False for result in results.values()):
        raise typer.Exit(1)


def _rebuilt(context: str, wanted: list[str] | None, verify: bool) -> dict[str, Any]:
    async def ask(opened: Opened) -> dict[str, Any]:
        known = {f"{context}/{projection.name}": projection for projection in opened.service.read_models}
        unknown = [name for name in wanted or () if name not in known]
        if unknown:
            fail(f"there is no read model {unknown[0]}; {context} has {', '.join(known) or 'none'}")
        names = list(known) if wanted is None else wanted
        return {name: _result(await _build(opened, known[name], verify)) for name in names}

    return in_context(context, ask)


async def _build(opened: Opened, projection: Projection[Any], verify: bool) -> Rebuilt:
    try:
        return await rebuild(projection, opened.stores, owner=RandomIds().new(), verify=verify)
    except (AlreadyRebuilding, NotCaughtUp, RebuildLost) as error:
        fail(str(error))
    except (StoreAway, Unreadable):
        raise
    except Exception as error:
        traceback.print_exc()
        fail(f"{projection.name} cannot be built ({type(error).__name__}: {error}); queries go on with the old rows")


def _result(rebuilt: Rebuilt) -> dict[str, Any]:
    found: dict[str, Any] = {"rows": rebuilt.rows, "equal": rebuilt.equal}
    return {**found, "different": list(rebuilt.different)} if rebuilt.different else found


def _show(results: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(results))
        return
    table = Table("read model", "rows", "the same as the old one")
    for name, result in results.items():
        equal = {True: "yes", False: f"NO: {', '.join(result.get('different', ()))}", None: "not compared"}
        table.add_row(name, str(result["rows"]), equal[result["equal"]])
    Console().print(table)


async def _listed(opened: Opened) -> dict[str, Any]:
    places = await opened.stores.checkpoints.load()
    found = {}
    for projection in opened.service.read_models:
        generation = await opened.stores.rows(projection).generation()
        place = places.get(follower_of(projection, generation), Place())
        behind = (await opened.stores.log.behind(place)).commits
        found[f"{opened.service.name}/{projection.name}"] = {"generation": generation, "behind": behind}
    return found
