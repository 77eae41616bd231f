"""Use cases: upload pictures, download them, and find them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.contents import Content, Contents, owner_of
from treaty.dependencies import DependencyAway
from treaty.domain import DomainError, Invalid, NotFound
from treaty.personal_data import PersonalData
from treaty.projections import Between, Facets, Key, Near, View, Words

from services.media.assets.application.commands import (
    DownloadAsset,
    DownloadPreview,
    ErasePhotographer,
    FindSimilar,
    GetAsset,
    HideAsset,
    PrepareDelivery,
    SearchAssets,
    ShowAsset,
    UploadAsset,
)
from services.media.assets.application.erasures import credits_of, erasures_of
from services.media.assets.application.recipes import delivered, read
from services.media.assets.domain.asset import Asset, NotInspected
from services.media.assets.domain.photographer import Photographer
from services.media.assets.domain.values import MAYBE, Likeness, StoredContent, likeness
from services.media.assets.projections import AssetRow, PrintRow

FACETS = ("tags", "orientation", "camera", "photographer_id", "format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Bytes with their media type, size and SHA-256; `pieces` yields them."""

    media_type: str
    size: int
    sha256: str
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A picture that looks alike; `distance` is in bits of 64."""

    asset_id: str
    distance: int
    likeness: Likeness


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The use cases of assets that people and other programs call.

    Attributes:
        prepare: prepares the delivery of a picture that was inspected without it.
    """

    assets: Repository[Asset]
    photographers: Repository[Photographer]
    contents: Contents
    asset_rows: View[AssetRow]
    print_rows: View[PrintRow]
    personal_data: PersonalData
    clock: Clock
    prepare: Callable[[PrepareDelivery], Awaitable[Committed[Asset]]]

    async def upload_asset(self, command: UploadAsset) -> Committed[Asset]:
        """Stores the content, and then commits that it is there.

        A repetition stores the content again, and gets the first answer; the second content is removed, as is that of
        an upload that is refused. If the outcome is unknown, the content stays until a sweep.
        """
        erasures = await erasures_of(self.photographers, command.photographer_id)
        content = await self.contents.put(command.pieces, owner=command.asset_id)
        now = self.clock.now()
        try:
            if not content.size:
                raise Invalid("the content has no bytes", field="piece", reason="EMPTY")
            uploaded = await self.assets.add(
                command.asset_id,
                lambda it: it.upload(
                    title=command.title,
                    photographer_id=command.photographer_id,
                    tags=command.tags,
                    content=_stored(content),
                    now=now,
                    erasures=erasures,
                ),
            )
        except DomainError:
            await self._drop(content.id)
            raise
        if content.id not in uploaded.state.content_ids:
            await self._drop(content.id)
        return uploaded

    async def hide_asset(self, command: HideAsset) -> Committed[Asset]:
        """Takes an asset out of the search. Who has a license still downloads it."""
        now = self.clock.now()
        return await self.assets.change(command.asset_id, lambda it: it.hide(command.reason, now))

    async def show_asset(self, command: ShowAsset) -> Committed[Asset]:
        """Puts an asset back into the search, if it was hidden."""
        now = self.clock.now()
        return await self.assets.change(command.asset_id, lambda it: it.show(now))

    async def erase_photographer(self, command: ErasePhotographer) -> int:
        """Erases the credits of all pictures of a photographer; returns how many there were.

        The erasure is committed first, so that an inspection that runs meanwhile erases what it keeps.
        """
        now = self.clock.now()
        erased = await self.photographers.add(command.photographer_id, lambda it: it.erase(now))
        before = credits_of(command.photographer_id, erased.state.erasures - 1)
        older = command.photographer_id  # the subject that a version before this one used
        return await self.personal_data.erase(before) + await self.personal_data.erase(older)

    async def get_asset(self, query: GetAsset) -> tuple[Committed[Asset], Mapping[str, str]]:
        """Returns an asset, and its credits, as far as they are there."""
        found = await self.assets.get(query.asset_id)
        credits = await self.personal_data.find(found.state.credits_ref) if found.state.credits_ref else None
        return found, credits or {}

    async def download_asset(self, query: DownloadAsset) -> Download:
        """Delivers the pixels and the rights of an upload, without its place and its devices.

        Raises:
            NotInspected: if nobody has looked at it yet, or it was rejected.
            Undeliverable: if nobody can say any longer what is in it.
        """
        asset = (await self.assets.get(query.asset_id)).state
        if asset.content is None or asset.picture is None:
            raise NotInspected(f"the asset {asset.id} is {asset.status}, and there is nothing to deliver")
        delivery = asset.delivery or (await self.prepare(PrepareDelivery(asset_id=asset.id))).state.delivery
        assert delivery is not None
        pieces: AsyncIterator[bytes] = self.contents.get(asset.content.content_id)
        if delivery.recipe is not None:
            recipe = b"".join([piece async for piece in self.contents.get(delivery.recipe.content_id)])
            pieces = delivered(pieces, read(recipe))
        return Download(
            media_type=f"image/{asset.picture.format.lower()}",
            size=delivery.size,
            sha256=delivery.sha256,
            pieces=pieces,
        )

    async def download_preview(self, query: DownloadPreview) -> Download:
        """Raises NotInspected if there is no preview yet."""
        content = (await self.assets.get(query.asset_id)).state.preview(query.size)
        pieces = self.contents.get(content.content_id)
        return Download(media_type="image/jpeg", size=content.size, sha256=content.sha256, pieces=pieces)

    async def search_assets(self, query: SearchAssets) -> tuple[list[AssetRow], Key | None, Facets | None]:
        """Returns a page of the assets that are ready, the key of the next page, and the facets if asked for."""
        where = _where(query)
        rows, after = await self.asset_rows.page(where, query.page)
        return rows, after, await self.asset_rows.facets(where, *FACETS) if query.facets else None

    async def find_similar(self, query: FindSimilar) -> list[Match] | None:
        """Returns the pictures that look alike, the nearest first; None if the picture has no contours.

        An asset is compared in its eight orientations.
        """
        asset = (await self.assets.get(query.asset_id)).state if query.asset_id else None
        hashes = _hashes(asset) if asset else (query.dhash,)
        if not hashes:
            return None
        near = await self.print_rows.similar("parts", Near(hashes, MAYBE))
        sha256 = asset.content.sha256 if asset and asset.content else ""
        return [
            Match(asset_id=id, distance=distance, likeness=likeness(distance, same_content=row.sha256 == sha256))
            for distance, id, row in near
            if id != query.asset_id
        ]

    async def named(self, ids: Sequence[str]) -> Set[str]:
        """Returns those of some contents that their assets need, as of the latest durable commits."""
        known: set[str] = set()
        for owner in {owner_of(id) for id in ids}:
            with suppress(NotFound):
                known |= (await self.assets.get(owner)).state.content_ids
        return known & set(ids)

    async def _drop(self, content_id: str) -> None:
        """Removes a content that nobody needs; if that fails, a sweep does it later."""
        with suppress(DependencyAway):
            await asyncio.shield(self.contents.delete(content_id))


def _stored(content: Content) -> StoredContent:
    return StoredContent(content_id=content.id, size=content.size, sha256=content.sha256)


def _hashes(asset: Asset) -> tuple[str, ...]:
    """Raises NotInspected if the picture was not looked at yet."""
    if asset.picture is None:
        raise NotInspected(f"the asset {asset.id} is {asset.status}")
    return asset.picture.orientations


def _where(query: SearchAssets) -> dict[str, object]:
    conditions: dict[str, object] = {"ready": True}
    if query.text:
        conditions["words"] = words = Words(query.text)
        if not words.beginnings:
            raise Invalid("the text has no word to search for", field="text")
    if query.tag:
        conditions["tags"] = query.tag
    if query.orientation:
        conditions["orientation"] = query.orientation.value
    if query.min_width:
        conditions["width"] = Between(low=query.min_width)
    if query.min_height:
        conditions["height"] = Between(low=query.min_height)
    if query.camera:
        conditions["camera"] = query.camera
    if query.photographer_id:
        conditions["photographer_id"] = query.photographer_id
    if query.taken_from or query.taken_to:
        conditions["taken_on"] = Between(low=query.taken_from or "0001-01-01", high=query.taken_to or None)
    return conditions
