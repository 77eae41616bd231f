"""Made-up messages of any protobuf type, and mutations of their bytes; the same ones for the same seed."""

import random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

_DEEPEST = 4
_TEXTS = (
    "",
    "0",
    "lamp",
    "\0",
    "ü€🙂",
    "../..",
    "$where",
    "a@b",
    "x" * 300,
    "stock-main/lamp@1",
    "2026-13-45",
    "-1",
    "  ",
)
_WHOLE = (0, 1, -1, 7, 1000, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 2**32 - 1, 2**64 - 1)
_SIZES = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_BROKEN = (float("nan"), float("inf"), -0.0, 1e308, 0.5)


def message(chance: random.Random, kind: Descriptor, depth: int = 0) -> Any:
    """Returns a message whose fields hold values of their types, sensible or not."""
    made = GetMessageClass(kind)()
    for field in kind.fields:
        if chance.random() < 0.15 or depth > _DEEPEST:
            continue
        if field.is_repeated:
            for _ in range(chance.choice((0, 1, 1, 3))):
                _add(chance, getattr(made, field.name), field, depth)
        elif field.message_type is not None:
            getattr(made, field.name).CopyFrom(message(chance, field.message_type, depth + 1))
        else:
            setattr(made, field.name, _value(chance, field))
    return made


def _add(chance: random.Random, values: Any, field: FieldDescriptor, depth: int) -> None:
    if field.message_type is None:
        values.append(_value(chance, field))
    elif field.message_type.GetOptions().map_entry:
        key, value = field.message_type.fields
        if value.message_type is None:
            values[_value(chance, key)] = _value(chance, value)
    else:
        values.append(message(chance, field.message_type, depth + 1))


def _value(chance: random.Random, field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        return chance.choice([*(value.number for value in field.enum_type.values), 99, -1])
    if field.cpp_type in _SIZES:
        low, high = _SIZES[field.cpp_type]
        return chance.choice([number for number in _WHOLE if low <= number <= high])
    if field.type == FieldDescriptor.TYPE_BYTES:
        return chance.randbytes(chance.choice((0, 3, 200)))
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return chance.random() < 0.5
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return _text(chance, field.name)
    return chance.choice(_BROKEN)


def _text(chance: random.Random, name: str) -> str:
    """Returns a text; for an id mostly a good one, so that more than the first check is reached."""
    if name.endswith("_id") and chance.random() < 0.8:
        return f"{chance.randrange(2**32):08x}-0000-4000-8000-{chance.randrange(20):012x}"
    if name == "currency":
        return chance.choice(("GBP", "EUR", "gbp", "XXX", "", "🙂"))
    return chance.choice(_TEXTS)


def mutated(chance: random.Random, data: bytes) -> bytes:
    """Returns the bytes with a few changes: flipped, cut, doubled, or something put in between."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(4):
            case 0 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 1:
                del changed[at : at + chance.randint(1, 8)]
            case 2:
                changed[at:at] = changed[at : at + 16]
            case _:
                changed[at:at] = chance.randbytes(chance.randint(1, 8))
    return bytes(changed)
