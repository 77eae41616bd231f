"""The gRPC API of Licensing: translates requests, calls the use cases, translates their results."""

from services.media.licensing.api.servicer import LicensingApi

__all__ = ["LicensingApi"]
