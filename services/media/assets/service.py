"""Builds the Asset Processing service from its parts."""

from datetime import timedelta

from media.assets.v1 import assets_events_pb2 as events
from media.assets.v1 import assets_service_pb2_grpc as pb_grpc
from media.licensing.v1 import licensing_events_pb2 as licensing
from pydantic import Field
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service
from treaty.settings import Settings

from services.media.assets import acl, storage
from services.media.assets.acl import WorkerInspection
from services.media.assets.api import AssetsApi
from services.media.assets.application.library import Library
from services.media.assets.application.processing import Work, following
from services.media.assets.application.sweep import Sweep
from services.media.assets.external.pictures.client import PictureWorkers
from services.media.assets.external.pictures.messages import MIN_MEMORY, Limits
from services.media.assets.publishing import publish
from services.media.assets.sagas.processing import IndexAsset, InspectAsset, MakeAssetReady


class AssetsSettings(Settings):
    """The settings of Asset Processing. Times are in seconds, sizes in bytes."""

    workers: int = Field(2, alias="ASSETS_WORKERS", ge=1, le=64)
    worker_memory: int = Field(700 << 20, alias="ASSETS_WORKER_MEMORY", ge=MIN_MEMORY)
    picture_seconds: float = Field(120.0, alias="ASSETS_PICTURE_SECONDS", gt=0)
    max_pixels: int = Field(200_000_000, alias="ASSETS_MAX_PIXELS", ge=1)
    step_seconds: float = Field(600.0, alias="ASSETS_STEP_SECONDS", gt=0)
    sweep_seconds: float = Field(3600.0, alias="ASSETS_SWEEP_SECONDS", gt=0)
    sweep_age_seconds: float = Field(86_400.0, alias="ASSETS_SWEEP_AGE_SECONDS", gt=0)


def build(ports: Ports) -> Service:
    settings = ports.settings(AssetsSettings)
    assets = ports.repository(
        storage.ASSETS,
        policies=[publish, following(timedelta(seconds=settings.step_seconds))],
        commands=storage.COMMANDS,
    )
    photographers = ports.repository(storage.PHOTOGRAPHERS)
    asset_rows = ports.view(storage.ASSET_ROWS)
    limits = Limits(pixels=settings.max_pixels, memory=settings.worker_memory, seconds=settings.picture_seconds)
    workers = PictureWorkers(workers=settings.workers, limits=limits)
    work = Work(
        assets=assets,
        photographers=photographers,
        contents=ports.contents,
        inspection=WorkerInspection(workers),
        asset_rows=asset_rows,
        personal_data=ports.personal_data,
        clock=ports.clock,
    )
    library = Library(
        assets=assets,
        photographers=photographers,
        contents=ports.contents,
        asset_rows=asset_rows,
        print_rows=ports.view(storage.PRINT_ROWS),
        personal_data=ports.personal_data,
        clock=ports.clock,
        prepare=work.prepare_delivery,
    )
    sweep = Sweep(
        contents=ports.contents,
        named=library.named,
        every=settings.sweep_seconds,
        older_than=timedelta(seconds=settings.sweep_age_seconds),
    )
    processing = ports.saga(storage.PROCESSINGS, key=lambda fact: fact.asset_id, commands=storage.COMMANDS)
    return Service(
        name="media.assets",
        api=Api(pb_grpc.add_AssetsServiceServicer_to_server, AssetsApi(library)),
        publishes=[events.AssetUploaded, events.AssetReadyForSearch, events.AssetRejected],
        subscriptions=[
            on(licensing.AssetWithdrawnFromSale, acl.asset_withdrawn, then=library.hide_asset),
            on(licensing.AssetOfferedForSale, acl.asset_offered, then=library.show_asset),
        ],
        commands=storage.COMMANDS,
        calls={
            InspectAsset: work.inspect_asset,
            IndexAsset: work.index_asset,
            MakeAssetReady: work.make_asset_ready,
        },
        projections=[storage.ASSET_ROWS, storage.PRINT_ROWS],
        sagas=[processing],
        resources=[workers, sweep.running()],
        relations=[
            Relation(
                "media.licensing", Pattern.ANTI_CORRUPTION_LAYER, "a picture that is not sold any longer is not found"
            ),
        ],
    )
