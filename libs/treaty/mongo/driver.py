"""The two drivers: Motor and its successor PyMongo Async, whose interfaces differ mainly in how sessions start."""

import contextlib
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from treaty.commits.log import StoreAway

Driver = Literal["motor", "pymongo"]

DURABLE = WriteConcern("majority", j=True, wtimeout=5000)
"""Durable: in the journal of a majority; a write fails after five seconds without one, and may be stored still."""

APP_NAME = "treaty"
"""The name of the processes at the server."""

MAJORITY, LOCAL = ReadConcern("majority"), ReadConcern("local")


def connect(uri: str, driver: Driver) -> Any:
    """Returns a client; it sends nothing yet. The time limits here hold unless the URI has its own."""
    make = _client_class(driver)
    bounds = {"serverSelectionTimeoutMS": 3000, "connectTimeoutMS": 3000, "socketTimeoutMS": 20_000}
    given = uri.partition("?")[2].lower()
    options = {name: value for name, value in bounds.items() if name.lower() not in given}
    return make(uri, tz_aware=True, appname=APP_NAME, maxPoolSize=100, **options)


def _client_class(driver: Driver) -> Any:
    """Returns the class of a driver, without loading the other driver."""
    if driver == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient

        return AsyncIOMotorClient
    from pymongo import AsyncMongoClient

    return AsyncMongoClient


async def close(client: Any) -> None:
    """Closes a client of either driver."""
    closing = client.close()
    if inspect.isawaitable(closing):
        await closing


def database(client: Any, context: str) -> Any:
    """Returns the database of a context: commerce_ordering for commerce.ordering.

    A database in the URI becomes a prefix, so environments can share a server: staging_commerce_ordering.
    """
    name = context.replace(".", "_")
    with contextlib.suppress(ConfigurationError):
        name = f"{client.get_default_database().name}_{name}"
    return client.get_database(name, write_concern=DURABLE, read_concern=MAJORITY)


@asynccontextmanager
async def session(client: Any) -> AsyncIterator[Any]:
    """Opens a causally consistent session."""
    async with _started(client.start_session(causal_consistency=True)) as started:
        yield started


@asynccontextmanager
async def snapshot(client: Any) -> AsyncIterator[Any]:
    """Opens a session whose reads all return the data of one moment."""
    async with _started(client.start_session(snapshot=True)) as started:
        yield started


@asynccontextmanager
async def _started(starting: Any) -> AsyncIterator[Any]:
    started = await starting if inspect.isawaitable(starting) else starting
    try:
        yield started
    finally:
        await started.end_session()


@contextmanager
def reaching() -> Iterator[None]:
    """Raises StoreAway, the core's error, for every error of a driver."""
    try:
        yield
    except PyMongoError as error:
        raise StoreAway(f"{type(error).__name__}: {error}") from error
