"""A connection: what its client raises is the broker that is away, and never ends the task that asks."""

import asyncio
from typing import Any

import aio_pika
import pytest
from treaty.messaging.broker import BrokerAway
from treaty.rabbit.link import Link


async def test_a_client_that_cancels_whoever_waits_for_an_answer_is_a_broker_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def connect(*_: Any, **__: Any) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(aio_pika, "connect", connect)
    with pytest.raises(BrokerAway, match="from within"):
        await Link(lambda: "amqp://nowhere", "test", 5.0).channel()


async def test_who_asks_and_is_cancelled_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: Any, **__: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(aio_pika, "connect", connect)
    asking = asyncio.create_task(Link(lambda: "amqp://nowhere", "test", 5.0).channel())
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
