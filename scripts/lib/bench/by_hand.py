"""The work of an order without Treaty: its documents are inserted one by one, its messages are sent and received.

Usage: by_hand --mongodb_uri URI --databases A,B --amqp_url URL --most N. The last line of its output has the figures.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from statistics import median
from typing import Any

import aio_pika
import uvloop
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from treaty.mongo.driver import DURABLE

_AT_ONCE = 32
_RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


async def _main(arguments: argparse.Namespace) -> None:
    client: AsyncMongoClient[Any] = AsyncMongoClient(arguments.mongodb_uri)
    documents: list[RawBSONDocument] = []
    for name in arguments.databases.split(","):
        raw = client[name].get_collection("commits").with_options(codec_options=_RAW)
        documents += await raw.find().sort("position", -1).limit(arguments.most).to_list(None)
    messages = [outgoing["body"] for document in documents for outgoing in document["outbox"]]
    copies = client[arguments.databases.split(",")[0]].get_collection("by_hand", write_concern=DURABLE)
    await copies.drop()
    figures = {"commits": len(documents), "events": len(messages)}
    if arguments.what == "one":
        print(json.dumps({"p50_ms": 1000 * await _median_of(documents, copies.insert_one)}), flush=True)
        return
    if arguments.what == "commits":
        await _each(documents, copies.insert_one)
    else:
        await _carry(arguments.amqp_url, messages)
    await client.close()
    times = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({**figures, "cpu_s": times.ru_utime + times.ru_stime}), flush=True)


async def _median_of(things: Iterable[Any], act: Callable[[Any], Awaitable[object]]) -> float:
    """Does something with each, one after another; returns the median of the seconds."""
    times = []
    for thing in things:
        begun = time.perf_counter()
        await act(thing)
        times.append(time.perf_counter() - begun)
    return median(times)


async def _carry(url: str, messages: Sequence[bytes]) -> None:
    """Publishes messages with confirms to a quorum queue, and receives and acknowledges each."""
    async with await aio_pika.connect(url) as connection:
        publishing, consuming = await connection.channel(), await connection.channel()
        await consuming.set_qos(prefetch_count=128)
        queue = await consuming.declare_queue("by-hand", durable=True, arguments={"x-queue-type": "quorum"})
        left, done = len(messages), asyncio.Event()

        async def receive(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            nonlocal left
            await message.ack()
            left -= 1
            if not left:
                done.set()

        await queue.consume(receive)

        async def publish(body: bytes) -> None:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await publishing.default_exchange.publish(message, queue.name)

        await _each(messages, publish)
        if messages:
            await done.wait()
        await queue.delete(if_unused=False, if_empty=False)


async def _each(things: Iterable[Any], act: Callable[[Any], Awaitable[object]]) -> None:
    """Does something with each, many at a time."""
    left = iter(things)

    async def worker() -> None:
        for thing in left:
            await act(thing)

    await asyncio.gather(*(worker() for _ in range(_AT_ONCE)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Stores and sends copies of what a shop has stored and sent.")
    parser.add_argument("what", choices=("commits", "events", "one"))
    parser.add_argument("--mongodb_uri", required=True)
    parser.add_argument("--databases", required=True)
    parser.add_argument("--amqp_url", required=True)
    parser.add_argument("--most", type=int, required=True)
    uvloop.run(_main(parser.parse_args()))
