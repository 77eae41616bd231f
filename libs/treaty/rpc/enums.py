"""Tables between the values of a domain and those of a protobuf enum."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from treaty.domain import Invalid

D = TypeVar("D")
W = TypeVar("W", bound=int)


class EnumTable(Generic[D, W]):
    """Translates in both directions between the values of a domain and the numbers of a protobuf enum.

    Several values of the domain may have the same number: that number then means the first of them.
    """

    def __init__(self, table: Mapping[D, W]) -> None:
        self._to_wire = dict(table)
        self._from_wire: dict[W, D] = {}
        for value, number in table.items():
            self._from_wire.setdefault(number, value)

    def to_wire(self, value: D) -> W:
        """Returns the number of a value. Raises KeyError if the table does not have the value."""
        return self._to_wire[value]

    def from_wire(self, number: W, *, field: str = "") -> D:
        """Returns the value of a number.

        Raises:
            Invalid: if the table does not have the number; `field` is the name of the request's field.
        """
        if number not in self._from_wire:
            raise Invalid(f"{number} is not a value that is known here", field=field)
        return self._from_wire[number]

    def find(self, number: W) -> D | None:
        """Returns the value of a number, or None if the table does not have it, as for an unspecified filter."""
        return self._from_wire.get(number)
