"""The contract of contents."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence, Set
from datetime import timedelta

import pytest

from treaty.contents import NoContent, owner_of
from treaty.service.stores import Stores
from treaty.testing.eventually import eventually
from treaty.testing.suites.stores import OnStores

_LARGE = bytes(range(256)) * 12_000
_OF_ANY_AGE = timedelta(days=-1)


async def _pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def _broken(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise ConnectionError("the client is gone")


async def _read(stores: Stores, id: str) -> bytes:
    return b"".join([piece async for piece in stores.contents.get(id)])


async def _none(ids: Sequence[str]) -> Set[str]:
    return set()


class ContentsSuite(OnStores):
    """The contract tests of contents: override the fixture `stores`."""

    @pytest.mark.parametrize("size", [0, 1, 255 * 1024, 255 * 1024 + 1, len(_LARGE)])
    async def test_a_content_is_read_as_it_was_stored(self, stores: Stores, size: int) -> None:
        data = _LARGE[:size]
        kept = await stores.contents.put(_pieces(data[: size // 3], data[size // 3 :]), owner="note-a")
        assert (kept.size, kept.sha256) == (size, hashlib.sha256(data).hexdigest())
        assert await _read(stores, kept.id) == data

    async def test_the_pieces_of_a_content_may_have_any_size(self, stores: Stores) -> None:
        kept = await stores.contents.put(
            _pieces(*[_LARGE[n : n + 700] for n in range(0, 300_000, 700)]), owner="note-a"
        )
        assert await _read(stores, kept.id) == _LARGE[: kept.size]
        pieces = [len(piece) async for piece in stores.contents.get(kept.id)]
        assert max(pieces) < 1_000_000

    async def test_each_attempt_has_an_id_of_its_own(self, stores: Stores) -> None:
        one, other = [await stores.contents.put(_pieces(b"same"), owner="note-a") for _ in range(2)]
        assert one.id != other.id
        assert {owner_of(one.id), owner_of(other.id)} == {"note-a"}
        assert await stores.contents.delete(one.id)
        assert await _read(stores, other.id) == b"same"

    @pytest.mark.parametrize("id", ["unknown", "0" * 24])
    async def test_an_unknown_content_is_not_found(self, stores: Stores, id: str) -> None:
        with pytest.raises(NoContent):
            await _read(stores, id)
        assert not await stores.contents.delete(id)

    async def test_a_deleted_content_is_not_found(self, stores: Stores) -> None:
        kept = await stores.contents.put(_pieces(b"abc"), owner="note-a")
        assert await stores.contents.delete(kept.id)
        with pytest.raises(NoContent):
            await _read(stores, kept.id)
        assert not await stores.contents.delete(kept.id)

    async def test_nothing_remains_of_a_content_that_breaks_off(self, stores: Stores) -> None:
        with pytest.raises(ConnectionError):
            await stores.contents.put(_broken(_LARGE), owner="note-a")
        assert await stores.contents.sweep(_none, older_than=_OF_ANY_AGE) == 0

    async def test_nothing_remains_of_a_content_that_is_cancelled(self, stores: Stores) -> None:
        arrived = asyncio.Event()

        async def stalled() -> AsyncIterator[bytes]:
            yield _LARGE
            arrived.set()
            await asyncio.Event().wait()

        storing = asyncio.create_task(stores.contents.put(stalled(), owner="note-a"))
        await eventually(lambda: arrived.is_set() or storing.done(), within=60)
        assert not storing.done(), storing
        storing.cancel()
        await asyncio.gather(storing, return_exceptions=True)
        assert await stores.contents.sweep(_none, older_than=_OF_ANY_AGE) == 0

    async def test_a_sweep_removes_the_old_contents_that_no_commit_names(self, stores: Stores) -> None:
        kept = [await stores.contents.put(_pieces(b"%d" % n), owner="note-a") for n in range(3)]
        asked: list[str] = []

        async def named(ids: Sequence[str]) -> Set[str]:
            asked.extend(ids)
            return {kept[1].id}

        assert await stores.contents.sweep(named, older_than=timedelta(hours=1)) == 0
        assert asked == []
        assert await stores.contents.sweep(named, older_than=_OF_ANY_AGE) == 2
        assert sorted(asked) == sorted(one.id for one in kept)
        assert await _read(stores, kept[1].id) == b"1"
        for one in (kept[0], kept[2]):
            with pytest.raises(NoContent):
                await _read(stores, one.id)
