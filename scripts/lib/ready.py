"""The event that a picture is ready, for measurements, simulations and tests of Licensing without Asset Processing."""

from typing import Any

from media.assets.v1 import assets_events_pb2 as assets
from treaty.clock import SystemClock
from treaty.messaging.broker import exchange_of
from treaty.messaging.envelope import Envelope

ASSETS = exchange_of("media.assets")


def ready(asset_id: str, **values: Any) -> Envelope:
    """Returns the event as Asset Processing would announce it, with these values besides the id."""
    event = assets.AssetReadyForSearch(asset_id=asset_id, **values)
    return Envelope(
        id=f"asset-{asset_id}@4#1",
        type=event.DESCRIPTOR.full_name,
        source=f"/media.assets/asset-{asset_id}",
        subject=asset_id,
        time=SystemClock().now(),
        partition_key=asset_id,
        sequence="000000000001",
        body=event.SerializeToString(),
    )
