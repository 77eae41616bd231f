"""The publisher: a message that is given up leaves nothing behind, however long the broker reads nothing."""

import asyncio
import tracemalloc
from types import SimpleNamespace

import pytest
from treaty.rabbit.properties import persistent
from treaty.rabbit.publisher import _Confirmed

LARGE = 1 << 20


async def test_messages_that_are_given_up_keep_no_bytes_while_the_broker_reads_nothing() -> None:
    channel = SimpleNamespace(
        number=1,
        is_closed=False,
        _Channel__close_event=asyncio.Event(),
        closing=asyncio.get_running_loop().create_future(),
        max_content_size=LARGE,
        message_id_delivery_tag={},
        confirmations={},
        delivery_tag=0,
        write_queue=asyncio.Queue(10),
    )
    confirmed = _Confirmed(channel, None)
    tracemalloc.start()
    try:
        for number in range(40):
            properties = persistent({}, message_id=f"m-{number}", type="t")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(confirmed.publish("e", "k", properties, bytes(LARGE)), 0.005)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4 * LARGE
