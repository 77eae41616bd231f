"""The pictures of the demo: made on the spot, or from a folder; how they are uploaded, and what is found afterwards."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from media.assets.v1 import assets_service_pb2 as pb
from media.assets.v1.assets_service_pb2_grpc import AssetsServiceStub

from scripts.lib import pictures
from scripts.lib.demo.calls import reason_of
from scripts.lib.demos.clients import Clients
from scripts.lib.demos.run import BadInput

STUBS: Mapping[str, Any] = {"media.assets": AssetsServiceStub}
NAMES = ("sunset", "harbour", "market", "lighthouse", "snow", "carnival")

_PIECE = 200_000
_MOST, _LARGEST = 200, 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file to upload; `name` is the beginning of the asset's id."""

    name: str
    title: str
    data: bytes
    tags: tuple[str, ...] = ()


def made() -> Sequence[File]:
    """Returns pictures with metadata, a smaller copy of one, a text that is called a picture, and half a picture."""
    images = [pictures.picture(960, 640, seed=n) for n in range(len(NAMES))]
    files = [_photo(name, image, n) for n, (name, image) in enumerate(zip(NAMES, images, strict=True))]
    copy = File(name="thumbnail", title="Thumbnail", data=pictures.jpeg(image=images[0].resize((240, 160))))
    text = File(name="letter", title="Letter", data=b"Dear editor, here are the pictures that you asked for.")
    half = File(name="half", title="Half", data=files[1].data[: len(files[1].data) // 2])
    return [*files, copy, text, half]


def _photo(name: str, image: Any, number: int) -> File:
    told = pictures.xmp({"dc:creator": ["Vivian Lens"], "dc:rights": "© Vivian Lens", "dc:subject": [name, "demo"]})
    block = pictures.exif(
        {271: "Treaty", 272: f"Box {number % 2 + 1}"},
        details={36867: f"2026:0{number + 1}:15 12:30:00"},
        gps=pictures.position(52.5, 13.4),
    )
    data = pictures.jpeg(image=image, exif=block, xmp=told)
    return File(name=name, title=name.capitalize(), data=data, tags=("demo", ("sea", "land")[number % 2]))


def of_folder(folder: Path) -> Sequence[File]:
    """Returns the files of a folder, in the order of their names.

    Raises:
        BadInput: if there is none, or too many, or one is too large.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    if not 0 < len(paths) <= _MOST:
        raise BadInput(f"{folder} has {len(paths)} files; the demo takes 1 to {_MOST}")
    return list(_read(paths))


def _read(paths: Sequence[Path]) -> Iterator[File]:
    names: set[str] = set()
    for number, path in enumerate(paths):
        if path.stat().st_size > _LARGEST:
            raise BadInput(f"{path.name} has more than {_LARGEST // 1_000_000} MB")
        name = re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")[:40] or f"picture-{number}"
        name = f"{name}-{number}" if name in names else name
        names.add(name)
        yield File(name=name, title=path.name[:200], data=path.read_bytes())


@dataclass(slots=True, kw_only=True)
class Studio:
    """Uploads the files of one run.

    Attributes:
        refused: by name of a file, why its upload was refused at once.
        assets: by name of a file, what became of it.
    """

    clients: Clients
    run: str
    files: Sequence[File]
    refused: dict[str, str] = field(default_factory=dict)
    assets: dict[str, pb.Asset] = field(default_factory=dict)

    async def upload(self) -> None:
        """Uploads all files, four at a time."""
        turns = asyncio.Semaphore(4)

        async def one(file: File) -> None:
            async with turns:
                try:
                    await self.clients.upload(list(self._messages(file)))
                except grpc.aio.AioRpcError as error:
                    self.refused[file.name] = reason_of(error)[0]

        await asyncio.gather(*map(one, self.files))

    def _messages(self, file: File) -> Iterator[pb.UploadAssetRequest]:
        pieces = [file.data[at : at + _PIECE] for at in range(0, len(file.data), _PIECE)] or [b""]
        yield pb.UploadAssetRequest(
            asset_id=self.id_of(file.name),
            title=file.title,
            photographer_id=f"vivian-{self.run}",
            tags=[*file.tags, self.run],
            content_bytes=len(file.data),
            piece=pieces[0],
        )
        for piece in pieces[1:]:
            yield pb.UploadAssetRequest(piece=piece)

    def id_of(self, name: str) -> str:
        return f"{name}-{self.run}"

    async def look(self) -> None:
        """Reads what became of the uploads."""
        for file in self.files:
            if file.name not in self.refused:
                request = pb.GetAssetRequest(asset_id=self.id_of(file.name))
                self.assets[file.name] = (await self.clients.ask(request)).asset

    @property
    def ready(self) -> Sequence[str]:
        """The names of the pictures that can be found."""
        return [name for name, one in self.assets.items() if one.status == pb.ASSET_STATUS_READY]

    @property
    def rejected(self) -> Mapping[str, str]:
        """By name, the reasons for which files are no pictures."""
        found = {n: one.reason for n, one in self.assets.items() if one.status == pb.ASSET_STATUS_REJECTED}
        return {**self.refused, **found}

    async def search(self, **conditions: Any) -> pb.SearchAssetsResponse:
        """Returns the assets of this run that meet some conditions."""
        request = pb.SearchAssetsRequest(photographer_id=f"vivian-{self.run}", page_size=200, **conditions)
        found: pb.SearchAssetsResponse = await self.clients.ask(request)
        return found

    async def alike(self) -> Sequence[tuple[str, str, int]]:
        """Returns pairs of pictures of this run that look alike, and how many bits of their hashes differ."""
        names = {self.id_of(name): name for name in self.ready}
        found = {}
        for name in names.values():
            answer = await self.clients.ask(pb.FindSimilarRequest(asset_id=self.id_of(name)))
            for one in answer.similar:
                if one.asset_id in names:
                    found[frozenset([name, names[one.asset_id]])] = (names[one.asset_id], name, one.distance)
        return list(found.values())
