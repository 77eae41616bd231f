"""Translates the protobuf messages of clients to values of Licensing."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from media.licensing.v1 import licensing_service_pb2 as pb
from treaty.rpc import EnumTable

from services.media.licensing.domain.terms import Model, Scope, Terms
from services.media.licensing.domain.usage import Usage
from services.media.licensing.publishing import MEDIA
from services.media.wire import money_from_wire, span_from_wire, time_from_wire

MODELS = EnumTable(
    {
        Model.ROYALTY_FREE: pb.MODEL_ROYALTY_FREE,
        Model.RIGHTS_MANAGED: pb.MODEL_RIGHTS_MANAGED,
        Model.EDITORIAL: pb.MODEL_EDITORIAL,
        Model.COMP: pb.MODEL_COMP,
    }
)


def license_id_of(request: pb.PurchaseLicenseRequest) -> str:
    """Returns the id of the license. It follows from the request and the asset, so a repeat finds the same license."""
    return str(uuid5(UUID(request.request_id), request.asset_id))


def terms_of(terms: pb.Terms) -> Terms:
    scope = Scope(territories=tuple(terms.territories), media=tuple(MEDIA.from_wire(one) for one in terms.media))
    return Terms(
        model=MODELS.from_wire(terms.model, field="terms.model"),
        scope=scope,
        allowed=terms.allowed or None,
        valid_for=span_from_wire(terms.valid_for) if terms.HasField("valid_for") else None,
        exclusive=terms.exclusive,
        price=money_from_wire(terms.price),
    )


def usage_of(usage: pb.Usage) -> Usage:
    return Usage(
        usage_id=usage.usage_id,
        uses=usage.uses,
        used_at=time_from_wire(usage.used_at),
        territory=usage.territory,
        medium=MEDIA.from_wire(usage.medium, field="medium"),
    )


def moment_of(request: Any, field: str) -> datetime | None:
    """Returns the moment in a field of a request, or None if it has none."""
    return time_from_wire(getattr(request, field)) if request.HasField(field) else None
