"""Frames of our own are those that the client library reads, and are written once for each turn of the loop."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiormq.abc import ChannelFrame
from aiormq.channel import Channel
from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands, frame
from pamqp.body import ContentBody
from pamqp.header import ContentHeader
from treaty.rabbit.acks import Acks
from treaty.rabbit.frames import FrameWriter, acknowledging, publishing
from treaty.rabbit.properties import persistent

CLOSING = "_Channel__close_event"
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


def _read(data: bytes) -> list[tuple[int, Any]]:
    """Returns the channel and the content of each frame, as the client library reads them."""
    found = []
    while data:
        size, channel, content = frame.unmarshal(data)
        found.append((channel, content))
        data = data[size:]
    return found


@given(channel=st.integers(1, 65535), exchange=NAMES, key=NAMES, size=st.integers(0, 1000), most=st.integers(100, 300))
def test_a_message_is_read_as_it_was_written(channel: int, exchange: str, key: str, size: int, most: int) -> None:
    body = bytes(number % 251 for number in range(size))
    properties = persistent({"name": "value"}, message_id="m", type="t")
    (_, method), (_, header), *parts = found = _read(publishing(channel, exchange, key, properties, body, most))
    assert {number for number, _ in found} == {channel}
    assert isinstance(method, commands.Basic.Publish)
    assert (method.exchange, method.routing_key, method.mandatory, method.immediate) == (exchange, key, True, False)
    assert isinstance(header, ContentHeader)
    assert (header.body_size, header.properties.message_id) == (size, "m")
    assert all(isinstance(part, ContentBody) and len(part.value) <= most for _, part in parts)
    assert b"".join(part.value for _, part in parts) == body


@pytest.mark.parametrize("names", [("e" * 256, "k"), ("e", "k" * 256), ("e", "\ud800")])
def test_a_name_that_fits_in_no_frame_is_refused(names: tuple[str, str]) -> None:
    with pytest.raises(ValueError):
        publishing(1, *names, persistent({}, message_id="m", type="t"), b"", 100)


def test_headers_that_do_not_fit_into_a_frame_are_refused() -> None:
    def frames(value: str) -> bytes:
        return publishing(1, "e", "k", persistent({"name": value}, message_id="m", type="t"), b"body", 1000)

    room = 1000 - _header_size(frames(""))
    assert _header_size(frames("x" * room)) == 1000
    with pytest.raises(ValueError, match="do not fit into a frame"):
        frames("x" * (room + 1))


def _header_size(data: bytes) -> int:
    """Returns the bytes of the payload of a message's header frame, the second one."""
    method = 8 + int.from_bytes(data[3:7], "big")
    return int.from_bytes(data[method + 3 : method + 7], "big")


@given(channel=st.integers(1, 65535), tag=st.integers(1, 2**63), multiple=st.booleans())
def test_an_acknowledgement_is_read_as_it_was_written(channel: int, tag: int, multiple: bool) -> None:
    [(number, method)] = _read(acknowledging(channel, tag, multiple=multiple))
    assert isinstance(method, commands.Basic.Ack)
    assert (number, method.delivery_tag, method.multiple) == (channel, tag, multiple)


def _channel(room: int = 10) -> Any:
    channel = SimpleNamespace(number=7, is_closed=False, write_queue=asyncio.Queue[ChannelFrame](room))
    setattr(channel, CLOSING, asyncio.Event())
    return channel


def _written(channel: Any) -> list[bytes]:
    """Takes what was handed over, as a client does whose socket has room."""
    found = []
    while channel.write_queue.qsize():
        frame = channel.write_queue.get_nowait()
        found.append(frame.payload)
        frame.drain()
    return found


async def test_what_is_written_in_one_turn_goes_out_together() -> None:
    channel = _channel()
    writer = FrameWriter(channel)
    for part in (b"a", b"b", b"c"):
        writer.write(lambda part=part: part)  # type: ignore[misc]
    await asyncio.sleep(0)
    assert _written(channel) == [b"abc"]
    await asyncio.sleep(0)
    writer.write(lambda: b"d")
    await asyncio.sleep(0)
    assert _written(channel) == [b"d"]


async def test_what_the_socket_does_not_take_waits_and_may_still_be_given_up() -> None:
    channel, left = _channel(), {number: bytes([number]) for number in range(200)}
    writer = FrameWriter(channel)
    for number in left:
        writer.write(lambda number=number: left.get(number, b""))  # type: ignore[misc]
        if number == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert channel.write_queue.qsize() == 1, "the client has not sent the first yet"
    for number in range(1, 199):
        del left[number]
    assert _written(channel) == [b"\0"]
    await asyncio.sleep(0.01)
    assert _written(channel) == [bytes([199])]
    await asyncio.sleep(0.01)
    assert channel.write_queue.empty()


async def test_large_frames_are_handed_over_one_by_one() -> None:
    channel = _channel()
    writer = FrameWriter(channel)
    for _ in range(3):
        writer.write(lambda: bytes(1 << 20))
    for _ in range(3):
        await asyncio.sleep(0.01)
        assert [len(data) for data in _written(channel)] == [1 << 20]


async def test_frames_wait_in_order_for_a_client_that_has_no_room() -> None:
    channel = _channel(room=1)
    channel.write_queue.put_nowait(ChannelFrame(payload=b"another's", should_close=False))
    writer = FrameWriter(channel)
    for part in (b"a", b"b"):
        writer.write(lambda part=part: part)  # type: ignore[misc]
        await asyncio.sleep(0.01)
    assert _written(channel) == [b"another's"]
    found = b""
    async with asyncio.timeout(10):
        while found != b"ab":
            await asyncio.sleep(0.005)
            found += b"".join(_written(channel))


async def test_a_writer_without_room_ends_with_its_channel() -> None:
    channel = _channel(room=1)
    channel.write_queue.put_nowait(ChannelFrame(payload=b"another's", should_close=False))
    writer, tries = FrameWriter(channel), 0
    put = channel.write_queue.put_nowait

    def counted(frame: ChannelFrame) -> None:
        nonlocal tries
        tries += 1
        put(frame)

    channel.write_queue.put_nowait = counted
    writer.write(lambda: b"a")
    await asyncio.sleep(0.01)
    assert tries > 0
    channel.is_closed = True
    await asyncio.sleep(0.01)
    before = tries
    await asyncio.sleep(0.05)
    assert tries == before


@pytest.mark.parametrize("told", ["is_closed", CLOSING])
async def test_nothing_is_written_on_a_closed_channel(told: str) -> None:
    channel = _channel()
    writer, acks = FrameWriter(channel), Acks(channel)
    writer.write(lambda: b"late")
    acks.deliver(1)
    acking = asyncio.create_task(acks.ack(1))
    if told == CLOSING:
        getattr(channel, CLOSING).set()
    else:
        channel.is_closed = True
    await acking
    await asyncio.sleep(0)
    assert writer.is_closed
    assert _written(channel) == []


def test_the_client_still_has_what_tells_a_closing_channel() -> None:
    assert "close_event" in {name.removeprefix("_Channel__") for name in Channel.__init__.__code__.co_names}


async def test_acknowledgements_of_one_turn_are_one_frame() -> None:
    channel = _channel()
    acks = Acks(channel)
    for tag in range(1, 6):
        acks.deliver(tag)
    await asyncio.gather(*(acks.ack(tag) for tag in (3, 1, 2, 5)))
    await asyncio.sleep(0)
    [data] = _written(channel)
    assert [(ack.delivery_tag, ack.multiple) for _, ack in _read(data)] == [(3, True), (5, False)]
