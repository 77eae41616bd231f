"""Makes SIGTERM and SIGHUP (a closed terminal) end a program as Ctrl-C does, so that its finally blocks run."""

import signal
from types import FrameType

POLITE = (signal.SIGTERM, signal.SIGHUP)


def interrupt_on_kill() -> None:
    for number in POLITE:
        signal.signal(number, _interrupt)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)
