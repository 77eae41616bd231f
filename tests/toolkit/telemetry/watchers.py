"""What the telemetry tests share: probes whose spans can be read back, and an order's way through three contexts."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from commerce.catalog.v1 import catalog_events_pb2 as catalog
from commerce.inventory.v1 import inventory_service_pb2 as inventory
from commerce.inventory.v1 import inventory_service_pb2_grpc as inventory_grpc
from commerce.money.v1 import money_pb2
from commerce.ordering.v1 import ordering_service_pb2 as ordering
from commerce.ordering.v1 import ordering_service_pb2_grpc as ordering_grpc
from commerce.payments.v1 import payments_service_pb2 as payments
from commerce.payments.v1 import payments_service_pb2_grpc as payments_grpc
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler
from opentelemetry.trace import Tracer
from treaty.clock import SystemClock
from treaty.memory.broker import MemoryBroker
from treaty.memory.stores import MemoryStores
from treaty.messaging.tries import Patience
from treaty.probes import Probe
from treaty.process.host import Host
from treaty.rpc.client import call_traced, channel
from treaty.settings import ProcessSettings, read_settings
from treaty.surroundings import Surroundings
from treaty.telemetry.probe import OpenTelemetryProbe
from treaty.telemetry.receiver import TraceReceiver
from treaty.telemetry.setup import Telemetry, start_telemetry
from treaty.telemetry.spans import FinishedSpan, from_otlp
from treaty.testing import eventually
from treaty.testing.world import SeededChance

from tests.services.clients import ADDRESS, told

CONTEXTS = ("commerce.inventory", "commerce.ordering", "commerce.payments")
CLIENT = "shop"


class Watch:
    """A probe, and what it recorded."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(
            sampler or ParentBased(ALWAYS_ON), Resource({"service.name": "tested"}), shutdown_on_exit=False
        )
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        meter = MeterProvider([self._reader], shutdown_on_exit=False).get_meter("tests")
        self.tracer: Tracer = provider.get_tracer("tests")
        self.probe = OpenTelemetryProbe(self.tracer, meter)

    def spans(self) -> Sequence[FinishedSpan]:
        """Returns the finished spans as a receiver would see them, in the order of their ends."""
        finished = self._exporter.get_finished_spans()
        return list(from_otlp(encode_spans(finished))) if finished else []

    def span(self) -> FinishedSpan:
        """Returns the one span that was recorded."""
        (span,) = self.spans()
        return span

    def metrics(self) -> dict[str, Any]:
        """Returns what an export would contain, by name."""
        exported = self._reader.get_metrics_data()
        resources = exported.resource_metrics if exported else ()
        scopes = (scope for resource in resources for scope in resource.scope_metrics)
        return {metric.name: metric for scope in scopes for metric in scope.metrics}


@dataclass(slots=True)
class Shop:
    """Three contexts that run, and a client that watches itself."""

    channel: Any
    client: Telemetry
    telemetries: Sequence[Telemetry]
    receiver: TraceReceiver
    broker: MemoryBroker

    async def stock(self, sku: str, quantity: int, request_ids: tuple[str, str]) -> None:
        """Registers an item and receives some."""
        stub = inventory_grpc.InventoryServiceStub(self.channel)
        await stub.RegisterItem(inventory.RegisterItemRequest(request_id=request_ids[0], sku=sku), timeout=10)
        received = inventory.ReceiveStockRequest(request_id=request_ids[1], sku=sku, quantity=quantity)
        await stub.ReceiveStock(received, timeout=10)

    async def place_order(self, request_id: str, sku: str, *, parent: str = "") -> None:
        """Orders two pieces, inside a client's span."""
        price = money_pb2.Money(currency="GBP", minor_units=250)
        line = ordering.OrderLine(sku=sku, quantity=2, unit_price=price)
        await self._offered(sku, price)
        method = ordering_grpc.OrderingServiceStub(self.channel).PlaceOrder
        request = ordering.PlaceOrderRequest(request_id=request_id, lines=[line], address=ADDRESS)
        path = "commerce.ordering.v1.OrderingService/PlaceOrder"
        await call_traced(self.client.probe, method, path, request, timeout=10, parent=parent)

    async def _offered(self, sku: str, price: money_pb2.Money) -> None:
        """Lets Ordering hear of a product, as the catalogue would tell it."""
        event = catalog.ProductCreated(sku=sku, name=sku, list_price=price)
        self.broker.deliver("commerce.ordering", told(sku, event))
        await eventually(lambda: self._is_offered(sku))

    async def _is_offered(self, sku: str) -> bool:
        stub = ordering_grpc.OrderingServiceStub(self.channel)
        found = await stub.SearchOffers(ordering.SearchOffersRequest(text=sku), timeout=10)
        return bool(found.offers)

    async def captured(self, order_id: str) -> None:
        """Waits for the last effect of an order: its money is taken."""
        await eventually(lambda: self._is_confirmed(order_id))
        await eventually(lambda: self._is_captured(order_id))

    async def exported(self) -> None:
        """Sends everything that was recorded to the receiver."""
        for telemetry in (self.client, *self.telemetries):
            assert await telemetry.flush()

    async def _is_confirmed(self, order_id: str) -> bool:
        stub = ordering_grpc.OrderingServiceStub(self.channel)
        answer = await stub.GetOrder(ordering.GetOrderRequest(order_id=order_id), timeout=10)
        return bool(answer.order.status == ordering.ORDER_STATUS_CONFIRMED)

    async def _is_captured(self, order_id: str) -> bool:
        stub = payments_grpc.PaymentsServiceStub(self.channel)
        answer = await stub.GetPayment(payments.GetPaymentRequest(order_id=order_id), timeout=10)
        return bool(answer.payment.status == payments.PAYMENT_STATUS_CAPTURED)


@asynccontextmanager
async def open_shop() -> AsyncIterator[Shop]:
    """Runs the contexts in memory; each exports to one receiver under a service name of its own."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(TraceReceiver())
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint}
        telemetries = {name: start_telemetry(name, environ) for name in (*CONTEXTS, CLIENT)}
        for telemetry in telemetries.values():
            await stack.enter_async_context(telemetry)
        host = _host({name: telemetries[name].probe for name in CONTEXTS})
        await host.start()
        stack.push_async_callback(host.stop)
        assert host.server is not None
        opened = channel(f"127.0.0.1:{host.server.port}")
        stack.push_async_callback(opened.close)
        await eventually(lambda: all(runner.ready for runner in host.runners))
        assert isinstance(host.broker, MemoryBroker)
        yield Shop(opened, telemetries[CLIENT], [telemetries[name] for name in CONTEXTS], receiver, host.broker)


def _host(probes: dict[str, Probe]) -> Host:
    clock, chance = SystemClock(), SeededChance(scale=0.1)
    here = {"GRPC_HOST": "127.0.0.1", "GRPC_PORT": "0", "HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0"}
    settings = {**here, "GRPC_DRAIN_SECONDS": "2"}
    return Host(
        contexts=CONTEXTS,
        settings=read_settings(ProcessSettings, settings),
        stores=lambda name: MemoryStores(Surroundings(clock=clock, chance=chance, probe=probes[name])),
        broker=MemoryBroker(),
        environ=settings,
        surroundings=Surroundings(clock=clock, chance=chance),
        probes=probes,
        patience=Patience(pause=0.01, look_every=0.05),
    )
