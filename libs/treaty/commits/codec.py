"""Codecs between values and documents: compiled once per type, and strict about the types that can be stored.

A stored shape is a dataclass whose fields are str, int, bool, float, bytes, aware datetimes, timedeltas (stored as
seconds), enums, NewTypes, other dataclasses, `tuple[X, ...]`, `frozenset[X]`, `Mapping[str, X]` or `X | None`. Mutable
fields are refused, because a fork of an aggregate is a shallow copy. A field's stored name is the attribute's name, or
`metadata={"stored": name}` after a rename.
"""

import collections.abc
import dataclasses
import enum
import hashlib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from treaty.wiring import WiringError, shape_of

Convert = Callable[[Any], Any]

_PLAIN = (str, int, bool, float, bytes)


class NotStorable(WiringError, TypeError):
    """Raised for a type that has no stored shape: when a service is built, never while it runs."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks personal data: `Annotated[str, Personal("customer_id")]` belongs to the person in the field `customer_id`.

    A commit is immutable, so it may hold personal data only if the data is encrypted with a key of its subject that can
    be deleted. The toolkit has no such keys yet, so it refuses a shape with a personal field.
    """

    subject: str


class NeedsDeploy(Exception):
    """Only another version of the code can handle this: another try before a deploy has no effect."""


class Newer(NeedsDeploy):
    """The stored data has a type or version that only a later version of the code has. It is never guessed."""


@dataclass(frozen=True, slots=True)
class Codec:
    """The two conversions of one type, and `shape`: a text that changes whenever the stored form changes."""

    encode: Convert
    decode: Convert
    shape: str

    @property
    def fingerprint(self) -> str:
        return hashlib.blake2s(self.shape.encode(), digest_size=8).hexdigest()


@cache
def codec_of(kind: Any) -> Codec:
    """Compiles the codec of a type.

    Raises:
        NotStorable: if the type, or a part of it, has no stored shape.
    """
    if isinstance(kind, typing.NewType):
        return codec_of(kind.__supertype__)
    if kind in _PLAIN:
        return Codec(_same, _same, kind.__name__)
    if kind is datetime:
        return Codec(_to_utc, _from_utc, "datetime")
    if kind is timedelta:
        return Codec(timedelta.total_seconds, _from_seconds, "seconds")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enum(kind)
    if dataclasses.is_dataclass(kind):
        return _record(kind)
    return _generic(kind)


