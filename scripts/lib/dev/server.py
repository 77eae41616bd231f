"""What every server for development can do, wherever it runs, and how it says that it cannot be had."""

from pathlib import Path
from typing import Protocol


class Unavailable(Exception):
    """This machine cannot run the server in this way; the message says what is missing."""


class Failed(Exception):
    """A server did not start; the message says where to look."""


class Server(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def variable(self) -> str:
        """The environment variable that names this server to programs."""

    @property
    def folder(self) -> Path:
        """Its data, settings and log; nothing else is in there."""

    def uri(self) -> str: ...

    def port(self) -> int | None:
        """Where clients connect; None before the first start."""

    def pid(self) -> int | None:
        """Its main process; None when there is none that this user can see."""

    def running(self) -> bool:
        """Whether it has been started and not ended since; it may not be ready yet."""

    def ready(self) -> bool:
        """Whether it serves clients now."""

    def prepare(self) -> None:
        """Makes sure that it can be started here, installing what is missing; raises Unavailable otherwise."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Ends it in an orderly way and waits until it is gone."""

    def kill(self) -> None:
        """Ends it the hard way, as a power cut would."""

    def wipe(self) -> None:
        """Removes everything it has stored; it must not run."""

    def log_command(self, *, follow: bool) -> list[str]:
        """The command that prints the end of its log."""
