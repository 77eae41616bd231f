"""The tools that build and run an image: Docker, or buildah where there is no Docker engine."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from scripts.lib.dev.packages import install
from scripts.lib.image.base import make_base
from scripts.lib.paths import ROOT

DOCKERFILE = ROOT / "k8s/Dockerfile"
FOLDER = ROOT / ".dev/image"


class Failed(Exception):
    """A tool ended with an error; the message has its last lines."""


class Builder(Protocol):
    """Builds images and runs containers of them on the network of this machine."""

    def build(self, target: str) -> None:
        """Builds a stage of the Dockerfile as `treaty:<stage>`. Raises Failed."""
        ...

    def container(self, target: str, environ: Mapping[str, str]) -> "Container":
        """Makes a container of an image."""
        ...


class Container(Protocol):
    """A container that is not running yet."""

    def command(self, arguments: Sequence[str], *, entrypoint: bool = True) -> Sequence[str]:
        """Returns the command that runs something in the container: the image's entrypoint, or a program alone."""
        ...

    def change(self, path: str, text: str) -> None:
        """Appends a text to a file of the container."""
        ...

    def remove(self) -> None: ...


def run(*command: str | Path, environ: Mapping[str, str] = os.environ, log: Path | None = None) -> str:
    """Runs a tool and returns its output; `log` gets everything that it says.

    Raises:
        Failed
    """
    done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if log is not None:
        with log.open("a") as file:
            file.write(said)
    if done.returncode != 0:
        raise Failed(f"{Path(command[0]).name} failed:\n" + "\n".join(said.splitlines()[-20:]))
    return done.stdout.strip()


def has_docker() -> bool:
    """Returns whether a Docker engine answers."""
    return shutil.which("docker") is not None and (
        subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0
    )


@contextmanager
def builder() -> Iterator[Builder]:
    """Yields the builder of this machine.

    Raises:
        Unavailable: if there is no Docker engine, and buildah cannot be installed.
        Failed: if the base cannot be made.
    """
    if has_docker():
        yield Docker()
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for tool in ("buildah", "debootstrap"):
        if shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            install(tool, log=FOLDER / "packages.log")
    buildah = Buildah()
    make_base(buildah.tool, buildah.environ, FOLDER, DOCKERFILE)
    yield buildah


class Docker:
    """Images of the Docker engine."""

    def build(self, target: str) -> None:
        run("docker", "build", "-f", DOCKERFILE, "--target", target, "-t", f"treaty:{target}", ROOT)

    def container(self, target: str, environ: Mapping[str, str]) -> Container:
        return DockerContainer(target, environ)


class DockerContainer:
    def __init__(self, target: str, environ: Mapping[str, str]) -> None:
        self._target, self._environ, self._name = target, environ, f"treaty-{uuid.uuid4().hex[:8]}"

    def command(self, arguments: Sequence[str], *, entrypoint: bool = True) -> Sequence[str]:
        given = [part for name, value in self._environ.items() for part in ("-e", f"{name}={value}")]
        program = [] if entrypoint else ["--entrypoint", arguments[0]]
        rest = arguments if entrypoint else arguments[1:]
        name = [] if not entrypoint else ["--name", self._name]
        return ["docker", "run", "--rm", "--network", "host", *name, *given, *program, f"treaty:{self._target}", *rest]

    def change(self, path: str, text: str) -> None:
        run("docker", "exec", self._name, "sh", "-c", f"printf '%s' \"$1\" >> {path}", "sh", text)

    def remove(self) -> None:
        subprocess.run(["docker", "rm", "--force", self._name], capture_output=True, check=False)


class Buildah:
    """Images in a store of this checkout. Containers share the network of this machine, and have its root as root."""

    tool: Sequence[str] = ("buildah", "--root", str(FOLDER / "store"), "--runroot", str(FOLDER / "run"))

    @property
    def environ(self) -> Mapping[str, str]:
        return {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def build(self, target: str) -> None:
        options = ["--pull-never", "--format", "docker", "--network", "host", "--target", target]
        command = [*self.tool, "build", *options, "-f", str(DOCKERFILE), "-t", f"treaty:{target}", str(ROOT)]
        run(*command, environ=self.environ, log=FOLDER / "build.log")

    def container(self, target: str, environ: Mapping[str, str]) -> Container:
        return BuildahContainer(self, target, environ)


class BuildahContainer:
    def __init__(self, buildah: Buildah, target: str, environ: Mapping[str, str]) -> None:
        self._tool, self._environ, self._given = buildah.tool, buildah.environ, environ
        image = f"localhost/treaty:{target}"
        self._name = run(*self._tool, "from", "--pull-never", image, environ=self._environ)
        self._config = json.loads(run(*self._tool, "inspect", "--type", "image", image, environ=self._environ))

    def command(self, arguments: Sequence[str], *, entrypoint: bool = True) -> Sequence[str]:
        given = [part for name, value in self._given.items() for part in ("--env", f"{name}={value}")]
        program = self._config["OCIv1"]["config"]["Entrypoint"] if entrypoint else []
        store = ["env", *(f"{name}={self._environ[name]}" for name in ("STORAGE_DRIVER", "BUILDAH_ISOLATION"))]
        return [*store, *self._tool, "run", *given, self._name, "--", *program, *arguments]

    def change(self, path: str, text: str) -> None:
        mounted = Path(run(*self._tool, "mount", self._name, environ=self._environ))
        with (mounted / path.removeprefix("/")).open("a") as file:
            file.write(text)

    def remove(self) -> None:
        subprocess.run([*self._tool, "rm", self._name], env=dict(self._environ), capture_output=True, check=False)
