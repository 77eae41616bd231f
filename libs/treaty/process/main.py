"""A service process on the real MongoDB and RabbitMQ: it starts, runs until a signal, and drains."""

import asyncio
import contextlib
import ctypes
import gc
import math
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from google.protobuf.internal import api_implementation

from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.probes import NoProbe, Probe
from treaty.process.host import Host
from treaty.rabbit.broker import RabbitBroker
from treaty.rabbit.policies import Policies
from treaty.s3 import contents_of
from treaty.service.contexts import Build, load_context
from treaty.settings import ProcessSettings, read_again
from treaty.surroundings import Surroundings

logger = structlog.get_logger()

_SHORTEST_HEARTBEAT = 5
"""Seconds. A process with a shorter AMQP heartbeat loses its connection when its event loop is busy for a while."""

_SETTLED_SECONDS = 2.0
"""The time after which a process has opened its connections and prepared its stores."""


Load = Callable[[str], Build]
"""Returns the `build` of a context, by its name."""


@asynccontextmanager
async def running(
    contexts: Sequence[str],
    settings: ProcessSettings,
    environ: Mapping[str, str],
    probes: Mapping[str, Probe],
    *,
    load: Load = load_context,
) -> AsyncIterator[Host]:
    """Runs contexts inside the block.

    Raises:
        UnknownContext: if a name is not that of a context.
        SettingsError: if MONGODB_URI or AMQP_URL is missing.
    """
    settings.require("MONGODB_URI", "AMQP_URL")
    if api_implementation.Type() == "python":
        logger.warning("protobuf runs in pure Python, which is slow and has fewer guards: install its binary wheel")
    for name in contexts:
        load(name)
    surroundings = Surroundings()
    client = connect(read_again("MONGODB_URI", environ, settings.mongodb_uri), settings.mongodb_driver)
    broker = RabbitBroker(
        read_again("AMQP_URL", environ, settings.amqp_url),
        name="+".join(contexts),
        ids=surroundings.ids,
        heartbeat=max(math.ceil(settings.lease_seconds), _SHORTEST_HEARTBEAT),
        policies=_policies(settings, environ),
    )
    host = Host(
        contexts=contexts,
        settings=settings,
        stores=lambda name: _stores(
            client, name, settings, environ, replace(surroundings, probe=probes.get(name) or NoProbe())
        ),
        broker=broker,
        environ=environ,
        surroundings=surroundings,
        probes=probes,
        load=load,
        place=f"{socket.gethostname()}/{os.getpid()}",
    )
    try:
        await host.start()
        yield host
    finally:
        await host.stop()
        await broker.close()
        await close(client)


async def run_until_signal(
    contexts: Sequence[str],
    settings: ProcessSettings,
    environ: Mapping[str, str],
    probes: Mapping[str, Probe],
    *,
    load: Load = load_context,
) -> None:
    """Runs contexts until SIGTERM or SIGINT, then drains them."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(contexts, settings, environ, probes, load=load):
        _calm_the_collector()
        await stop.wait()


def _policies(settings: ProcessSettings, environ: Mapping[str, str]) -> Policies | None:
    """Returns the check of the broker's policies, if the settings have the management API."""
    if not settings.amqp_management_url.get_secret_value():
        logger.info("policies of the broker are not checked: AMQP_MANAGEMENT_URL is not set")
        return None
    path = urlsplit(settings.amqp_url.get_secret_value()).path
    url = read_again("AMQP_MANAGEMENT_URL", environ, settings.amqp_management_url)
    return Policies(url, unquote(path.removeprefix("/")) or "/")


def _stores(
    client: Any, name: str, settings: ProcessSettings, environ: Mapping[str, str], surroundings: Surroundings
) -> MongoStores:
    key = settings.digest_key.get_secret_value().encode()
    return MongoStores(
        client, name, surroundings=surroundings, key=key, contents=contents_of(name, settings, environ, surroundings)
    )


def _calm_the_collector() -> None:
    """Tunes the garbage collector: it skips the objects of the start, and it runs rarely.

    A busy event loop makes so many short-lived objects that the default thresholds would start it often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    asyncio.get_running_loop().call_later(_SETTLED_SECONDS, _give_memory_back)


def _give_memory_back() -> None:
    """Returns the memory that the start has freed to the system, if the C library can do that (glibc)."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
