"""RabbitMQ for development: Debian's package, run as the current user with its own node, epmd and folders."""

import hashlib
import secrets
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.dev import packages, ports, processes

PACKAGE = "rabbitmq-server"
PLUGINS = ("rabbitmq_consistent_hash_exchange",)

MAX_MESSAGE_SIZE = 4 << 20
"""Bytes. The broker refuses a larger message when it is published."""

_BIN = Path("/usr/lib/rabbitmq/bin")  # the programs themselves; the scripts in sbin need a system user
_BEAM = "beam.smp"
_PORTS = ("amqp", "dist", "epmd")

# The alarm at 50 MB of free disk is RabbitMQ's own default; the smaller write-ahead log keeps its memory small.
_CONFIG = """\
listeners.tcp.local = {host}:{amqp}
disk_free_limit.absolute = 50MB
max_message_size = {largest}
raft.wal_max_size_bytes = 64000000
log.file.level = info
log.console = false
"""

_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"  # the broker's first frame is the method connection.start


@dataclass(frozen=True, slots=True)
class RabbitMQ:
    folder: Path
    name: str = "rabbitmq"
    variable: str = "AMQP_URL"
    plugins: Sequence[str] = PLUGINS
    settings: str = ""

    @property
    def log(self) -> Path:
        return self.folder / "rabbitmq.log"

    def uri(self) -> str:
        return f"amqp://guest:guest@{ports.HOST}:{self.port()}/"

    def port(self) -> int | None:
        return ports.remembered(self.folder / "ports.json").get("amqp")

    def pid(self) -> int | None:
        return next((process.pid for process in processes.named(_BEAM, processes.owned(self.folder))), None)

    def running(self) -> bool:
        """Returns whether the broker runs. An epmd alone does not count: it outlives a broker that was killed."""
        return any(process.name != "epmd" for process in processes.owned(self.folder))

    def ready(self) -> bool:
        port = self.port()
        if port is None or not greets(port):
            return False
        self._booted.touch()
        return True

    def prepare(self) -> None:
        if not (_BIN / "rabbitmq-server").exists():
            packages.install(PACKAGE, log=self.log)
            packages.keep_off_at_boot("rabbitmq-server", "epmd.socket", "epmd.service")

    def start(self) -> None:
        processes.kill(self.folder)  # an epmd that outlived its broker holds our port
        settled = ports.settle(self.folder / "ports.json", _PORTS)
        self._write_settings(settled["amqp"])
        environment = self._environment(settled)
        processes.spawn(
            [str(_BIN / "rabbitmq-server")], mark=self.folder, log=self.folder / "server.out", env=environment
        )

    def stop(self) -> None:
        processes.stop(self.folder, _BEAM)

    def kill(self) -> None:
        processes.kill(self.folder)

    def wipe(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_command(self, *, follow: bool) -> list[str]:
        return processes.tail(self.log, follow=follow)

    def ctl(self, *arguments: str) -> str:
        """Returns the output of rabbitmqctl for these arguments; raises CalledProcessError if it fails."""
        env = {**processes.surroundings(), **self._environment(ports.remembered(self.folder / "ports.json"))}
        command = [str(_BIN / "rabbitmqctl"), "--quiet", *arguments]
        return subprocess.run(command, env=env, cwd=self.folder, stdout=subprocess.PIPE, text=True, check=True).stdout

    @property
    def _booted(self) -> Path:
        return self.folder / "booted"

    def _write_settings(self, amqp: int) -> None:
        config = _CONFIG.format(host=ports.HOST, amqp=amqp, largest=MAX_MESSAGE_SIZE) + self.settings
        (self.folder / "rabbitmq.conf").write_text(config)
        (self.folder / "advanced.config").write_text("[].\n")
        (self.folder / "enabled_plugins").write_text(f"[{','.join(self.plugins)}].\n")
        cookie = self.folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16))

    def _environment(self, settled: dict[str, int]) -> dict[str, str]:
        """Returns the settings that would otherwise come from /etc/rabbitmq, /var/lib/rabbitmq or the user's home."""
        return {
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": ports.HOST,
            "ERL_EPMD_PORT": str(settled["epmd"]),
            "RABBITMQ_NODENAME": self._node(),
            "RABBITMQ_DIST_PORT": str(settled["dist"]),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": str(self.log),
            "RABBITMQ_PID_FILE": str(self.folder / "rabbitmq.pid"),
            # Unbound schedulers: otherwise several brokers on one machine would use the same cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +stbt u",
        }

    def _node(self) -> str:
        return f"treaty-{hashlib.sha256(str(self.folder).encode()).hexdigest()[:8]}@localhost"


def greets(port: int) -> bool:
    """Returns whether a broker answers the AMQP handshake. A broker does so only after it has started completely."""
    try:
        with socket.create_connection((ports.HOST, port), timeout=1) as connection:
            connection.sendall(_AMQP_HEADER)
            return connection.recv(1) == _METHOD_FRAME
    except OSError:
        return False
