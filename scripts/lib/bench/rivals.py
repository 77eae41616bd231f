"""The servers to compare with, on the same gRPC server: an echo without domain and storage, and a textbook outbox.

The textbook outbox is written as well as the pattern allows:

- one transaction with the state (optimistic version check), the outbox row, and the inbox row that makes the command
  idempotent,
- a limited number of retries, with jitter,
- a relay that polls, publishes a batch with pipelined confirms, and marks it.
"""

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import uvloop
from commerce.inventory.v1 import inventory_events_pb2 as events
from commerce.inventory.v1 import inventory_service_pb2 as pb
from commerce.inventory.v1 import inventory_service_pb2_grpc as pb_grpc
from pymongo.errors import DuplicateKeyError, PyMongoError
from treaty.causes import current_cause
from treaty.chance import RandomChance, backoff
from treaty.domain import Conflict, NotFound
from treaty.mongo.driver import close, connect, session
from treaty.mongo.driver import database as database_of
from treaty.probes import NoProbe
from treaty.rpc.api import Api
from treaty.rpc.server import GrpcServer
from treaty.settings import ProcessSettings, read_settings

_ATTEMPTS = 200


class _Unmeasured(pb_grpc.InventoryServiceServicer):
    """The methods that the benchmark does not call."""

    async def AdjustStock(self, request: pb.AdjustStockRequest, context: Any) -> pb.AdjustStockResponse:
        raise NotFound("this server cannot adjust stock")

    async def GetStock(self, request: pb.GetStockRequest, context: Any) -> pb.GetStockResponse:
        raise NotFound("this server cannot read stock")


class Echo(_Unmeasured):
    """Answers at once, without any work."""

    async def RegisterItem(self, request: pb.RegisterItemRequest, context: Any) -> pb.RegisterItemResponse:
        return pb.RegisterItemResponse(item=pb.StockItem(sku=request.sku))

    async def ReceiveStock(self, request: pb.ReceiveStockRequest, context: Any) -> pb.ReceiveStockResponse:
        item = pb.StockItem(warehouse="main", sku=request.sku, on_hand=request.quantity, available=request.quantity)
        return pb.ReceiveStockResponse(item=item, revision=f"stock-main/{request.sku}@1")


class Textbook(_Unmeasured):
    """Writes state, outbox and inbox in one transaction per command."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._database = database_of(client, "bench.textbook")
        self._chance = RandomChance()

    async def RegisterItem(self, request: pb.RegisterItemRequest, context: Any) -> pb.RegisterItemResponse:
        item = {"_id": request.sku, "version": 1, "on_hand": 0}
        await self._database.get_collection("items").insert_one(item)
        return pb.RegisterItemResponse(item=_item(item))

    async def ReceiveStock(self, request: pb.ReceiveStockRequest, context: Any) -> pb.ReceiveStockResponse:
        cause = current_cause().id
        for attempt in range(_ATTEMPTS):
            with contextlib.suppress(_Moved):
                item = await self._receive(request, cause)
                return pb.ReceiveStockResponse(item=_item(item), revision=f"{item['_id']}@{item['version']}")
            await asyncio.sleep(self._chance.jitter(backoff(attempt, 0.001, 0.05)))
        raise Conflict("too many concurrent changes of this item")

    async def _receive(self, request: pb.ReceiveStockRequest, cause: str) -> dict[str, Any]:
        items = self._database.get_collection("items")
        async with session(self._client) as own, await _transaction(own):
            try:
                found = await items.find_one({"_id": request.sku}, session=own)
                if found is None:
                    raise NotFound(f"{request.sku} is not registered")
                version = found["version"]
                item = {"_id": request.sku, "version": version + 1, "on_hand": found["on_hand"] + request.quantity}
                replaced = await items.replace_one({"_id": request.sku, "version": version}, item, session=own)
                if not replaced.matched_count:
                    raise _Moved
                await self._database.get_collection("outbox").insert_one(_row(item), session=own)
                await self._database.get_collection("inbox").insert_one({"_id": cause}, session=own)
                await own.commit_transaction()
            except DuplicateKeyError:
                return await items.find_one({"_id": request.sku}) or {}
            except PyMongoError as error:
                if error.has_error_label("TransientTransactionError"):
                    raise _Moved from error
                raise
        return item

    async def relay(self, url: str) -> None:
        """Publishes the rows of the outbox, in order, and marks them."""
        outbox = self._database.get_collection("outbox")
        connection = await aio_pika.connect(url)
        channel = await connection.channel(publisher_confirms=True)
        exchange = await channel.declare_exchange("bench.textbook.events", aio_pika.ExchangeType.TOPIC, durable=True)
        while True:
            rows = await outbox.find({"published": False}).sort("_id", 1).limit(500).to_list(None)
            await asyncio.gather(*(exchange.publish(_message(row), row["type"], mandatory=False) for row in rows))
            await outbox.update_many({"_id": {"$in": [row["_id"] for row in rows]}}, {"$set": {"published": True}})
            if not rows:
                await asyncio.sleep(0.05)


class _Moved(Exception):
    """Another command changed the item first."""


async def _transaction(own: Any) -> Any:
    """Starts a transaction with the session of either driver. An uncommitted transaction is aborted at its end."""
    started = own.start_transaction()
    return await started if hasattr(started, "__await__") else started


def _item(item: dict[str, Any]) -> pb.StockItem:
    return pb.StockItem(warehouse="main", sku=item["_id"], on_hand=item["on_hand"], available=item["on_hand"])


def _row(item: dict[str, Any]) -> dict[str, Any]:
    event = events.StockLevelChanged(warehouse="main", sku=item["_id"], on_hand=item["on_hand"])
    return {"type": event.DESCRIPTOR.full_name, "body": event.SerializeToString(), "published": False}


def _message(row: dict[str, Any]) -> aio_pika.Message:
    return aio_pika.Message(row["body"], delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=str(row["_id"]))


@asynccontextmanager
async def _servicer(kind: str, settings: ProcessSettings) -> AsyncIterator[pb_grpc.InventoryServiceServicer]:
    if kind == "echo":
        yield Echo()  # type: ignore[abstract]  # only the measured methods are implemented
        return
    client = connect(settings.mongodb_uri.get_secret_value(), settings.mongodb_driver)
    textbook = Textbook(client)  # type: ignore[abstract]
    await client.drop_database(textbook._database.name)
    await textbook._database.get_collection("outbox").create_index([("published", 1), ("_id", 1)])
    relaying = asyncio.create_task(textbook.relay(settings.amqp_url.get_secret_value()))
    try:
        yield textbook
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
        await close(client)


async def _serve(kind: str) -> None:
    settings = read_settings(ProcessSettings, os.environ)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with _servicer(kind, settings) as servicer:
        api = Api(pb_grpc.add_InventoryServiceServicer_to_server, servicer)
        server = GrpcServer(settings=settings, apis=[api], probe=lambda _: NoProbe())
        await server.start()
        server.set_ready(True)
        await stop.wait()
        await server.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serves Inventory's API without Treaty, for comparison.")
    parser.add_argument("kind", choices=("echo", "textbook"))
    uvloop.run(_serve(parser.parse_args().kind))