def _generic(kind: Any) -> Codec:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        return _annotated(*arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _sequence(arguments[0], tuple)
    if origin is frozenset:
        return _sequence(arguments[0], frozenset)
    if origin is collections.abc.Mapping and arguments[0] is str:
        return _mapping(arguments[1])
    if origin in (typing.Union, types.UnionType) and len(arguments) == 2 and type(None) in arguments:
        return _optional(next(a for a in arguments if a is not type(None)))
    raise NotStorable(f"{kind!r} cannot be stored: use an immutable type that `treaty.commits.codec` lists")


def _annotated(kind: Any, *marks: Any) -> Codec:
    for mark in marks:
        if isinstance(mark, Personal):
            raise NotStorable(f"personal data of {mark.subject} cannot be stored: there are no keys to encrypt it with")
    return codec_of(kind)


def _same(value: Any) -> Any:
    return value


def _to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: use a datetime in UTC")
    return value.astimezone(UTC)


def _from_utc(value: datetime) -> datetime:
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _from_seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


def _enum(kind: type[enum.Enum]) -> Codec:
    def decode(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise Newer(f"{value!r} is no {kind.__name__} of this version of the code") from None

    return Codec(lambda member: member.value, decode, f"enum({'|'.join(str(m.value) for m in kind)})")


def _sequence(item: Any, build: Callable[[Any], Any]) -> Codec:
    inner = codec_of(item)
    encode, decode = inner.encode, inner.decode
    ordered: Callable[[Any], Any] = sorted if build is frozenset else list
    return Codec(
        lambda values: ordered([encode(v) for v in values]),
        lambda values: build([decode(v) for v in values]),
        f"{build.__name__}[{inner.shape}]",
    )


def _mapping(item: Any) -> Codec:
    inner = codec_of(item)
    encode, decode = inner.encode, inner.decode
    return Codec(
        lambda values: {_key(k): encode(v) for k, v in values.items()},
        lambda values: types.MappingProxyType({k: decode(v) for k, v in values.items()}),
        f"map[{inner.shape}]",
    )


def _key(key: str) -> str:
    if "." in key or key.startswith("$"):
        raise ValueError(f"{key!r} cannot be a key of a stored mapping: use a tuple of values that have it as a field")
    return key


def _optional(item: Any) -> Codec:
    inner = codec_of(item)
    encode, decode = inner.encode, inner.decode
    return Codec(
        lambda value: None if value is None else encode(value),
        lambda value: None if value is None else decode(value),
        f"{inner.shape}?",
    )


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    stored: str
    codec: Codec
    required: bool


def _fields(kind: Any) -> list[_Field]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception as error:  # an annotation in quotes may be any expression
        raise NotStorable(f"the fields of {kind.__name__} cannot be read: {error}: correct its annotations") from None
    return [
        _Field(
            name=f.name,
            stored=f.metadata.get("stored", f.name),
            codec=codec_of(hints[f.name]),
            required=f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
        )
        for f in dataclasses.fields(kind)
        if f.init
    ]


def _record(kind: Any) -> Codec:
    fields = _fields(kind)
    converted = [(f.name, f.stored, f.codec.encode) for f in fields if f.codec.encode is not _same]
    plain = [(f.name, f.stored) for f in fields if f.codec.encode is _same]

    def encode(value: Any) -> dict[str, Any]:
        document = {stored: getattr(value, name) for name, stored in plain}
        for name, stored, convert in converted:
            document[stored] = convert(getattr(value, name))
        return document

    parts = [(f.name, f.stored, f.codec.decode) for f in fields]

    def decode(document: Mapping[str, Any]) -> Any:
        values = {name: convert(document[stored]) for name, stored, convert in parts if stored in document}
        return kind(**values)

    shape = ",".join(f"{f.stored}:{f.codec.shape}{'' if f.required else '='}" for f in fields)
    return Codec(encode, decode, f"{{{shape}}}")


Upcast = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Converts the document of one version into the document of the next version."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The stored name and version of one type. `upcasts[0]` converts version 1 into version 2, and so on."""

    name: str
    kind: type
    upcasts: tuple[Upcast, ...] = ()

    @property
    def version(self) -> int:
        return len(self.upcasts) + 1


class Names:
    """A closed set of stored types, such as the events of an aggregate; a stored value is {type, v, data}."""

    def __init__(self, shapes: typing.Iterable[Shape]) -> None:
        self.shapes = tuple(shapes)
        self._codecs = {shape.name: codec_of(shape.kind) for shape in self.shapes}
        self._by_name = {shape.name: shape for shape in self.shapes}
        self._by_kind = {shape.kind: shape for shape in self.shapes}
        if len(self._by_name) != len(self.shapes) or len(self._by_kind) != len(self.shapes):
            raise NotStorable("every stored name and every type may be listed only once")

    def encode(self, value: object) -> dict[str, Any]:
        """Returns the stored form {type, v, data} of a value.

        Raises:
            NotStorable: if the type of the value has no stored name.
        """
        shape = self._by_kind.get(type(value))
        if shape is None:
            kind = type(value)
            raise NotStorable(f"{kind.__name__} has no stored name: add {shape_of(kind)} in storage.py")
        return {"type": shape.name, "v": shape.version, "data": self._codecs[shape.name].encode(value)}

    def decode(self, document: Mapping[str, Any]) -> Any:
        """Returns the value of a stored form, upcast to the version of this code.

        Raises:
            Newer: if this code does not have the name or the version yet.
        """
        name, version, data = document["type"], document["v"], document["data"]
        shape = self._by_name.get(name)
        if shape is None or version > shape.version:
            raise Newer(f"{name!r} in version {version} is newer than this code")
        for upcast in shape.upcasts[version - 1 :]:
            data = upcast(data)
        return self._codecs[name].decode(data)
