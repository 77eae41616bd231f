"""Erased photographers: what was uploaded before an erasure loses its credits, whatever the clocks of processes say."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from treaty.memory.personal_data import MemoryPersonalData

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


@pytest.mark.parametrize("skew", [timedelta(minutes=-5), timedelta(minutes=5)], ids=["slow", "fast"])
@pytest.mark.parametrize(("erasures", "kept"), [(0, False), (1, True)], ids=["before", "after"])
async def test_an_upload_before_the_erasure_keeps_no_credits_and_one_after_it_does(
    skew: timedelta, erasures: int, kept: bool
) -> None:
    personal_data, missing = MemoryPersonalData(), cast(Any, None)
    work = Work(
        assets=missing,
        photographers=cast(Any, _Photographers()),
        contents=missing,
        inspection=missing,
        asset_rows=missing,
        personal_data=personal_data,
        clock=missing,
    )
    asset = Asset(id="a", photographer_id="p", uploaded_at=NOW + skew, erasures=erasures)
    ref = await work._keep_credits(asset, CREDITS)
    assert bool(ref) == kept
    assert await personal_data.erase("p") == int(kept)
