"""A picture that is withdrawn from sale is hidden, and shown when it is offered again."""

from datetime import UTC, datetime

import grpc
import pytest
from media.licensing.v1 import licensing_events_pb2 as licensing
from treaty.messaging.broker import exchange_of
from treaty.projections import parts_of
from treaty.testing import eventually
from treaty.testing.clients import refusal
from treaty.testing.scenarios import given
from treaty.testing.world import embedded

from services.media.assets.domain.asset import Asset
from services.media.assets.domain.events import (
    AssetEvent,
    AssetHidden,
    AssetIndexed,
    AssetReadyForSearch,
    AssetRejected,
    AssetShown,
    AssetUploaded,
    MetadataExtracted,
)
from services.media.assets.domain.values import Picture, StoredContent
from services.media.assets.projections import AssetRow, PrintRow, asset_row, print_row
from tests.services.clients import told
from tests.services.media.studio import Studio

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
HASH = "0f1e2d3c4b5a6978"
UPLOADED = AssetUploaded(
    title="Sunset",
    photographer_id="ann",
    tags=(),
    content=StoredContent(content_id="c", size=1, sha256="ab"),
    uploaded_at=NOW,
)
INSPECTED = MetadataExtracted(
    picture=Picture(format="JPEG", width=4, height=3, mode="RGB", dhash=HASH),
    previews=(),
    credits_ref="",
    extracted_at=NOW,
)
READY: list[AssetEvent] = [UPLOADED, INSPECTED, AssetIndexed(indexed_at=NOW), AssetReadyForSearch(ready_at=NOW)]
HIDDEN, SHOWN = AssetHidden(reason="no release", hidden_at=NOW), AssetShown(shown_at=NOW)


def test_a_picture_that_is_ready_is_hidden_and_shown_once() -> None:
    given(Asset, "a", READY).when(lambda it: it.hide("no release", NOW)).then([HIDDEN])
    given(Asset, "a", [*READY, HIDDEN]).when(lambda it: it.hide("again", NOW)).then_nothing()
    given(Asset, "a", [*READY, HIDDEN]).when(lambda it: it.show(NOW)).then([SHOWN])
    given(Asset, "a", READY).when(lambda it: it.show(NOW)).then_nothing()


@pytest.mark.parametrize(
    "past",
    [READY[:3], [UPLOADED, AssetRejected(reason="EMPTY", explanation="It is empty.", rejected_at=NOW)]],
)
def test_a_picture_that_is_not_found_is_not_hidden(past: list[AssetEvent]) -> None:
    given(Asset, "a", past).when(lambda it: it.hide("no release", NOW)).then_nothing()


def test_a_hidden_picture_keeps_its_contents() -> None:
    assert given(Asset, "a", [*READY, HIDDEN]).state.content_ids == {"c"}


def test_a_hidden_picture_is_in_no_list_and_like_no_other_until_it_is_shown() -> None:
    row: AssetRow | None = None
    print_: PrintRow | None = None
    seen = []
    for event in [*READY, HIDDEN, SHOWN]:
        row, print_ = asset_row("a", row, event), print_row("a", print_, event)
        assert row is not None
        assert print_ is not None
        seen.append((row.ready, print_.ready, print_.parts))
    found, hidden = (True, True, tuple(parts_of(HASH))), (False, False, ())
    assert seen[3:] == [found, hidden, found]


async def test_a_withdrawal_of_a_picture_that_was_never_uploaded_changes_nothing() -> None:
    async with embedded("media.assets") as world:
        for event in (
            licensing.AssetWithdrawnFromSale(asset_id="unknown", reason="no release"),
            licensing.AssetOfferedForSale(asset_id="unknown"),
        ):
            await world.broker.publish(exchange_of("media.licensing"), told("unknown", event, world.ids.new()))
        assert await eventually(world.is_settled)
        refused = await refusal(Studio(world.channel, world.ids).get("unknown"))
        assert refused.code is grpc.StatusCode.NOT_FOUND
