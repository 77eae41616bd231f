"""The stand-in for the base image, where no registry can be reached: the same Debian, from its packages."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_RELEASE = "bookworm"
_PACKAGES = ("ca-certificates", "python3.11", "python3.11-venv", "python3-distutils")
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""The authorities that this machine trusts, so that pip works in the base as it does here."""


class NoBase(Exception):
    """The base cannot be made; the message gives the reason."""


def make_base(tool: Sequence[str], environ: Mapping[str, str], folder: Path, dockerfile: Path) -> None:
    """Makes the image that the Dockerfile begins with, unless it is in the store already.

    Raises:
        NoBase
    """
    name = re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)[0]
    image = f"docker.io/library/{name}"
    if _ended_well([*tool, "inspect", "--type", "image", image], environ):
        return
    if not name.startswith("python:3.11-") or _RELEASE not in name:
        raise NoBase(f"the stand-in is Python 3.11 on {_RELEASE}, and the Dockerfile begins with {name}")
    tree, log = folder / "base", folder / "base.log"
    shutil.rmtree(tree, ignore_errors=True)
    path = {**environ, "PATH": f"{environ['PATH']}:/usr/sbin:/sbin"}
    options = ["--variant=minbase", f"--include={','.join(_PACKAGES)}", _RELEASE]
    with log.open("wb") as output:
        made = subprocess.run(["debootstrap", *options, tree], env=path, stdout=output, stderr=output, check=False)
    if made.returncode != 0:
        raise NoBase(f"debootstrap failed (see {log}): {' '.join(log.read_text().splitlines()[-1:])}")
    (tree / "usr/bin/python").symlink_to("python3.11")
    if _CERTIFICATES.exists():
        shutil.copy(_CERTIFICATES, tree / _CERTIFICATES.relative_to("/"))
    container = _said([*tool, "from", "scratch"], environ)
    for command in (
        ["add", "-q", container, str(tree), "/"],
        ["commit", "-q", "--format", "docker", container, image],
        ["rm", container],
    ):
        _said([*tool, *command], environ)
    shutil.rmtree(tree)


def _ended_well(command: Sequence[str], environ: Mapping[str, str]) -> bool:
    return subprocess.run(command, env=dict(environ), capture_output=True, check=False).returncode == 0


def _said(command: Sequence[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoBase(f"{os.path.basename(command[0])} failed: {done.stderr.strip()}")  # noqa: PTH119 - a command
    return done.stdout.strip()
