"""Installs Debian packages if this user is allowed to, without letting them start a service."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.lib.dev.server import Unavailable

# Debian runs this program before a package starts or stops a service; the exit code 101 forbids it.
_POLICY = Path("/usr/sbin/policy-rc.d")
_FORBID = (
    "#!/bin/sh\n# Placed for the time of one installation, so that it starts no service; may be deleted.\nexit 101\n"
)


def install(package: str, *, log: Path) -> None:
    """Installs the package.

    Raises:
        Unavailable: if that is not possible; the message names the command for a person to run, or the log.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable(f"the package {package} is missing (`sudo apt-get install {package}`)")
    print(f"Installing the Debian package {package} ...", file=sys.stderr, flush=True)
    with services_stay_off(_POLICY), log.open("ab") as output:
        _apt(["update"], output.fileno())  # fails without a network; the present lists may be enough
        done = _apt(["install", "--no-install-recommends", package], output.fileno())
    if not done:
        raise Unavailable(f"apt-get could not install {package} (see {log})")


def _apt(arguments: list[str], output: int) -> bool:
    command = ["apt-get", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=300", *arguments]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    finished = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False)
    return finished.returncode == 0


@contextmanager
def services_stay_off(policy: Path) -> Iterator[None]:
    """Forbids packages to start services inside the block. An earlier policy is restored afterwards."""
    if _forbids(policy):
        yield
        return
    aside = policy.with_name(f"{policy.name}.aside")
    if policy.exists():
        policy.rename(aside)
    try:
        policy.write_text(_FORBID)
        policy.chmod(0o755)
        yield
    finally:
        policy.unlink(missing_ok=True)
        if aside.exists():
            aside.rename(policy)


def _forbids(policy: Path) -> bool:
    if not policy.exists():
        return False
    return subprocess.run([policy, "rabbitmq-server", "start"], capture_output=True, check=False).returncode == 101


def keep_off_at_boot(*services: str) -> None:
    """Disables the services that a package enabled for the next boot. Does nothing if systemd is not installed."""
    if systemctl := shutil.which("systemctl"):
        subprocess.run([systemctl, "disable", "--quiet", *services], capture_output=True, check=False)
