"""Ordering over gRPC: translate, call, translate."""

from services.commerce.ordering.api.servicer import api

__all__ = ["api"]
