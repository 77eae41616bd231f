"""The context map: how a context stands to those it listens to or calls, said where it is built."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

EXTERNAL = "external."


class Pattern(StrEnum):
    """The patterns of Evans' Domain-Driven Design for the relation of two contexts."""

    PARTNERSHIP = "partnership"
    SHARED_KERNEL = "shared kernel"
    CUSTOMER_SUPPLIER = "customer/supplier"
    CONFORMIST = "conformist"
    ANTI_CORRUPTION_LAYER = "anti-corruption layer"
    PUBLISHED_LANGUAGE = "published language"
    OPEN_HOST_SERVICE = "open host service"


@dataclass(frozen=True, slots=True)
class Relation:
    """How a context stands to one that is upstream of it.

    `upstream` is a context such as commerce.ordering, or a system of somebody else such as external.carrier; `why` is
    a short sentence for the map.
    """

    upstream: str
    pattern: Pattern
    why: str = ""

    @property
    def is_external(self) -> bool:
        return self.upstream.startswith(EXTERNAL)


def check(name: str, relations: Sequence[Relation], *, heard: Collection[str], called: Collection[str]) -> None:
    """Raises ValueError unless the relations name exactly the contexts that are really heard or called."""
    declared = {relation.upstream for relation in relations if not relation.is_external}
    real = {*heard, *called}
    if real - declared:
        raise ValueError(f"{name} stands in no declared relation to {', '.join(sorted(real - declared))}")
    if declared - real:
        raise ValueError(f"{name} neither hears nor calls {', '.join(sorted(declared - real))}")
