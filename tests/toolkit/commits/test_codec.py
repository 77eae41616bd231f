"""The codec: what goes to disk comes back, what cannot be stored is refused early, what is newer is not guessed at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Annotated, Any, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from treaty.commits.codec import Names, Newer, NotStorable, Personal, Shape, codec_of

Sku = NewType("Sku", str)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    sku: Sku
    count: int
    yes: bool
    raw: bytes
    at: datetime
    within: timedelta
    colour: Colour
    part: Part
    parts: tuple[Part, ...]
    tags: frozenset[str]
    prices: Mapping[str, int]
    maybe: Part | None = None


def _milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


_texts = st.text(max_size=8)
_parts = st.builds(Part, _texts, st.floats(allow_nan=False))
_keys = st.text(st.characters(blacklist_characters=".$", blacklist_categories=["Cs"]), max_size=5)
_everything = st.builds(
    Everything,
    sku=_texts.map(Sku),
    count=st.integers(-(2**63), 2**63 - 1),
    yes=st.booleans(),
    raw=st.binary(max_size=8),
    at=st.datetimes(timezones=st.just(UTC)).map(_milliseconds),
    within=st.timedeltas(timedelta(days=-30), timedelta(days=30)),
    colour=st.sampled_from(Colour),
    part=_parts,
    parts=st.lists(_parts, max_size=3).map(tuple),
    tags=st.frozensets(_texts, max_size=3),
    prices=st.dictionaries(_keys, st.integers(0, 9), max_size=3),
    maybe=st.none() | _parts,
)


@pytest.mark.slow
@given(_everything)
def test_what_was_encoded_is_decoded_to_the_same_value(value: Everything) -> None:
    codec = codec_of(Everything)
    assert codec.decode(codec.encode(value)) == value


@given(_everything)
def test_what_is_encoded_is_made_of_plain_values(value: Everything) -> None:
    _assert_plain(codec_of(Everything).encode(value))


def _assert_plain(value: Any) -> None:
    if type(value) is dict:
        for key, inner in value.items():
            assert type(key) is str
            _assert_plain(inner)
    elif type(value) is list:
        for inner in value:
            _assert_plain(inner)
    else:
        assert value is None or type(value) in (str, int, bool, float, bytes, datetime), repr(value)


def test_enums_are_stored_as_plain_text() -> None:
    assert type(codec_of(Colour).encode(Colour.RED)) is str


@pytest.mark.parametrize("kind", [list[int], dict[str, int], set[int], Any, complex, int | str, tuple[int, str]])
def test_a_type_that_cannot_be_stored_is_refused_when_the_codec_is_made(kind: Any) -> None:
    with pytest.raises(NotStorable):
        codec_of(kind)


def test_a_mutable_field_is_refused() -> None:
    @dataclass
    class Mutable:
        items: list[int] = field(default_factory=list)

    with pytest.raises(NotStorable):
        codec_of(Mutable)


def test_times_are_stored_in_utc_and_need_a_zone() -> None:
    codec = codec_of(datetime)
    local = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert codec.encode(local) == datetime(2024, 1, 1, 10, tzinfo=UTC)
    with pytest.raises(ValueError, match="time zone"):
        codec.encode(datetime(2024, 1, 1))  # noqa: DTZ001 - the point


@pytest.mark.parametrize("key", ["a.b", "$a"])
def test_keys_that_a_store_would_take_for_operators_are_refused(key: str) -> None:
    with pytest.raises(ValueError, match="cannot be a key"):
        codec_of(Mapping[str, int]).encode({key: 1})


def test_an_unknown_member_is_newer_than_the_code() -> None:
    with pytest.raises(Newer):
        codec_of(Colour).decode("green")


def test_an_attribute_may_be_renamed_in_memory_only() -> None:
    @dataclass(frozen=True)
    class Renamed:
        title: str = field(metadata={"stored": "name"})

    assert codec_of(Renamed).encode(Renamed("x")) == {"name": "x"}
    assert codec_of(Renamed).decode({"name": "x"}) == Renamed("x")


def test_a_field_with_a_default_may_be_missing_on_disk() -> None:
    stored = codec_of(Everything).encode(_example())
    del stored["maybe"]
    assert codec_of(Everything).decode(stored) == _example()


def _example() -> Everything:
    return Everything(
        sku=Sku("a"),
        count=1,
        yes=True,
        raw=b"",
        within=timedelta(minutes=1),
        at=datetime(2024, 1, 1, tzinfo=UTC),
        colour=Colour.RED,
        part=Part("p", 1.0),
        parts=(),
        tags=frozenset(),
        prices={},
    )


def test_the_fingerprint_changes_with_the_shape() -> None:
    @dataclass(frozen=True)
    class One:
        a: int

    @dataclass(frozen=True)
    class Same:
        a: int

    @dataclass(frozen=True)
    class More:
        a: int
        b: int = 0

    assert codec_of(One).fingerprint == codec_of(Same).fingerprint != codec_of(More).fingerprint


@dataclass(frozen=True)
class Happened:
    what: str


def test_a_name_and_a_type_stand_for_each_other_once() -> None:
    with pytest.raises(NotStorable):
        Names([Shape("a", Happened), Shape("b", Happened)])
    with pytest.raises(NotStorable):
        Names([Shape("a", Happened), Shape("a", Part)])
    with pytest.raises(NotStorable):
        Names([]).encode(Happened("x"))


def test_documents_are_upcast_step_by_step() -> None:
    names = Names([Shape("happened", Happened, (lambda d: {"what": d["w"]}, lambda d: {"what": d["what"] + "!"}))])
    assert names.encode(Happened("x"))["v"] == 3
    for version, data in ((1, {"w": "x"}), (2, {"what": "x"})):
        assert names.decode({"type": "happened", "v": version, "data": data}) == Happened("x!")
    with pytest.raises(Newer):
        names.decode({"type": "happened", "v": 4, "data": {}})
    with pytest.raises(Newer):
        names.decode({"type": "unheard-of", "v": 1, "data": {}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressed:
    customer_id: str
    note: Annotated[str, "free text"]
    street: Annotated[str, Personal("customer_id")] = ""


@dataclass(frozen=True, slots=True)
class Shipped:
    address: Addressed


@pytest.mark.parametrize("kind", [Addressed, Shipped, tuple[Addressed, ...]])
def test_personal_data_is_not_stored_in_clear_text(kind: Any) -> None:
    with pytest.raises(NotStorable, match="personal data of customer_id"):
        codec_of(kind)


def test_other_annotations_change_nothing() -> None:
    assert codec_of(Annotated[str, "free text"]).encode("x") == "x"
