"""Whatever is spoken on the port that is no gRPC, or is spoken too slowly, everybody else is served."""

import asyncio
import contextlib
import random
import struct
from typing import Any

import pytest
from treaty.testing.world import World

from tests.fuzz.test_calls import works

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


async def spoken(world: World, data: bytes, *, wait: bool = True) -> None:
    """Opens a connection, says something, and listens until the server hangs up or has nothing to say."""
    assert world.host.server is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", world.host.server.port)
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(data)
        await writer.drain()
        if wait:
            async with asyncio.timeout(0.05):
                while await reader.read(65_536):
                    pass
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _frames(chance: random.Random) -> bytes:
    frames = [
        frame(chance.randrange(16), chance.randrange(256), chance.randrange(8), chance.randbytes(chance.randrange(60)))
        for _ in range(chance.randint(1, 12))
    ]
    return PREFACE + frame(4, 0, 0, b"") + b"".join(frames)


async def test_noise_on_the_port_harms_nobody(world: World, unheard: list[Any]) -> None:
    chance = random.Random(11)
    for _ in range(60):
        await spoken(world, chance.randbytes(chance.choice((1, 30, 3000))))
        await spoken(world, _frames(chance))
    await spoken(world, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await spoken(world, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + chance.randbytes(400))
    assert await works(world)
    assert unheard == []


async def test_a_wrong_content_type_is_refused(world: World) -> None:
    block = b"\x83\x86\x04\x01/\x01\x01x\x0f\x10\x09text/html"
    await spoken(world, PREFACE + frame(4, 0, 0, b"") + frame(1, 5, 1, block))
    assert await works(world)


async def test_clients_that_open_and_say_nothing_hold_nobody_up(world: World) -> None:
    assert world.host.server is not None
    open_ = [await asyncio.open_connection("127.0.0.1", world.host.server.port) for _ in range(200)]
    for number, (_, writer) in enumerate(open_):
        writer.write((PREFACE + frame(4, 0, 0, b"") + frame(1, 0, 1, b"\x83"))[: number % 60])
    assert await works(world)
    for _, writer in open_:
        writer.close()
    assert await works(world)


async def test_a_flood_of_resets_harms_nobody(world: World, unheard: list[Any]) -> None:
    path = b"/commerce.inventory.v1.InventoryService/GetStock"
    block = b"\x83\x86\x04" + bytes([len(path)]) + path + b"\x01\x01x\x0f\x10\x10application/grpc\x00\x02te\x08trailers"
    resets = b"".join(frame(1, 4, 2 * n + 1, block) + frame(3, 0, 2 * n + 1, b"\0\0\0\x08") for n in range(500))
    await spoken(world, PREFACE + frame(4, 0, 0, b"") + resets)
    assert await works(world)
    assert unheard == []
