"""The contract of contents on a simulator of S3, and what a storage can do to us.

The simulator is moto. It shows that we use the protocol as the library intends; it does not show how a real storage
answers under load, with other regions, policies, versions or encryption.
"""

import asyncio
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from treaty.contents import ContentsAway, NoContent
from treaty.memory.stores import MemoryStores
from treaty.s3 import S3Contents, S3Settings
from treaty.service.stores import Stores
from treaty.settings import SettingsError
from treaty.surroundings import Surroundings
from treaty.testing import eventually
from treaty.testing.suites.contents import ContentsSuite
from treaty.testing.world import SeededChance

from scripts.lib.dev.ports import free_ports

KEYS = ("AKIATEST", "a secret")
MEGABYTE = bytes(1_000_000)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a simulator."""
    [port] = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (tmp_path_factory.mktemp("moto") / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        asyncio.run(eventually(lambda: _answers(f"http://127.0.0.1:{port}/moto-api/")))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture
def settings(endpoint: str) -> S3Settings:
    """A bucket of its own."""
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{bucket}", method="PUT"), timeout=10).close()
    return S3Settings(url=f"s3://{bucket}/test", endpoint=endpoint, region="us-east-1", keys=lambda: KEYS)


def contents(settings: S3Settings, context: str = "media.notes") -> S3Contents:
    return S3Contents(settings, context, Surroundings())


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


class TestS3Contents(ContentsSuite):
    @pytest.fixture
    async def stores(self, settings: S3Settings) -> Stores:
        stores = MemoryStores(Surroundings(chance=SeededChance()))
        stores.contents = contents(settings)
        return stores


def _open_uploads(settings: S3Settings) -> int:
    bucket = settings.url.removeprefix("s3://").split("/")[0]
    with urllib.request.urlopen(f"{settings.endpoint}/{bucket}?uploads", timeout=10) as answer:
        return int(answer.read().count(b"<UploadId>"))


async def test_an_upload_that_breaks_off_or_is_cancelled_is_not_left_open(settings: S3Settings) -> None:
    arrived = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield MEGABYTE
        arrived.set()
        await asyncio.Event().wait()

    storing = asyncio.create_task(contents(settings).put(stalled(), owner="note-a"))
    await eventually(lambda: arrived.is_set() or storing.done(), within=60)
    assert not storing.done(), storing
    await eventually(lambda: _open_uploads(settings) == 1)
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    assert _open_uploads(settings) == 0


async def test_contexts_do_not_see_the_contents_of_each_other(settings: S3Settings) -> None:
    one, other = contents(settings, "media.one"), contents(settings, "media.two")
    kept = await one.put(_pieces(b"abc"), owner="note-a")
    with pytest.raises(NoContent):
        await anext(other.get(kept.id))


async def test_a_large_content_is_read_in_small_pieces(settings: S3Settings) -> None:
    kept = await contents(settings).put(_pieces(*[MEGABYTE] * 30), owner="note-a")
    sizes = [len(piece) async for piece in contents(settings).get(kept.id)]
    assert (sum(sizes), kept.size) == (30_000_000, 30_000_000)
    assert max(sizes) <= 262_144


async def test_a_storage_that_is_away_is_said(settings: S3Settings) -> None:
    away = contents(replace(settings, endpoint=f"http://127.0.0.1:{free_ports(1)[0]}"))
    with pytest.raises(ContentsAway):
        await away.put(_pieces(*[MEGABYTE] * 12), owner="note-a")
    with pytest.raises(ContentsAway):
        await anext(away.get("0" * 32))


async def test_a_bucket_that_is_not_there_is_said(settings: S3Settings) -> None:
    with pytest.raises((ContentsAway, NoContent)):
        await contents(replace(settings, url="s3://nowhere")).put(_pieces(b"abc"), owner="note-a")


@pytest.mark.parametrize("url", ["pictures", "http://pictures", "s3://", "s3:pictures"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="TREATY_CONTENTS is not the URL of a bucket"):
        contents(S3Settings(url=url))


async def test_keys_are_read_again(settings: S3Settings, tmp_path: Path) -> None:
    asked = []

    def keys() -> tuple[str, str]:
        asked.append(1)
        return KEYS

    await contents(replace(settings, keys=keys)).put(_pieces(b"abc"), owner="note-a")
    assert len(asked) >= 2, "once to see whether there are any, and once to sign"
