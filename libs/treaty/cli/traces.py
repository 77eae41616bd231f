"""`treaty traces`: receives traces over OTLP/gRPC, and prints each as a tree."""

import asyncio
import contextlib
from typing import Annotated

import typer
from rich.console import Console

from treaty.cli.context import fail
from treaty.telemetry.receiver import TraceReceiver, quiet_traces
from treaty.telemetry.tree import heading, table


def traces(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="the port; 0 for a free one")] = 4317,
    host: Annotated[str, typer.Option("--host", help="the interface")] = "127.0.0.1",
    quiet: Annotated[float, typer.Option("--quiet", min=0.01, help="seconds without a new span before printing")] = 2.0,
) -> None:
    """Print each trace that services export, until Ctrl-C: start them with OTEL_EXPORTER_OTLP_ENDPOINT set to here."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_print(host, port, quiet))


async def _print(host: str, port: int, quiet: float) -> None:
    console = Console()
    try:
        async with TraceReceiver(port, host=host) as receiver:
            console.print(f"listening on {host}:{receiver.port}", highlight=False)
            async for spans in quiet_traces(receiver, quiet):
                console.print()
                console.print(heading(spans))
                console.print(table(spans))
    except RuntimeError as error:
        fail(f"cannot listen on {host}:{port}, which another process may use: {error}")
