"""The releases of a picture, as Asset Processing tells them."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from services.media.assets.acl import WorkerInspection
from services.media.assets.domain.values import Release
from services.media.assets.external.pictures import messages


class _Workers:
    """Workers that find these words in every picture."""

    def __init__(self, **words: str) -> None:
        self._words = words

    async def inspect_content(self, content: AsyncIterator[bytes]) -> messages.Inspected:
        metadata = messages.Metadata(**self._words)  # type: ignore[arg-type]
        picture = messages.Picture(format="JPEG", width=4, height=3, mode="RGB", metadata=metadata)
        whole = messages.Delivery(parts=(), size=1, sha256="ab")
        return messages.Inspected(picture=picture, personal=messages.Personal(), previews={}, delivery=whole)


async def _nothing() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize(
    ("model", "building", "told"),
    [
        ("MR-NAP", "PR-NAP", (Release.NOT_NEEDED, Release.NOT_NEEDED)),
        ("MR-UMR", "PR-UPR", (Release.ALL, Release.ALL)),
        ("MR-LMR", "PR-LPR", (Release.SOME, Release.SOME)),
        ("MR-NON", "pr-non", (Release.NONE, Release.NONE)),
        ("", "on file", (Release.UNKNOWN, Release.UNKNOWN)),
    ],
)
async def test_releases_are_told_as_the_picture_has_them(
    model: str, building: str, told: tuple[Release, Release]
) -> None:
    workers = _Workers(model_release=model, property_release=building)
    picture = (await WorkerInspection(cast(Any, workers)).inspect(_nothing())).picture
    assert (picture.model_release, picture.property_release) == told
