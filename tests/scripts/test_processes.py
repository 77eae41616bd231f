"""A service that does not start is said at once, with the end of its output."""

import os
from pathlib import Path

import pytest

from scripts.lib.dev.ports import free_ports
from scripts.lib.processes import DidNotStart, service


async def test_a_service_that_ends_before_it_is_ready_is_said_at_once_with_its_output(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    arguments = ["-c", "print('the port is taken'); raise SystemExit(3)"]
    with pytest.raises(DidNotStart, match=r"(?s)ended with 3.*the port is taken"):
        async with service("shop", arguments, os.environ, tmp_path, address):
            pytest.fail("it is not ready")


def test_ports_are_below_those_of_outgoing_connections() -> None:
    outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(port < outgoing for port in free_ports(50))
