"""URLs that came from outside: no name and no notation reaches an address that is not public."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientConnectorError, ClientSession, InvalidURL, web
from treaty.web import Forbidden, ForeignUrls

PUBLIC, PRIVATE = ForeignUrls(), ForeignUrls(private=True, plain=True)

NOT_PUBLIC = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "169.254.169.254"),
    *("192.0.0.192", "168.63.129.16", "100.100.100.200", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0:127.0.0.1", "fe80::1"),
    *("fec0::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1", "2002:7f00:1::", "2002:a9fe:a9fe::"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2001::1", "2001:db8::1", "100::1"),
    *("fe80::1%eth0", "2606::1%lo"),
]
NO_ADDRESS = ["2130706433", "127.1", "0177.0.0.1", "127.0.0.01", "1.1.1.1.1"]


def url_of(address: str) -> str:
    return f"https://[{address}]/hook" if ":" in address else f"https://{address}/hook"


@pytest.mark.parametrize("address", NOT_PUBLIC + NO_ADDRESS)
def test_an_address_that_is_not_public_is_refused_in_any_notation(address: str) -> None:
    with pytest.raises(Forbidden):
        PUBLIC.check_address(address)
    with pytest.raises(Forbidden):
        PUBLIC.check(url_of(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_taken(address: str) -> None:
    PUBLIC.check_address(address)
    PUBLIC.check(url_of(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "::1", "fc00::1", "8.8.8.8", "::ffff:10.0.0.1"])
def test_private_networks_can_be_allowed(address: str) -> None:
    PRIVATE.check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "fd00:ec2::254",
        "0.0.0.0",
        "::",
        "fe80::1",
        "168.63.129.16",
        "64:ff9b::a9fe:a9fe",
        "224.0.0.1",
    ],
)
def test_metadata_stays_forbidden_where_private_networks_are_allowed(address: str) -> None:
    with pytest.raises(Forbidden):
        PRIVATE.check_address(address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://example.com/", "https://"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://ann:secret@example.com/", "user or a password"),
        ("https://ann@example.com/", "user or a password"),
        ("https://@example.com/", "user or a password"),
        ("https:///hook", "not a URL"),
        ("https://", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://example.com:99999/", "not a URL"),
        ("https://example.com\\@127.0.0.1/", "not a URL"),
        ("https://example.com/\r\nx: y", "not a URL"),
    ],
)
def test_a_url_with_other_parts_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(Forbidden, match=why) as refused:
        PUBLIC.check(url)
    assert "example.com" not in str(refused.value)


def test_http_can_be_allowed() -> None:
    PRIVATE.check("http://example.com/")
    with pytest.raises(Forbidden, match="http://"):
        PRIVATE.check("ftp://example.com/")


class Names:
    """A resolver that returns the next of its addresses each time that it is asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = list(addresses), 0

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        address = self.addresses[min(self.asked, len(self.addresses) - 1)]
        self.asked += 1
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [{"hostname": host, "host": address, "port": port, "family": kind, "proto": 0, "flags": 0}]

    async def close(self) -> None: ...


def resolving(session: ClientSession, names: Names) -> ClientSession:
    session.connector._resolver = names  # type: ignore[union-attr]
    return session


@asynccontextmanager
async def receiver(answer: Any) -> AsyncIterator[int]:
    """Serves HTTP on loopback inside the block; yields the port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def ok(request: web.Request) -> web.Response:
    return web.Response(text=request.headers.get("cookie", ""), headers={"set-cookie": "a=b"})


async def status_of(session: ClientSession, url: str) -> int:
    async with session.post(url, data=b"{}", allow_redirects=False) as answer:
        return answer.status


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "127.1", "0x7f000001", "0177.0.0.1", "localhost"])
async def test_a_session_reaches_nothing_that_is_not_public_even_if_the_url_was_not_checked(host: str) -> None:
    async with receiver(ok) as port, PUBLIC.session(seconds=5) as session:
        with pytest.raises((Forbidden, InvalidURL)):
            await status_of(session, f"http://{host}:{port}/")


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "10.1.2.3"])
async def test_a_name_that_resolves_to_an_address_that_is_not_public_is_refused(address: str) -> None:
    async with receiver(ok) as port, resolving(PUBLIC.session(seconds=5), Names(address)) as session:
        with pytest.raises(Forbidden, match="not public"):
            await status_of(session, f"http://hooks.example.com:{port}/")


async def test_a_name_is_resolved_once_for_each_call_and_the_checked_address_is_the_called_one() -> None:
    names = Names("127.0.0.1", "169.254.169.254")
    async with receiver(ok) as port, resolving(PRIVATE.session(seconds=5), names) as session:
        assert await status_of(session, f"http://hooks.example.com:{port}/") == 200
        assert names.asked == 1
        with pytest.raises(Forbidden):
            await status_of(session, f"http://hooks.example.com:{port}/")
        assert names.asked == 2


async def test_a_session_keeps_no_cookie() -> None:
    async with receiver(ok) as port, resolving(PRIVATE.session(seconds=5), Names("127.0.0.1")) as session:
        for _ in range(2):
            async with session.get(f"http://hooks.example.com:{port}/") as answer:
                assert await answer.text() == ""


async def test_an_answer_without_an_end_does_not_hold_a_call_up() -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        answer = web.StreamResponse()
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await answer.write(b"x" * 65_536)
                sent += 65_536
        return answer

    async with receiver(endless) as port, PRIVATE.session(seconds=60) as session:
        assert await status_of(session, f"http://127.0.0.1:{port}/") == 200
    assert sent < 50_000_000  # what the buffers of two sockets and of the server take


async def test_a_receiver_that_says_nothing_ends_a_call_after_its_time() -> None:
    async def silent(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async with receiver(silent) as port, PRIVATE.session(seconds=0.1) as session:
        with pytest.raises(TimeoutError):
            await status_of(session, f"http://127.0.0.1:{port}/")


async def test_a_receiver_that_is_not_there_is_no_matter_of_these_rules() -> None:
    async with PRIVATE.session(seconds=5) as session:
        with pytest.raises(ClientConnectorError):
            await status_of(session, "http://127.0.0.1:9/")
