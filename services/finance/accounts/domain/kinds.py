"""The kinds of accounts, and the statuses of an account."""

from enum import StrEnum


class Kind(StrEnum):
    """The kinds of accounts. Only those of customers have a limit; the others belong to the bank."""

    CUSTOMER = "customer"
    CLEARING = "clearing"
    FEES = "fees"
    SUSPENSE = "suspense"


class Status(StrEnum):
    NEW = "new"
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"
