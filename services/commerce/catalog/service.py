"""Builds the Catalog service from its parts."""

from commerce.catalog.v1 import catalog_events_pb2 as events
from commerce.catalog.v1 import catalog_service_pb2_grpc as pb_grpc
from treaty.rpc import Api
from treaty.service import Ports, Service

from services.commerce.catalog import storage
from services.commerce.catalog.api import CatalogApi
from services.commerce.catalog.application import Catalog
from services.commerce.catalog.publishing import publish


def build(ports: Ports) -> Service:
    catalog = Catalog(
        products=ports.repository(storage.PRODUCTS, policies=[publish]),
        categories=ports.repository(storage.CATEGORIES),
        reviews=ports.repository(storage.REVIEWS),
        product_rows=ports.view(storage.PRODUCT_ROWS),
        review_rows=ports.view(storage.REVIEW_ROWS),
        clock=ports.clock,
    )
    return Service(
        name="commerce.catalog",
        api=Api(pb_grpc.add_CatalogServiceServicer_to_server, CatalogApi(catalog)),
        publishes=[events.ProductCreated, events.ProductChanged, events.PriceChanged, events.ProductDiscontinued],
        projections=[storage.PRODUCT_ROWS, storage.REVIEW_ROWS],
    )
