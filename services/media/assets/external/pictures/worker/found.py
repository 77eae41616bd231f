"""The metadata from one source, before the sources are merged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.media.assets.external.pictures.messages import Metadata, Personal
from services.media.assets.external.pictures.worker.notes import distinct


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    metadata: Metadata = field(default_factory=Metadata)
    personal: Personal = field(default_factory=Personal)


def merged(sources: Sequence[Found]) -> tuple[Metadata, Personal]:
    """Returns each field from the first source that has it; the serial numbers of all of them."""
    metadata = {
        name: next((value for one in sources if (value := getattr(one.metadata, name)) not in ("", (), None)), default)
        for name, default in ((name, getattr(Metadata(), name)) for name in Metadata.__dataclass_fields__)
    }
    place = next((one.personal for one in sources if one.personal.latitude is not None), Personal())
    personal = Personal(
        latitude=place.latitude,
        longitude=place.longitude,
        owner=next((one.personal.owner for one in sources if one.personal.owner), ""),
        serials=distinct([serial for one in sources for serial in one.personal.serials]),
    )
    return Metadata(**metadata), personal


def position(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Returns the position if it is one on earth: no NaN, not out of range, and not the 0/0 of a device without fix."""
    if latitude is None or longitude is None:
        return None
    on_earth = -90 <= latitude <= 90 and -180 <= longitude <= 180
    return (latitude, longitude) if on_earth and (latitude, longitude) != (0, 0) else None
