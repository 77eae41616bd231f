"""The context map (Eric Evans): the declared relations of a context to the contexts it subscribes to or calls."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from treaty.wiring import WiringError

EXTERNAL = "external."


class Pattern(StrEnum):
    """The patterns of the relation of two contexts, from Eric Evans' Domain-Driven Design."""

    PARTNERSHIP = "partnership"
    SHARED_KERNEL = "shared kernel"
    CUSTOMER_SUPPLIER = "customer/supplier"
    CONFORMIST = "conformist"
    ANTI_CORRUPTION_LAYER = "anti-corruption layer"
    PUBLISHED_LANGUAGE = "published language"
    OPEN_HOST_SERVICE = "open host service"


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation of a context to one that is upstream of it.

    `upstream` is a context such as commerce.ordering, or a system of another company such as external.carrier. `why` is
    a short sentence for the map.
    """

    upstream: str
    pattern: Pattern
    why: str = ""

    @property
    def is_external(self) -> bool:
        return self.upstream.startswith(EXTERNAL)


def check(name: str, relations: Sequence[Relation], *, heard: Collection[str], called: Collection[str]) -> None:
    """Checks that the relations name exactly the contexts that this one subscribes to or calls.

    Raises:
        WiringError: with the line to add or to remove.
    """
    declared = {relation.upstream for relation in relations if not relation.is_external}
    for other in sorted({*heard, *called} - declared):
        doing = "subscribes to" if other in heard else "calls"
        raise WiringError(
            f"{name} {doing} {other} and declares no relation to it: "
            f'add Relation("{other}", Pattern.ANTI_CORRUPTION_LAYER, "why") to `relations` in service.py'
        )
    for other in sorted(declared - {*heard, *called}):
        raise WiringError(
            f"{name} declares a relation to {other}, and neither subscribes to it nor calls it: "
            f'remove Relation("{other}", …) from `relations` in service.py'
        )
