"""How often the personal data of a photographer were erased."""

from treaty.commits import Repository
from treaty.domain import NotFound

from services.media.assets.domain.photographer import Photographer


async def erasures_of(photographers: Repository[Photographer], photographer_id: str) -> int:
    """Returns the number of recorded erasures."""
    try:
        return (await photographers.get(photographer_id)).state.erasures
    except NotFound:
        return 0


def credits_of(photographer_id: str, erasures: int) -> str:
    """Returns the subject of the credits of pictures that were uploaded after so many erasures.

    So an erasure does not reach the credits of pictures that were uploaded after it. No id has an @.
    """
    return f"{photographer_id}@{erasures}"
