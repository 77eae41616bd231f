"""A service process of the proof. Usage: serve CONTEXT, with the usual settings of a service in its environment.

The context is one of the proof's own, or one of `services`.
"""

import asyncio
import os
import sys

import uvloop
from treaty.probes import NoProbe
from treaty.process.crashes import crashing
from treaty.process.main import run_until_signal
from treaty.service.contexts import load_context
from treaty.settings import ProcessSettings, read_settings
from treaty.telemetry.logs import configure_logging

from scripts.lib.prove.ground import CONTEXTS, load


def main() -> None:
    name = sys.argv[1]
    settings = read_settings(ProcessSettings, os.environ)
    configure_logging(level=settings.log_level, format=settings.log_format)
    probes = {name: crashing(NoProbe(), os.environ)}
    found = load if name in CONTEXTS else load_context
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run_until_signal([name], settings, os.environ, probes, load=found))


if __name__ == "__main__":
    main()
