"""The command line of the servers for development: scripts/dev."""

import os
import subprocess
import sys
from enum import StrEnum
from typing import Annotated

import typer

from scripts.lib import dev
from scripts.lib.signals import interrupt_on_kill

app = typer.Typer(help=dev.__doc__, add_completion=False, pretty_exceptions_enable=False)


class Name(StrEnum):
    MONGODB = "mongodb"
    RABBITMQ = "rabbitmq"


@app.command()
def up() -> None:
    """Start the servers that do not run yet, wait until they are ready, and write .dev/env."""
    dev.up()
    dev.keep()
    status()


@app.command()
def down(*, wipe: Annotated[bool, typer.Option("--wipe", help="Remove their data too.")] = False) -> None:
    """End the servers and wait until they are gone."""
    dev.down(wipe=wipe)


@app.command()
def status() -> None:
    """Show the process, the port, the state and the folder of each server."""
    for row in [("SERVER", "PID", "PORT", "READY", "DATA"), *map(_row, dev.status())]:
        print("{:<10}{:<9}{:<7}{:<7}{}".format(*row))
    for server in dev.servers():
        if os.environ.get(server.variable):
            print(f"{server.variable} is set in the environment and is used instead of this {server.name}.")


@app.command()
def env() -> None:
    """Print the exports of .dev/env, to be used as: eval "$(scripts/dev env)"."""
    exports = dev.env_file().read_text() if dev.env_file().exists() else ""
    if not exports and not all(os.environ.get(server.variable) for server in dev.servers()):
        sys.exit("scripts/dev: no server runs here; start them: scripts/dev up")
    print(exports, end="")


@app.command()
def logs(
    name: Annotated[Name | None, typer.Argument(help="The server; without it, both.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Keep printing new lines.")] = False,
) -> None:
    """Print the end of the servers' logs."""
    wanted = [server for server in dev.servers() if name in (None, server.name)]
    readers = [subprocess.Popen(server.log_command(follow=follow)) for server in wanted]
    for reader in readers:
        reader.wait()


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def rabbitmqctl(context: typer.Context) -> None:
    """Run rabbitmqctl against this broker: scripts/dev rabbitmqctl list_queues."""
    print(dev.rabbitmqctl(*context.args), end="")


def _row(line: dev.Status) -> tuple[str, str, str, str, str]:
    return (line.server, str(line.pid or "-"), str(line.port or "-"), "yes" if line.ready else "no", str(line.folder))


def main() -> None:
    interrupt_on_kill()
    try:
        app(prog_name=os.environ.get("TREATY_COMMAND", "scripts/dev"))
    except dev.Failed as failure:
        sys.exit(str(failure))
    except subprocess.CalledProcessError as failure:
        sys.exit(failure.returncode)  # rabbitmqctl has printed the reason itself


if __name__ == "__main__":
    main()
