"""The demo's calls: over gRPC, traced, and repeated while the outcome is unknown."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
from commerce.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from commerce.customers.v1.customers_service_pb2_grpc import CustomersServiceStub
from commerce.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from commerce.notifications.v1.notifications_service_pb2_grpc import NotificationsServiceStub
from commerce.ordering.v1.ordering_service_pb2_grpc import OrderingServiceStub
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from treaty.probes import Probe
from treaty.rpc.client import call_traced, channel, until_answered

_STUBS: Mapping[str, Any] = {
    "catalog": CatalogServiceStub,
    "customers": CustomersServiceStub,
    "inventory": InventoryServiceStub,
    "notifications": NotificationsServiceStub,
    "ordering": OrderingServiceStub,
}


@dataclass(slots=True)
class Clients:
    """A client of each context. `commands` counts the calls that were answered."""

    addresses: Mapping[str, str]
    probe: Probe
    commands: int = 0
    _stubs: dict[str, Any] = field(default_factory=dict)
    _channels: dict[str, Any] = field(default_factory=dict)

    async def close(self) -> None:
        for one in self._channels.values():
            await one.close()

    async def ask(self, context: str, method: str, request: Any, *, trace: str = "", counted: bool = True) -> Any:
        """Calls a context until the outcome is known; `trace` is the traceparent that the call belongs to."""
        path = f"commerce.{context}.v1.{context.capitalize()}Service/{method}"
        call = getattr(self._stub(context), method)
        parent = trace or new_trace(sampled=False)
        answer = await until_answered(lambda: call_traced(self.probe, call, path, request, timeout=10.0, parent=parent))
        self.commands += counted
        return answer

    def _stub(self, context: str) -> Any:
        if context not in self._stubs:
            target = self.addresses[f"commerce.{context}"]
            if target not in self._channels:
                self._channels[target] = channel(target)
            self._stubs[context] = _STUBS[context](self._channels[target])
        return self._stubs[context]


def reason_of(error: grpc.aio.AioRpcError) -> tuple[str, Mapping[str, str]]:
    """Returns the machine-readable reason of a refusal, and its details."""
    info = error_details_pb2.ErrorInfo()
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        detail.Unpack(info)
    return info.reason, dict(info.metadata)


def new_trace(*, sampled: bool) -> str:
    """Returns the traceparent of a new trace. Services record a trace only if it is sampled."""
    return f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-{'01' if sampled else '00'}"


def new_id() -> str:
    return str(uuid.uuid4())
