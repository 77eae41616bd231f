"""A server for development in a container, for machines on which it cannot be started directly."""

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.dev import ports
from scripts.lib.dev.server import Failed, Server, Unavailable
from scripts.lib.paths import ROOT

_COMPOSE = ROOT / "scripts" / "compose.yaml"
_PORT_VARIABLES = {"mongodb": "MONGODB_PORT", "rabbitmq": "AMQP_PORT"}
_PORT_NAMES = {"mongodb": "mongodb", "rabbitmq": "amqp"}


@dataclass(frozen=True, slots=True)
class Container:
    """Replaces `direct`, with the same name, folder and address; a service of scripts/compose.yaml runs the server."""

    direct: Server

    @property
    def name(self) -> str:
        return self.direct.name

    @property
    def variable(self) -> str:
        return self.direct.variable

    @property
    def folder(self) -> Path:
        return self.direct.folder

    @property
    def chosen(self) -> bool:
        """Whether an earlier start chose the container for this server."""
        return (self.folder / "container").exists()

    def uri(self) -> str:
        return self.direct.uri()

    def port(self) -> int | None:
        return self.direct.port()

    def pid(self) -> int | None:
        return None

    def running(self) -> bool:
        return bool(self._compose("ps", "--quiet", "--status", "running", self.name).strip())

    def ready(self) -> bool:
        return self.direct.ready()

    def prepare(self) -> None:
        if not _answers("docker", "info") or not _answers("docker", "compose", "version"):
            raise Unavailable("no Docker engine with the compose plugin answers")
        (self.folder / "container").touch()

    def start(self) -> None:
        ports.settle(self.folder / "ports.json", [_PORT_NAMES[self.name]])
        self._compose("up", "--detach", self.name)

    def stop(self) -> None:
        self._compose("stop", self.name)

    def kill(self) -> None:
        self._compose("kill", self.name)

    def wipe(self) -> None:
        self._compose("rm", "--force", "--stop", self.name)
        subprocess.run(["docker", "volume", "rm", f"{self._project()}_{self.name}"], capture_output=True, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_command(self, *, follow: bool) -> list[str]:
        following = ["--follow"] if follow else []
        return [*self._command(), "logs", "--tail", "100", *following, self.name]

    def execute(self, *command: str) -> str:
        """Returns the output of a command that runs inside the container."""
        return self._compose("exec", "--no-TTY", self.name, *command)

    def _command(self) -> list[str]:
        return ["docker", "compose", "--project-name", self._project(), "--file", str(_COMPOSE)]

    def _project(self) -> str:
        return f"treaty-{hashlib.sha256(str(self.folder.parent).encode()).hexdigest()[:8]}"

    def _compose(self, *arguments: str) -> str:
        port = {_PORT_VARIABLES[self.name]: str(self.port())} if self.port() else {}
        finished = subprocess.run(
            [*self._command(), *arguments], env={**os.environ, **port}, capture_output=True, text=True, check=False
        )
        if finished.returncode:
            raise Failed(f"`docker compose {' '.join(arguments)}` failed:\n{finished.stderr.strip()}")
        return finished.stdout


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
