"""Builds the Catalog service from its parts."""

from commerce.catalog.v1 import catalog_events_pb2 as events
from commerce.catalog.v1 import catalog_service_pb2_grpc as pb_grpc
from commerce.customers.v1 import customers_events_pb2 as customers
from treaty.messaging import on
from treaty.rpc import Api
from treaty.service import Pattern, Ports, Relation, Service

from services.commerce.catalog import acl, storage
from services.commerce.catalog.api import CatalogApi
from services.commerce.catalog.application.authors import Authors, EraseReviews, erase_again
from services.commerce.catalog.application.catalog import Catalog
from services.commerce.catalog.application.categories import Categories
from services.commerce.catalog.publishing import publish


def build(ports: Ports) -> Service:
    authors = Authors(
        authors=ports.repository(storage.AUTHORS, policies=[erase_again], commands=storage.COMMANDS),
        personal_data=ports.personal_data,
    )
    categories = Categories(
        categories=ports.repository(storage.CATEGORIES), category_rows=ports.view(storage.CATEGORY_ROWS)
    )
    catalog = Catalog(
        products=ports.repository(storage.PRODUCTS, policies=[publish]),
        categories=categories,
        reviews=ports.repository(storage.REVIEWS),
        authors=authors,
        product_rows=ports.view(storage.PRODUCT_ROWS),
        review_rows=ports.view(storage.REVIEW_ROWS),
        clock=ports.clock,
    )
    return Service(
        name="commerce.catalog",
        api=Api(pb_grpc.add_CatalogServiceServicer_to_server, CatalogApi(catalog, categories)),
        publishes=[events.ProductCreated, events.ProductChanged, events.PriceChanged, events.ProductDiscontinued],
        subscriptions=[on(customers.CustomerForgotten, acl.customer_forgotten, then=authors.forget)],
        commands=storage.COMMANDS,
        calls={EraseReviews: authors.erase_reviews},
        projections=[storage.PRODUCT_ROWS, storage.CATEGORY_ROWS, storage.REVIEW_ROWS],
        relations=[Relation("commerce.customers", Pattern.PUBLISHED_LANGUAGE, "who is forgotten has no reviews")],
    )
