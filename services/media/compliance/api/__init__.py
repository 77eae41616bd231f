"""The gRPC API of Compliance: translates requests, calls the use cases, translates their results."""

from services.media.compliance.api.servicer import ComplianceApi

__all__ = ["ComplianceApi"]
