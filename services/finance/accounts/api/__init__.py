"""The gRPC API of Accounts: translates requests, calls the use cases, translates their results."""

from services.finance.accounts.api.servicer import AccountsApi

__all__ = ["AccountsApi"]
