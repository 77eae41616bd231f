"""The HTTP port: no connection stays open without a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from treaty.probes import NoProbe
from treaty.surroundings import Surroundings
from treaty.web import server
from treaty.web.server import WebhookServer
from treaty.web.webhooks import Webhook

REQUEST = b"POST /webhooks/carrier HTTP/1.1\r\nhost: shipping\r\ncontent-length: 2\r\n\r\n{}"


async def _ignore(body: bytes) -> None:
    pass


@asynccontextmanager
async def serving() -> AsyncIterator[int]:
    hook = Webhook("/webhooks/carrier", "hush", _ignore)
    serving = WebhookServer(
        [(hook, NoProbe())], host="127.0.0.1", port=0, clock=Surroundings().clock, unread=10, patience=0.1
    )
    await serving.start()
    try:
        yield serving.port
    finally:
        await serving.stop()


@pytest.mark.parametrize("behind", [b"", REQUEST, REQUEST * 3])
@pytest.mark.parametrize("half", [REQUEST[:-1], REQUEST[:20]], ids=["body", "headers"])
async def test_half_a_request_is_given_up_also_behind_another_one(
    monkeypatch: pytest.MonkeyPatch, behind: bytes, half: bytes
) -> None:
    monkeypatch.setattr(server, "_IDLE_SECONDS", 0.2, raising=False)
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(behind + half)
        answers = b""
        try:
            async with asyncio.timeout(5.0):
                with suppress(ConnectionError):
                    while got := await reader.read(65_536):
                        answers += got
        finally:
            writer.close()
        assert answers.count(b"HTTP/1.1 401") == behind.count(b"POST")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_a_body_is_what_was_sent_however_its_sender_calls_that(
    caplog: pytest.LogCaptureFixture, encoding: str
) -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST.replace(b"host:", f"content-encoding: {encoding}\r\nhost:".encode()))
        async with asyncio.timeout(10):
            assert (await reader.readline()).startswith(b"HTTP/1.1 401")
        writer.close()
    assert not caplog.records


@pytest.mark.parametrize("slow", [False, True], ids=["closed", "too slow"])
async def test_a_sender_that_gives_up_leaves_no_error_in_the_log(caplog: pytest.LogCaptureFixture, slow: bool) -> None:
    async with serving() as port:
        for _ in range(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(REQUEST[:-1])
            await writer.drain()
            await asyncio.sleep(0.02)
            if slow:
                with suppress(ConnectionError):
                    await reader.read()
            writer.close()
        await asyncio.sleep(0.1)
    assert not [record.getMessage() for record in caplog.records if record.name.startswith("aiohttp")]
