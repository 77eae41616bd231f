"""The books: statements, holds, the trial balance and the ledger as CSV. All are answered from read models."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from treaty.commits import Repository
from treaty.domain import NotFound, Rejected
from treaty.projections import Between, Key, Page, View

from services.finance.accounts.application.commands import (
    ExportLedger,
    FindHold,
    ReadStatement,
    ReadWholeStatement,
)
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.postings import posting_id
from services.finance.accounts.projections import HoldRow, PostingRow, TrialBalance, hold_row_id
from services.finance.money import Money

COLUMNS = ("posted_at", "posting", "ledger", "account", "amount", "currency", "purpose", "reference")
"""The columns of the ledger as CSV. Each posting has two lines; `account` is empty in that of the contra."""

_STEP = timedelta(milliseconds=1)
"""The precision of stored times: the last moment before `end` is `end - _STEP`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Lines of an account, latest first, and its balances in minor units before and after the whole period."""

    lines: Sequence[PostingRow]
    opening: int
    closing: int
    after: Key | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeStatement:
    """All postings of an account in a period, the oldest first, and its balances in minor units before and after it."""

    account_id: str
    currency: str
    start: datetime
    end: datetime
    lines: Sequence[PostingRow]
    opening: int
    closing: int


MOST_LINES = 5_000
"""The most postings of a whole statement. A longer period is asked for in parts, or page by page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The use cases of the books."""

    accounts: Repository[Account]
    posting_rows: View[PostingRow]
    hold_rows: View[HoldRow]
    trial_balances: View[TrialBalance]

    async def read_statement(self, query: ReadStatement) -> Statement:
        """Returns a page of the statement for a period in the past."""
        of = {"account_id": query.account_id}
        lines, after = await self.posting_rows.page({**of, **_period(query.start, query.end)}, query.page)
        opening = await self._balance(of, query.start) if query.start is not None else 0
        closing = await self._balance(of, query.end)
        return Statement(lines=lines, opening=opening, closing=closing, after=after)

    async def read_whole_statement(self, query: ReadWholeStatement) -> WholeStatement:
        """Returns the statement for a period in one piece.

        Raises:
            Rejected: if the period has too many postings.
        """
        currency = (await self.accounts.get(query.account_id)).state.currency
        of = {"account_id": query.account_id}
        page, lines = Page(size=200, not_before=query.not_before), list[PostingRow]()
        while len(lines) <= MOST_LINES:
            rows, after = await self.posting_rows.page({**of, **_period(query.start, query.end)}, page)
            lines += rows
            if after is None:
                break
            page = Page(size=200, after=after)
        if len(lines) > MOST_LINES:
            raise Rejected(f"the period has more than {MOST_LINES} postings: ask for parts", reason="TOO_MANY_POSTINGS")
        return WholeStatement(
            account_id=query.account_id,
            currency=currency,
            start=query.start,
            end=query.end,
            lines=lines[::-1],
            opening=await self._balance(of, query.start),
            closing=lines[0].balance if lines else await self._balance(of, query.end),
        )

    async def _balance(self, of: Mapping[str, Any], moment: datetime | None) -> int:
        """Returns the balance before a moment, or the latest one."""
        latest, _ = await self.posting_rows.page({**of, **_period(None, moment)}, Page(size=1))
        return latest[0].balance if latest else 0

    async def find_hold(self, query: FindHold) -> HoldRow:
        found = await self.hold_rows.row(hold_row_id(query.account_id, query.hold_id), not_before=query.not_before)
        if found is None:
            raise NotFound(f"account {query.account_id} has no hold {query.hold_id}")
        return found

    async def trial_balance(self, page: Page) -> tuple[list[TrialBalance], Key | None]:
        """Returns the trial balance of each currency. Each is one row, so it is of one moment."""
        return await self.trial_balances.page({}, page)

    async def export_ledger(self, query: ExportLedger) -> tuple[str, Key | None]:
        """Returns a page of the ledger as CSV, latest posting first, with a header on the first page."""
        rows, after = await self.posting_rows.page(_period(query.start, query.end), query.page)
        text = io.StringIO()
        lines = csv.writer(text)
        if query.page.after is None:
            lines.writerow(COLUMNS)
        for row in rows:
            lines.writerows(_both_sides(row))
        return text.getvalue(), after


def _period(start: datetime | None, end: datetime | None) -> Mapping[str, Between]:
    if start is None and end is None:
        return {}
    return {"posted_at": Between(low=start, high=end and end - _STEP)}


def _both_sides(row: PostingRow) -> Sequence[Sequence[str]]:
    amount: Money = row.amount
    at, id = row.posted_at.isoformat(), posting_id(row.account_id, row.number)
    rest = (amount.currency, row.purpose.value, row.reference)
    return [
        (at, id, row.kind.value, row.account_id, amount.decimal, *rest),
        (at, id, row.contra.value, "", (-amount).decimal, *rest),
    ]
