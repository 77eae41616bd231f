"""The stored names of Asset Processing's aggregate, events, saga, calls and read models.

A name here never changes. If the fields of an event, fact or call change, its shape gets an upcast.
"""

from treaty.commits import Names, Shape, Stored
from treaty.projections import Projection
from treaty.sagas import StoredSaga

from services.media.assets.domain import events
from services.media.assets.domain.asset import Asset
from services.media.assets.domain.photographer import Photographer
from services.media.assets.projections import AssetRow, PrintRow, asset_row, print_row
from services.media.assets.sagas import processing

ASSETS = Stored(
    "asset",
    Asset,
    events=[
        Shape("asset-uploaded", events.AssetUploaded),
        Shape("metadata-extracted", events.MetadataExtracted),
        Shape("delivery-prepared", events.DeliveryPrepared),
        Shape("asset-indexed", events.AssetIndexed),
        Shape("asset-ready-for-search", events.AssetReadyForSearch),
        Shape("asset-rejected", events.AssetRejected),
        Shape("asset-hidden", events.AssetHidden),
        Shape("asset-shown", events.AssetShown),
    ],
)

PHOTOGRAPHERS = Stored("photographer", Photographer, events=[Shape("photographer-erased", events.PhotographerErased)])

PROCESSINGS = StoredSaga(
    "processing",
    processing.Processing(),
    processing.process,
    facts=[
        Shape("step-reached", processing.StepReached),
        Shape("step-overdue", processing.StepOverdue),
        Shape("processing-resumed", processing.ProcessingResumed),
        Shape("processing-abandoned", processing.ProcessingAbandoned),
    ],
    resume=lambda run, reason: processing.ProcessingResumed(asset_id=run, reason=reason),
    cancel=lambda run, reason: processing.ProcessingAbandoned(asset_id=run, reason=reason),
)

COMMANDS = Names(
    [
        Shape("step-reached", processing.StepReached),
        Shape("step-overdue", processing.StepOverdue),
        Shape("inspect-asset", processing.InspectAsset),
        Shape("index-asset", processing.IndexAsset),
        Shape("make-asset-ready", processing.MakeAssetReady),
    ]
)

ASSET_ROWS = Projection(
    name="assets",
    source=ASSETS,
    row=AssetRow,
    project=asset_row,
    order_by="uploaded_at",
    filters=("words", "photographer_id", "orientation"),
)

PRINT_ROWS = Projection(
    name="prints",
    source=ASSETS,
    row=PrintRow,
    project=print_row,
    order_by="uploaded_at",
    filters=("parts",),
)
