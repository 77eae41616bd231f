"""Contents in a storage that speaks S3, by the library obstore. A content is one object, and its id is the key.

A large content is sent as a multipart upload, which becomes an object when it is complete. A process that is killed
leaves such an upload behind; a rule of the bucket should abort those that are older than a day.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from treaty.clock import Clock
from treaty.contents import Content, ContentsAway, Measured, Named, NoContent
from treaty.settings import ProcessSettings, SettingsError, read_again
from treaty.surroundings import Surroundings

_PIECE = 262_144
_AT_ONCE = 500
_KEY_SECONDS = 60.0
"""Seconds after which the keys are read again, because their file may have changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Settings:
    """Where the objects are.

    Attributes:
        url: `s3://bucket` or `s3://bucket/prefix`.
        endpoint: the address of a storage that is not Amazon's, such as http://127.0.0.1:9000; or empty.
        region: or empty, for that of AWS_REGION.
        keys: returns the id of the access key and the secret, or two empty texts. Then the usual sources are asked:
            AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a web identity, or the metadata of the machine.
    """

    url: str
    endpoint: str = ""
    region: str = ""
    keys: Callable[[], tuple[str, str]] = lambda: ("", "")


class S3Contents:
    """Keeps the contents of one context under `<prefix>/<context>/`.

    Raises:
        SettingsError: if the URL is none of S3.
    """

    def __init__(self, settings: S3Settings, context: str, surroundings: Surroundings) -> None:
        import obstore  # loaded only where contents are in S3

        self._obstore: Any = obstore
        self._store = _opened(settings, context, surroundings.clock)
        self._surroundings = surroundings

    async def put(self, pieces: AsyncIterator[bytes], *, owner: str) -> Content:
        id, measured, source = f"{owner}.{self._surroundings.ids.new()}", Measured(pieces), _Source()
        sending = asyncio.create_task(self._put(id, source.pieces()))
        try:
            async for piece in measured:
                await source.pass_on(piece, sending)
            await source.pass_on(None, sending)
            await asyncio.shield(sending)
        except BaseException:
            # The library leaves the upload open when it is cancelled, and aborts it when its source breaks.
            source.break_off()
            await asyncio.shield(_settled(sending))
            if sending.done() and not sending.cancelled() and sending.exception() is None:
                await asyncio.shield(self._remove(id))
            raise
        return Content(id=id, size=measured.size, sha256=measured.sha256)

    async def get(self, id: str) -> AsyncGenerator[bytes, None]:
        with _reaching(id):
            found = await self._obstore.get_async(self._store, id)
            async for piece in found.stream(min_chunk_size=_PIECE):
                whole = bytes(piece)
                for first in range(0, len(whole), _PIECE):
                    yield whole[first : first + _PIECE]

    async def delete(self, id: str) -> bool:
        try:
            with _reaching(id):
                await self._obstore.head_async(self._store, id)
        except NoContent:
            return False
        await self._remove(id)
        return True

    async def sweep(self, named: Named, *, older_than: timedelta) -> int:
        until, removed, old = self._surroundings.clock.now() - older_than, 0, list[str]()
        with _reaching(""):
            async for chunk in self._obstore.list(self._store, chunk_size=_AT_ONCE):
                old += [one["path"] for one in chunk if one["last_modified"] < until]
        for first in range(0, len(old), _AT_ONCE):
            some = old[first : first + _AT_ONCE]
            known = await named(some)
            removed += sum([await self.delete(id) for id in some if id not in known])
        return removed

    async def _put(self, id: str, pieces: AsyncIterator[bytes]) -> None:
        with _reaching(id):
            await self._obstore.put_async(self._store, id, pieces)

    async def _remove(self, id: str) -> None:
        with _reaching(id):
            await self._obstore.delete_async(self._store, id)


def contents_of(
    context: str, settings: ProcessSettings, environ: Mapping[str, str], surroundings: Surroundings
) -> S3Contents | None:
    """Returns the storage that TREATY_CONTENTS names, or None if contents are to be in the database.

    Raises:
        SettingsError: if it names none, or the library is not installed.
    """
    if not settings.contents:
        return None
    secret = read_again("TREATY_CONTENTS_KEY", environ, settings.contents_key)
    where = S3Settings(
        url=settings.contents,
        endpoint=settings.contents_endpoint,
        region=settings.contents_region,
        keys=lambda: (settings.contents_key_id, secret()),
    )
    try:
        return S3Contents(where, context, surroundings)
    except ImportError:
        raise SettingsError("TREATY_CONTENTS needs the package obstore: install treaty[s3]") from None


class _Source:
    """Hands pieces over to the library one by one, and breaks when it is told to."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self._broken = False

    async def pieces(self) -> AsyncIterator[bytes]:
        while True:
            piece = await self._queue.get()
            if self._broken:
                raise ConnectionAbortedError("the content is not complete")
            if piece is None:
                return
            yield piece

    async def pass_on(self, piece: bytes | None, sending: "asyncio.Task[None]") -> None:
        """Waits until there is room; raises the error of an upload that has ended."""
        putting = asyncio.create_task(self._queue.put(piece))
        await asyncio.wait([putting, sending], return_when=asyncio.FIRST_COMPLETED)
        if not putting.done():
            putting.cancel()
            sending.result()

    def break_off(self) -> None:
        self._broken = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)


async def _settled(task: "asyncio.Task[None]") -> None:
    await asyncio.wait([task])


def _opened(settings: S3Settings, context: str, clock: Clock) -> Any:
    from obstore.store import S3Store

    where = urlsplit(settings.url)
    if where.scheme != "s3" or not where.netloc:
        raise SettingsError(
            "TREATY_CONTENTS is not the URL of a bucket, such as s3://pictures or s3://pictures/staging"
        )
    options: dict[str, Any] = {
        "prefix": "/".join(part for part in (where.path.strip("/"), context) if part),
        "client_options": {
            "connect_timeout": "3s",
            "read_timeout": "20s",
            "timeout": "1h",
            "allow_http": settings.endpoint.startswith("http:"),
        },
        "retry_config": {"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
    }
    if settings.endpoint:
        options["endpoint"] = settings.endpoint
    if settings.region:
        options["region"] = settings.region
    if settings.keys()[0]:
        options["credential_provider"] = _provider(settings.keys, clock)
    return S3Store(where.netloc, **options)


def _provider(keys: Callable[[], tuple[str, str]], clock: Clock) -> Callable[[], dict[str, Any]]:
    def provide() -> dict[str, Any]:
        id, secret = keys()
        until = clock.now() + timedelta(seconds=_KEY_SECONDS)
        return {"access_key_id": id, "secret_access_key": secret, "token": None, "expires_at": until}

    return provide


@contextlib.contextmanager
def _reaching(id: str) -> Iterator[None]:
    """Raises the errors of contents for those of the library."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError:
        raise NoContent(f"there is no content {id}") from None
    except (BaseError, PermissionError) as error:
        raise ContentsAway(f"{type(error).__name__}: {str(error).splitlines()[0][:300]}") from error
