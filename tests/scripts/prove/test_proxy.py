"""The proxy passes bytes on, and delays, swallows or cuts them when it is told to."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from treaty.testing import eventually

from scripts.lib.prove.proxy import Proxy, proxy


@pytest.fixture
async def echo() -> AsyncIterator[Proxy]:
    """A proxy in front of a server that sends back what it gets."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(100):
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with proxy(lambda: port) as made:
        yield made
    server.close()


async def test_bytes_get_there_and_back(echo: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    for text in (b"one", b"two"):
        writer.write(text)
        assert await reader.readexactly(3) == text
    writer.close()


async def test_what_is_swallowed_is_gone_and_nobody_is_told(echo: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", echo.port)
    writer.write(b"one")
    assert await reader.readexactly(3) == b"one"
    echo.silent = True
    writer.write(b"lost")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await reader.readexactly(1)
    assert not reader.at_eof()
    writer.close()


async def test_a_cut_breaks_every_connection(echo: Proxy) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", echo.port) for _ in range(3)]
    for reader, writer in opened:
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
    echo.cut()
    for reader, writer in opened:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()
    await eventually(lambda: not echo._writers)


async def test_where_nobody_listens_the_connection_breaks() -> None:
    async with proxy(lambda: 1) as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        writer.close()


@pytest.mark.parametrize(("mute", "answered"), [(True, b""), (False, b"heard")])
async def test_a_mute_proxy_drops_only_the_answers(mute: bool, answered: bytes) -> None:
    received = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readexactly(5))
        writer.write(received)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with proxy(lambda: port) as made:
        made.mute = mute
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(b"heard")
        assert await reader.read() == answered
        assert received == b"heard"
        writer.close()
    server.close()
