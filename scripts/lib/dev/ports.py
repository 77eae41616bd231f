"""Assigns free loopback ports to the servers of a checkout and stores them, so that a restart keeps the address."""

import json
import random
import socket
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections, so that no such connection uses our ports.
_RANGE = range(20_000, 32_000)


def remembered(file: Path) -> dict[str, int]:
    """Returns the ports stored in this file; empty if there are none yet."""
    with suppress(OSError, ValueError):
        ports: dict[str, int] = json.loads(file.read_text())
        return ports
    return {}


def settle(file: Path, names: Sequence[str]) -> dict[str, int]:
    """Returns the stored ports if all of them are free; otherwise stores new ones and returns them."""
    ports = remembered(file)
    if set(ports) != set(names) or not all(map(is_free, ports.values())):
        ports = dict(zip(names, free_ports(len(names), but=_taken_beside(file)), strict=True))
        file.write_text(json.dumps(ports))
    return ports


def free_ports(count: int, but: Collection[int] = ()) -> list[int]:
    """Returns ports on which no process listens now, and which no outgoing connection will use."""
    candidates = (port for port in random.sample(_RANGE, len(_RANGE)) if port not in but)
    return [next(port for port in candidates if is_free(port)) for _ in range(count)]


def _taken_beside(file: Path) -> set[int]:
    """Returns the ports of this checkout's other servers, which may be starting at the same moment."""
    neighbours: Iterable[Path] = file.parent.parent.glob(f"*/{file.name}")
    return {port for neighbour in neighbours for port in remembered(neighbour).values()}


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
