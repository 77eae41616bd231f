"""Similar rows among 100,000 on MongoDB: exactly those that a comparison with every hash finds."""

import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from treaty.mongo.driver import close, connect
from treaty.mongo.stores import MongoStores
from treaty.projections import Near, Projection, View, parts_of
from treaty.projections.rows import Row, Rows
from treaty.surroundings import Surroundings
from treaty.testing.samples import NOTES

ROWS, CLOSE = 100_000, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    number: int
    parts: tuple[int, ...]


PRINTS = Projection(
    name="prints",
    source=NOTES.source,
    row=Print,
    project=lambda _, row, __: row,
    order_by="number",
    filters=("parts",),
)


@pytest.fixture
async def rows(servers: dict[str, str], context: str) -> AsyncIterator[Rows]:
    client = connect(servers["MONGODB_URI"], "motor")
    stores = MongoStores(client, context, surroundings=Surroundings())
    await stores.prepare([PRINTS])
    yield stores.rows(PRINTS)
    await close(client)


@pytest.mark.slow
async def test_similar_rows_are_those_that_a_comparison_with_all_of_them_finds(rows: Rows) -> None:
    chance = random.Random(20)
    asked = [chance.getrandbits(64) for _ in range(8)]
    hashes = [chance.getrandbits(64) for _ in range(ROWS - CLOSE)]
    hashes += [_changed(chance.choice(asked), chance.randrange(14), chance) for _ in range(CLOSE)]
    for start in range(0, ROWS, 5000):
        some = enumerate(hashes[start : start + 5000], start)
        await rows.store_newer([_row(number, hash) for number, hash in some], 0)
    for one in ([asked[0]], asked):
        near = Near(tuple(f"{hash:016x}" for hash in one), 10)
        expected = sorted(
            (distance, str(number))
            for number, hash in enumerate(hashes)
            if (distance := min((hash ^ other).bit_count() for other in one)) <= 10
        )
        began = time.perf_counter()
        found = await View(PRINTS, rows).similar("parts", near, most=ROWS)
        print(len(one), "hashes asked,", len(found), "found in", round(time.perf_counter() - began, 3), "s")
        assert [(distance, id) for distance, id, _ in found] == expected
        assert len(expected) > 10


def _changed(hash: int, bits: int, chance: random.Random) -> int:
    return hash ^ sum(1 << bit for bit in chance.sample(range(64), bits))


def _row(number: int, hash: int) -> Row:
    return Row(str(number), 1, {"number": number, "parts": list(parts_of(f"{hash:016x}"))})
