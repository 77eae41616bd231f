"""Integration events as they happen: a queue of its own at the broker, and one line for each event."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from treaty.messaging.broker import exchange_of

_TIMESTAMP = "google.protobuf.Timestamp"

_UNREAD = 10_000
"""The most events that wait to be shown; older ones are left out."""

Show = Callable[[Mapping[str, str], bytes], None]
"""(the headers of an event, its body) → it is shown."""


@asynccontextmanager
async def tapped(url: str, contexts: Sequence[str], show: Show) -> AsyncIterator[None]:
    """Shows every event that the contexts publish inside the block. The queue goes with the connection."""
    async with await aio_pika.connect_robust(url) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)
        queue = await channel.declare_queue(exclusive=True, arguments={"x-max-length": _UNREAD})
        for context in contexts:
            exchange = await channel.declare_exchange(exchange_of(context), aio_pika.ExchangeType.TOPIC, durable=True)
            await queue.bind(exchange, routing_key="#")
        reading = asyncio.create_task(_read(queue, show))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def _read(queue: aio_pika.abc.AbstractQueue, show: Show) -> None:
    async with queue.iterator(no_ack=True) as messages:
        async for message in messages:
            show({name: str(value) for name, value in message.headers.items()}, message.body)


def described(headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
    """Returns (the context, a text) of an event: its name, its subject, and the values of its fields."""
    kind, subject = headers.get("ce-type", ""), headers.get("ce-subject", "")
    context, _, _ = headers.get("ce-source", "").removeprefix("/").partition("/")
    return context, f"{kind.rpartition('.')[2]:<18} {_short(subject):<12} {_values(kind, body, subject)}"


def _values(kind: str, body: bytes, subject: str) -> str:
    """Returns the fields of an event as text, without the subject; nothing for an event of an unknown type."""
    try:
        message = GetMessageClass(Default().FindMessageTypeByName(kind)).FromString(body)
    except (KeyError, DecodeError):
        return ""
    shown = ((field.name, _text(field, value)) for field, value in message.ListFields() if value != subject)
    return " ".join(f"{name.removesuffix('_id')}={text}" for name, text in shown if text)


def _text(field: Any, value: Any) -> str:
    """Returns a value in few characters: a list as its length, a message as its values, an id as its beginning."""
    if field.is_repeated:
        return f"×{len(value)}"
    if field.message_type and field.message_type.full_name == _TIMESTAMP:
        return ""
    if field.message_type:
        return " ".join(_text(inner, each) for inner, each in value.ListFields() if not inner.is_repeated)
    if field.enum_type:
        return str(field.enum_type.values_by_number[value].name).rpartition("_")[2].lower()
    return _short(str(value))


def _short(text: str) -> str:
    return text[:8] if len(text) == 36 and text.count("-") == 4 else text
