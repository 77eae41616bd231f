"""The operations of every server for development, and the errors of a server that cannot be started."""

from pathlib import Path
from typing import Protocol


class Unavailable(Exception):
    """This machine cannot run the server in this way; the message names the missing part."""


class Failed(Exception):
    """A server did not start; the message names the place where a person can find the reason."""


class Server(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def variable(self) -> str:
        """The environment variable in which programs find the address of this server."""

    @property
    def folder(self) -> Path:
        """The folder of its data, settings and log, and of nothing else."""

    def uri(self) -> str: ...

    def port(self) -> int | None:
        """Returns the port for clients; None before the first start."""

    def pid(self) -> int | None:
        """Returns the id of its main process; None if this user can see no such process."""

    def running(self) -> bool:
        """Returns whether it was started and has not ended since; it may not be ready yet."""

    def ready(self) -> bool:
        """Returns whether it serves clients now."""

    def prepare(self) -> None:
        """Installs the missing packages, so that it can be started here; raises Unavailable if that is not possible."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Ends it in an orderly way and waits until it is gone."""

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""

    def wipe(self) -> None:
        """Removes all its data. The server must not run."""

    def log_command(self, *, follow: bool) -> list[str]:
        """Returns the command that prints the end of its log."""
