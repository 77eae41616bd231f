"""The anti-corruption layer: translates the events of Assets into commands of Licensing."""

from media.assets.v1 import assets_events_pb2 as assets

from services.media.licensing.application.commands import NoteAssetReady

_SUFFICIENT = (assets.RELEASE_UNSPECIFIED, assets.RELEASE_NOT_NEEDED, assets.RELEASE_ALL)
"""The releases with which a picture is sold for any use. If a picture does not say, its seller answers for it."""


def asset_ready(event: assets.AssetReadyForSearch) -> NoteAssetReady:
    """A picture can be sold. A release in a word that is not known here counts as missing."""
    releases = (event.model_release, event.property_release)
    return NoteAssetReady(
        asset_id=event.asset_id, editorial_only=any(release not in _SUFFICIENT for release in releases)
    )
