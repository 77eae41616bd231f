"""Runs pytest, with MongoDB and RabbitMQ around it when a selected test needs them: scripts/test.

With --fast it runs the tests that need no server and are not marked slow, on all cores.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from scripts.lib import dev
from scripts.lib.signals import POLITE, interrupt_on_kill
from scripts.lib.test import infra_selected

FAST = "--fast"
_FAST_ONES = "not slow and not infra"
_ALL = ("-n", "auto", "-q", "--max-worker-restart=0")
"""The tests on real servers stay together in one worker: see tests/conftest.py. The end of a worker ends the run: the
worker that replaces it would wait for a second test when only one is left, for ever.
"""


def main() -> int:
    arguments = [argument for argument in sys.argv[1:] if argument != FAST]
    interrupt_on_kill()
    if FAST in sys.argv[1:]:
        wanted = _FAST_ONES
        if "-m" in arguments[:-1]:  # pytest takes only the last one
            at = arguments.index("-m")
            wanted = f"({arguments[at + 1]}) and {_FAST_ONES}"
            del arguments[at : at + 2]
        return _pytest(["-m", wanted, *_ALL, *arguments], os.environ)
    if not arguments:
        arguments = [*_ALL]
    try:
        with ExitStack() as borrowed:
            uris = borrowed.enter_context(dev.borrow()) if _needs_servers(arguments) else {}
            return _pytest(arguments, {**os.environ, **uris})
    except dev.Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _needs_servers(arguments: Sequence[str]) -> bool:
    """Collects the tests to find out, but only where the answer saves a start."""
    if "--collect-only" in arguments or "--co" in arguments:
        return False
    if all(server.running() or os.environ.get(server.variable) for server in dev.servers()):
        return True
    question = [sys.executable, "-m", "pytest", "-p", infra_selected.__name__, *arguments, "--collect-only"]
    return subprocess.run(question, capture_output=True, check=False).returncode == infra_selected.YES


def _pytest(arguments: Sequence[str], env: Mapping[str, str]) -> int:
    """Waits for pytest to end, also after signals: Ctrl-C reaches it by itself, the others are passed on."""
    signal.signal(signal.SIGINT, lambda *_: None)  # before the start: pytest would inherit a SIGINT that is ignored
    with subprocess.Popen([sys.executable, "-m", "pytest", *arguments], env=env) as child:
        for number in POLITE:
            signal.signal(number, lambda *_: child.send_signal(signal.SIGINT))
        code = child.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
