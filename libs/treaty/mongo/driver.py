"""The two drivers: Motor and its successor PyMongo Async, whose interfaces differ mainly in how sessions start."""

import asyncio
import contextlib
import inspect
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal
from urllib.parse import unquote_plus, urlsplit

import structlog
from pymongo.errors import ConfigurationError, PyMongoError
from pymongo.monitoring import ConnectionCreatedEvent, ConnectionPoolListener
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from treaty.commits.log import StoreAway
from treaty.settings import SettingsError

logger = structlog.get_logger()

Driver = Literal["motor", "pymongo"]

DURABLE = WriteConcern("majority", j=True, wtimeout=5000)
"""Durable: in the journal of a majority; a write fails after five seconds without one, and may be stored still."""

_READINGS = 32
"""Threads of Motor for readings of the log: each waits for changes most of the time, and a context has up to three."""

MAJORITY, LOCAL = ReadConcern("majority"), ReadConcern("local")

SNAPSHOT = ReadConcern("snapshot")
"""For transactions. They ignore the concerns of their collections, so each is given this one and DURABLE."""


def connect(uri: str | Callable[[], str], driver: Driver) -> Any:
    """Returns a client; it sends nothing yet. The time limits here hold unless the URI has its own.

    A function that returns the URI is called before each connection: the user and the password are then those of the
    moment. All other parts of the URI are those of the start.

    Raises:
        SettingsError: if the URI is not one of MongoDB.
    """
    make, told = _client_class(driver), uri if isinstance(uri, str) else uri()
    bounds = {"serverSelectionTimeoutMS": 3000, "connectTimeoutMS": 3000, "socketTimeoutMS": 20_000}
    given = told.partition("?")[2].lower()
    options: dict[str, Any] = {name: value for name, value in bounds.items() if name.lower() not in given}
    login = None if isinstance(uri, str) or not urlsplit(told).username else _Login(uri)
    if login is not None:
        options["event_listeners"] = [login]
    try:
        client = make(told, tz_aware=True, appname="treaty", maxPoolSize=100, **options)
    except (ConfigurationError, ValueError):  # its text may have parts of the URI, and so of the password
        raise SettingsError(
            "MONGODB_URI is not an address of MongoDB, such as mongodb://127.0.0.1:27017/?replicaSet=rs0"
        ) from None
    if login is not None:
        login.options = client.options.pool_options
    return client


class _Login(ConnectionPoolListener):
    """Sets the user and the password of a client before each of its connections is opened.

    The drivers take a password only when a client is made. This sets the one place where both keep it, which is not
    public: a test with each driver on a server that asks for passwords says whether it is still there.
    """

    _PLACE = "_PoolOptions__credentials"

    def __init__(self, uri: Callable[[], str]) -> None:
        self._uri = uri
        self.options: Any = None

    def connection_created(self, event: ConnectionCreatedEvent) -> None:
        known, told = getattr(self.options, self._PLACE), urlsplit(self._uri())
        if told.username is None:  # no URI of ours: the last one stays
            return
        user, password = unquote_plus(told.username), unquote_plus(told.password or "")
        if (user, password) != (known.username, known.password):
            empty = type(known.cache)()  # of the keys that are derived from the password
            setattr(self.options, self._PLACE, known._replace(username=user, password=password, cache=empty))

    def _ignore(self, event: object) -> None: ...

    pool_created = pool_ready = pool_cleared = pool_closed = _ignore
    connection_ready = connection_closed = _ignore
    connection_check_out_started = connection_check_out_failed = _ignore
    connection_checked_out = connection_checked_in = _ignore


def _client_class(driver: Driver) -> Any:
    """Returns the class of a driver, without loading the other driver."""
    if driver == "motor":
        # Motor reads it once. Without it, there are five threads for each core, and readings could take all of them.
        os.environ.setdefault("MOTOR_MAX_WORKERS", str(5 * (os.cpu_count() or 1) + _READINGS))
        from motor.motor_asyncio import AsyncIOMotorClient

        return AsyncIOMotorClient
    from pymongo import AsyncMongoClient

    if sys.version_info < (3, 12):
        logger.warning("with Python before 3.12, PyMongo Async may hang after an outage of MongoDB; use motor")
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


async def aggregated(collection: Any, pipeline: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Returns what an aggregation yields; Motor gives its cursor at once, and PyMongo Async when it is awaited."""
    found = collection.aggregate(list(pipeline))
    cursor = await found if inspect.isawaitable(found) else found
    documents: list[Any] = await cursor.to_list(None)
    return documents


@asynccontextmanager
async def _started(starting: Any) -> AsyncIterator[Any]:
    started = await starting if inspect.isawaitable(starting) else starting
    try:
        yield started
    finally:
        await started.end_session()


@contextmanager
def reaching() -> Iterator[None]:
    """Raises StoreAway, the core's error, for every error of a driver.

    A cancellation that is requested inside the block is raised at its end, if the driver has dropped it: PyMongo Async
    uses `asyncio.wait_for`, which in Python 3.11 drops one that comes together with its result, and may take another
    for a broken connection. A task with a loop would go on for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    except PyMongoError as error:
        _raise_if_cancelled(task, before)
        raise StoreAway(f"{type(error).__name__}: {_short(str(error))}") from error
    except asyncio.CancelledError as cancelled:
        _raise_if_cancelled(task, before)
        raise StoreAway("the driver gave the request up") from cancelled
    _raise_if_cancelled(task, before)


def _raise_if_cancelled(task: "asyncio.Task[Any] | None", before: int) -> None:
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def _short(text: str) -> str:
    """Returns the beginning of an error's text, without the driver's time limits and its view of the replica set."""
    return re.sub(r" \(configured timeouts: [^)]*\)", "", text).partition(", Timeout: ")[0]
