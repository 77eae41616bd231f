"""Shared parts of the commands: they open a context's service and stores from outside its processes."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import typer

from treaty.chance import RandomChance
from treaty.commits.log import StoreAway, Unreadable
from treaty.domain import DomainError
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.probes import NoProbe
from treaty.s3 import contents_of
from treaty.service.contexts import find_contexts, load_context
from treaty.service.ports import Ports
from treaty.service.service import Service
from treaty.service.stores import Stores
from treaty.settings import ProcessSettings, SettingsError, read_again, read_settings
from treaty.surroundings import Surroundings
from treaty.wiring import WiringError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """A context as a command uses it: its service is built, but none of its tasks run."""

    service: Service
    stores: Stores
    ports: Ports
    partitions: int = 4


@asynccontextmanager
async def opened(context: str) -> AsyncIterator[Opened]:
    """Opens the stores of a context.

    Raises:
        SettingsError: if MONGODB_URI is missing.
    """
    settings = read_settings(ProcessSettings, os.environ)
    settings.require("MONGODB_URI")
    client = connect(read_again("MONGODB_URI", os.environ, settings.mongodb_uri), settings.mongodb_driver)
    key = settings.digest_key.get_secret_value().encode()
    chance, probe = RandomChance(), NoProbe()
    try:
        surroundings = Surroundings(chance=chance, probe=probe)
        contents = contents_of(context, settings, os.environ, surroundings)
        stores = MongoStores(client, context, surroundings=surroundings, key=key, contents=contents)
        ports = Ports(stores=stores, surroundings=surroundings, environ=os.environ)
        yield Opened(load_context(context)(ports), stores, ports, settings.partitions)
    finally:
        await close(client)


def in_context(context: str, ask: Callable[[Opened], Awaitable[T]]) -> T:
    """Runs a command on one context; an error that a person can correct ends it with a sentence and code 2."""
    if context not in find_contexts():
        fail(f"there is no context {context}; there are {', '.join(find_contexts())}")

    async def asking() -> T:
        async with opened(context) as found:
            return await ask(found)

    try:
        return asyncio.run(asking())
    except SettingsError as error:
        fail(f"{error}; in a checkout, ./scripts/up or ./scripts/dev up starts the servers, and ./treaty finds them")
    except (StoreAway, Unreadable, DomainError, WiringError) as error:
        fail(str(error))


def chosen(context: str) -> Sequence[str]:
    """Returns the one context that was named, or all contexts if none was."""
    return [context] if context else find_contexts()


def moment(said: str) -> datetime:
    """Parses a moment that a person wrote; without a time zone it is in UTC."""
    try:
        parsed = datetime.fromisoformat(said)
    except ValueError:
        fail(f"{said!r} is not a moment; write one such as 2026-07-01T12:00:00Z")
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def fail(text: str) -> NoReturn:
    typer.echo(f"treaty: {text}", err=True)
    raise typer.Exit(2)
