"""The gRPC API of Ordering: translates requests, calls the use cases, translates their results."""

from services.commerce.ordering.api.servicer import OrderingApi

__all__ = ["OrderingApi"]
