"""The gRPC API of Transfers: translates requests, calls the use cases, translates their results."""

from services.finance.transfers.api.servicer import TransfersApi

__all__ = ["TransfersApi"]
