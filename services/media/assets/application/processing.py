"""Use cases: the steps of the processing of an asset."""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from treaty.causes import Cause
from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.contents import Contents
from treaty.domain import Call, Policy, Rejected
from treaty.personal_data import PersonalData
from treaty.projections import View

from services.media.assets.application.commands import PrepareDelivery
from services.media.assets.application.erasures import credits_of, erasures_of
from services.media.assets.application.ports import Inspected, Inspection, Unreadable
from services.media.assets.application.recipes import written
from services.media.assets.domain.asset import Asset, NotInspected, Status
from services.media.assets.domain.events import (
    AssetEvent,
    AssetIndexed,
    AssetReadyForSearch,
    AssetRejected,
    AssetUploaded,
    MetadataExtracted,
)
from services.media.assets.domain.photographer import Photographer
from services.media.assets.domain.values import Delivery, Preview, Size, StoredContent
from services.media.assets.projections import AssetRow
from services.media.assets.sagas.processing import IndexAsset, InspectAsset, MakeAssetReady, Step, StepReached


class Undeliverable(Rejected):
    """A picture that is ready cannot be delivered without what must not be delivered."""

    reason = "UNDELIVERABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The use cases of the processing. Each may be called again, and does nothing if its step is over."""

    assets: Repository[Asset]
    photographers: Repository[Photographer]
    contents: Contents
    inspection: Inspection
    asset_rows: View[AssetRow]
    personal_data: PersonalData
    clock: Clock

    async def inspect_asset(self, command: InspectAsset) -> Committed[Asset]:
        """Looks at the picture, and keeps its previews and credits; rejects a content that is no picture."""
        asset = (await self.assets.get(command.asset_id)).state
        if asset.status is not Status.UPLOADED or asset.content is None:
            return await self.assets.get(command.asset_id)
        try:
            inspected = await self.inspection.inspect(self.contents.get(asset.content.content_id))
        except Unreadable as unreadable:
            reason, explanation, now = unreadable.reason, unreadable.explanation, self.clock.now()
            return await self.assets.change(asset.id, lambda it: it.reject(reason, explanation, now))
        previews = await self._keep_previews(asset.id, inspected.previews)
        delivery = await self._keep_recipe(asset.id, inspected)
        ref = await self._keep_credits(asset, inspected.credits)
        now = self.clock.now()
        done = await self.assets.change(
            asset.id, lambda it: it.extract(inspected.picture, previews, ref, now, delivery)
        )
        if done.state.previews != previews:
            for preview in previews:  # another attempt was first
                await self.contents.delete(preview.content.content_id)
            await self._drop_recipe(delivery)
        return done

    async def prepare_delivery(self, command: PrepareDelivery) -> Committed[Asset]:
        """Looks again at a picture that was inspected before deliveries were prepared.

        Raises:
            Undeliverable: if it cannot be read any longer, so that nobody can say what is in it.
        """
        asset = (await self.assets.get(command.asset_id)).state
        if asset.content is None or asset.picture is None:
            raise NotInspected(f"the asset {asset.id} is {asset.status}, and there is nothing to deliver")
        try:
            inspected = await self.inspection.inspect(self.contents.get(asset.content.content_id))
        except Unreadable as unreadable:
            raise Undeliverable(f"the asset {asset.id} cannot be delivered: {unreadable.explanation}") from None
        delivery, now = await self._keep_recipe(asset.id, inspected), self.clock.now()
        once = Cause(id=f"delivery/{asset.id}", durable=True)  # a download is a query, and has none
        done = await self.assets.change(asset.id, lambda it: it.prepare(delivery, now), cause=once)
        if done.state.delivery != delivery:
            await self._drop_recipe(delivery)
        return done

    async def index_asset(self, command: IndexAsset) -> Committed[Asset]:
        """Waits until the search has the asset.

        Raises:
            NotShown: if that takes long; then the call is made again.
        """
        found = await self.assets.get(command.asset_id)
        await self.asset_rows.row(command.asset_id, not_before=found.revision)
        now = self.clock.now()
        return await self.assets.change(command.asset_id, lambda it: it.index(now))

    async def make_asset_ready(self, command: MakeAssetReady) -> Committed[Asset]:
        now = self.clock.now()
        return await self.assets.change(command.asset_id, lambda it: it.make_ready(now))

    async def _keep_credits(self, asset: Asset, credits: Mapping[str, str]) -> str:
        """Keeps what a picture says about people; not if its photographer was erased after the upload."""
        if not credits:
            return ""
        subject = credits_of(asset.photographer_id, asset.erasures)
        ref = "" if await self._is_erased(asset) else await self.personal_data.keep(subject, dict(credits))
        if await self._is_erased(asset):  # meanwhile, or after an attempt that was interrupted here
            await self.personal_data.erase(subject)
            return ""
        return ref

    async def _is_erased(self, asset: Asset) -> bool:
        return await erasures_of(self.photographers, asset.photographer_id) > asset.erasures

    async def _keep_recipe(self, asset_id: str, inspected: Inspected) -> Delivery:
        recipe = None
        if inspected.parts:
            content = await self.contents.put(_once(written(inspected.parts)), owner=asset_id)
            recipe = StoredContent(content_id=content.id, size=content.size, sha256=content.sha256)
        return Delivery(recipe=recipe, size=inspected.size, sha256=inspected.sha256)

    async def _drop_recipe(self, delivery: Delivery) -> None:
        """Removes the recipe of an attempt that was not the first."""
        if delivery.recipe is not None:
            await self.contents.delete(delivery.recipe.content_id)

    async def _keep_previews(self, asset_id: str, previews: Mapping[Size, bytes]) -> tuple[Preview, ...]:
        kept = []
        for size, data in sorted(previews.items()):
            content = await self.contents.put(_once(data), owner=asset_id)
            stored = StoredContent(content_id=content.id, size=content.size, sha256=content.sha256)
            kept.append(Preview(size=size, content=stored))
        return tuple(kept)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def following(within: timedelta) -> Policy:
    """Returns the policy that tells the processing of an asset to which step it has come.

    Args:
        within: the time for the next step.
    """

    def follow_asset(asset: Asset, event: AssetEvent) -> Iterator[Call]:
        if step := _STEPS.get(type(event)):
            yield Call(StepReached(asset_id=asset.id, step=int(step), within=within))

    return follow_asset


_STEPS = {
    AssetUploaded: Step.UPLOADED,
    MetadataExtracted: Step.INSPECTED,
    AssetIndexed: Step.INDEXED,
    AssetReadyForSearch: Step.ENDED,
    AssetRejected: Step.ENDED,
}
