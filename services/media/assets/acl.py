"""Translates what the workers find in pictures, and the events of Licensing, to the words of Asset Processing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from media.licensing.v1 import licensing_events_pb2 as licensing

from services.media.assets.application import ports
from services.media.assets.application.commands import HideAsset, ShowAsset
from services.media.assets.domain.values import Picture, Release, Size
from services.media.assets.external.pictures.client import PictureWorkers, WorkersFailed
from services.media.assets.external.pictures.messages import Metadata, Personal, Unreadable

_RELEASES = {
    "MR-NAP": Release.NOT_NEEDED,
    "MR-UMR": Release.ALL,
    "MR-LMR": Release.SOME,
    "MR-NON": Release.NONE,
    "PR-NAP": Release.NOT_NEEDED,
    "PR-UPR": Release.ALL,
    "PR-LPR": Release.SOME,
    "PR-NON": Release.NONE,
}
"""The codes of PLUS for releases of models and of property."""


@dataclass(frozen=True, slots=True)
class WorkerInspection:
    """Inspects pictures in worker processes."""

    workers: PictureWorkers

    async def inspect(self, content: AsyncIterator[bytes]) -> ports.Inspected:
        try:
            found = await self.workers.inspect_content(content)
        except Unreadable as refused:
            raise ports.Unreadable(refused.reason.value, refused.sentence) from None
        except (WorkersFailed, OSError) as failed:
            raise ports.InspectionAway(str(failed)) from None
        seen = found.picture
        picture = Picture(
            format=seen.format,
            width=seen.width,
            height=seen.height,
            mode=seen.mode,
            frames=seen.frames,
            camera=seen.metadata.camera,
            taken_at=seen.metadata.taken_at,
            keywords=seen.metadata.keywords,
            dhash=seen.dhash,
            orientations=tuple(hash for hash in seen.orientations if hash),
            warnings=seen.warnings,
            model_release=_release(seen.metadata.model_release),
            property_release=_release(seen.metadata.property_release),
        )
        previews = {Size(name): data for name, data in found.previews.items()}
        parts = [
            ports.Part(start=part.start, stop=part.stop, new=part.new, blank=part.blank)
            for part in found.delivery.parts
        ]
        return ports.Inspected(
            picture=picture,
            credits=_credits(seen.metadata, found.personal),
            previews=previews,
            parts=parts,
            size=found.delivery.size,
            sha256=found.delivery.sha256,
        )


def asset_withdrawn(event: licensing.AssetWithdrawnFromSale) -> HideAsset:
    return HideAsset(asset_id=event.asset_id, reason=event.reason)


def asset_offered(event: licensing.AssetOfferedForSale) -> ShowAsset:
    return ShowAsset(asset_id=event.asset_id)


def _release(code: str) -> Release:
    """A code that PLUS does not have says nothing."""
    return _RELEASES.get(code.upper(), Release.UNKNOWN)


def _credits(metadata: Metadata, personal: Personal) -> dict[str, str]:
    """Returns what a picture says about people and rights; only what is there."""
    told = {
        "creator": metadata.creator,
        "copyright": metadata.copyright,
        "credit": metadata.credit,
        "usage_terms": metadata.usage_terms,
        "web_statement": metadata.web_statement,
        "caption": metadata.caption,
        "licensor": metadata.licensor,
        "marked": "" if metadata.marked is None else str(metadata.marked).lower(),
        "model_release": metadata.model_release,
        "property_release": metadata.property_release,
        "data_mining": metadata.data_mining,
        "latitude": "" if personal.latitude is None else f"{personal.latitude:.6f}",
        "longitude": "" if personal.longitude is None else f"{personal.longitude:.6f}",
        "owner": personal.owner,
        "serials": ", ".join(personal.serials),
    }
    return {name: text for name, text in told.items() if text}
