"""The commands of `treaty`."""

import asyncio
import contextlib
import os
from typing import Annotated

import typer
import uvloop

from treaty.cli import audits, projections, quarantine, replay, sagas, streams, topology
from treaty.cli.call import call
from treaty.cli.check import check
from treaty.cli.context_map import context_map
from treaty.cli.duplicates import duplicates
from treaty.cli.followers import followers
from treaty.cli.holes import holes
from treaty.cli.new import new
from treaty.cli.outbox import outbox
from treaty.cli.pending import pending
from treaty.cli.project import Misconfigured, find_project
from treaty.cli.protos import protos
from treaty.cli.traces import traces
from treaty.commits.log import StoreAway
from treaty.process.crashes import crashing
from treaty.process.main import run_until_signal
from treaty.service.contexts import UnknownContext, find_contexts
from treaty.settings import ProcessSettings, SettingsError, read_settings
from treaty.telemetry.logs import configure_logging
from treaty.telemetry.setup import close_together, start_telemetry
from treaty.wiring import WiringError

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(replay.app, name="replay")
app.add_typer(projections.app, name="projections")
app.add_typer(sagas.app, name="sagas")
app.add_typer(streams.app, name="streams")
app.add_typer(topology.app, name="topology")
app.add_typer(audits.app, name="audit")
app.command("holes")(holes)
app.command("duplicates")(duplicates)
app.command("outbox")(outbox)
app.command("followers")(followers)
app.command("pending")(pending)
app.command("context-map")(context_map)
app.command("call")(call)
app.command("traces")(traces)
app.command("new")(new)
app.command("protos")(protos)
app.command("check")(check)


@app.callback()
def enter() -> None:
    """Event-driven, domain-driven microservices."""
    try:
        find_project().enter()
    except Misconfigured as error:
        typer.echo(f"treaty: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def contexts() -> None:
    """List the bounded contexts that can be run."""
    for name in find_contexts():
        typer.echo(name)


@app.command()
def run(
    names: Annotated[
        list[str], typer.Argument(metavar="CONTEXT...", help="the contexts to run, such as commerce.ordering")
    ],
    role: Annotated[str, typer.Option(help="all, api, followers or consumers; by default TREATY_ROLE")] = "",
) -> None:
    """Run one or several contexts in this process, until SIGTERM."""
    try:
        settings = read_settings(ProcessSettings, {**os.environ, **({"TREATY_ROLE": role} if role else {})})
        configure_logging(level=settings.log_level, format=settings.log_format)
        told: set[str] = set()
        telemetry = {name: start_telemetry(name, os.environ, told=told) for name in names}
        with contextlib.ExitStack() as stack:
            stack.callback(close_together, list(telemetry.values()))
            probes = {name: crashing(found.probe, os.environ) for name, found in telemetry.items()}
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run_until_signal(names, settings, os.environ, probes))
    except (SettingsError, UnknownContext, WiringError) as error:
        typer.echo(f"treaty: {error}", err=True)
        raise typer.Exit(2) from None
    except StoreAway as error:
        typer.echo(f"treaty: the store cannot be used: {error}", err=True)
        raise typer.Exit(1) from None
