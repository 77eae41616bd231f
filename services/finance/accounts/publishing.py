"""Translates the domain events of Accounts to integration events. None of them contains personal data."""

from collections.abc import Iterator

from finance.accounts.v1 import accounts_events_pb2 as events
from treaty.rpc import EnumTable

from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.events import (
    AccountClosed,
    AccountEvent,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
)
from services.finance.accounts.domain.kinds import Kind
from services.finance.wire import time_to_wire

KINDS = EnumTable(
    {
        Kind.CUSTOMER: events.ACCOUNT_KIND_CUSTOMER,
        Kind.CLEARING: events.ACCOUNT_KIND_CLEARING,
        Kind.FEES: events.ACCOUNT_KIND_FEES,
        Kind.SUSPENSE: events.ACCOUNT_KIND_SUSPENSE,
    }
)

Published = events.AccountOpened | events.AccountFrozen | events.AccountUnfrozen | events.AccountClosed
"""The integration events of `publish`."""


def publish(account: Account, event: AccountEvent) -> Iterator[Published]:
    """Policy: announces new, frozen, unfrozen and closed accounts. Postings are read as statements."""
    match event:
        case AccountOpened():
            yield events.AccountOpened(
                account_id=account.id,
                kind=KINDS.to_wire(event.kind),
                currency=event.currency,
                holder_id=event.holder_id,
                opened_at=time_to_wire(event.opened_at),
            )
        case AccountFrozen():
            yield events.AccountFrozen(account_id=account.id, frozen_at=time_to_wire(event.frozen_at))
        case AccountUnfrozen():
            yield events.AccountUnfrozen(account_id=account.id, unfrozen_at=time_to_wire(event.unfrozen_at))
        case AccountClosed():
            yield events.AccountClosed(account_id=account.id, closed_at=time_to_wire(event.closed_at))
        case _:
            return
