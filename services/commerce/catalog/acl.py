"""The anti-corruption layer: translates the events of Customers to commands of Catalog."""

from commerce.customers.v1 import customers_events_pb2 as customers

from services.commerce.catalog.application.authors import ForgetAuthor


def customer_forgotten(event: customers.CustomerForgotten) -> ForgetAuthor:
    return ForgetAuthor(customer_id=event.customer_id)
