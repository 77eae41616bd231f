"""Erased photographers: what was uploaded before an erasure loses its credits, whatever the clocks of processes say."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from treaty.clock import SystemClock
from treaty.memory.personal_data import MemoryPersonalData

from services.media.assets.application.erasures import credits_of
from services.media.assets.application.processing import Work
from services.media.assets.domain.asset import Asset
from services.media.assets.domain.photographer import Photographer

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
CREDITS = {"creator": "Ann Lee"}


class _Photographers:
    """A repository with one photographer, who was erased at noon."""

    async def get(self, id: str) -> Any:
        photographer = Photographer(id=id)
        photographer.erase(NOW)
        return SimpleNamespace(state=photographer)


def work_with(personal_data: MemoryPersonalData) -> Work:
    missing = cast(Any, None)
    return Work(
        assets=missing,
        photographers=cast(Any, _Photographers()),
        contents=missing,
        inspection=missing,
        asset_rows=missing,
        personal_data=personal_data,
        clock=missing,
    )


@pytest.mark.parametrize("skew", [timedelta(minutes=-5), timedelta(minutes=5)], ids=["slow", "fast"])
@pytest.mark.parametrize(("erasures", "kept"), [(0, False), (1, True)], ids=["before", "after"])
async def test_an_upload_before_the_erasure_keeps_no_credits_and_one_after_it_does(
    skew: timedelta, erasures: int, kept: bool
) -> None:
    work = work_with(personal_data := MemoryPersonalData(SystemClock()))
    asset = Asset(id="a", photographer_id="p", uploaded_at=NOW + skew, erasures=erasures)
    ref = await work._keep_credits(asset, CREDITS)
    assert bool(ref) == kept
    assert await personal_data.erase(credits_of("p", erasures)) == int(kept)


async def test_a_picture_from_before_an_erasure_leaves_the_credits_of_a_later_one() -> None:
    work = work_with(personal_data := MemoryPersonalData(SystemClock()))
    later = await work._keep_credits(Asset(id="b", photographer_id="p", uploaded_at=NOW, erasures=1), CREDITS)
    left = await personal_data.keep(credits_of("p", 0), CREDITS)  # by an attempt that was interrupted
    earlier = Asset(id="a", photographer_id="p", uploaded_at=NOW, erasures=0)
    assert await work._keep_credits(earlier, CREDITS) == ""
    assert await personal_data.find(later) == CREDITS
    assert await personal_data.find(left) is None
