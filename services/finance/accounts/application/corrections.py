"""The use cases of corrections: one person proposes, another one approves, and the account posts the opposite."""

from collections.abc import Iterator
from dataclasses import dataclass

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, DomainError, NotFound
from treaty.projections import Key, View

from services.finance.accounts.application.commands import (
    ApproveCorrection,
    DeclineCorrection,
    ListCorrections,
    PostCorrection,
    ProposeCorrection,
)
from services.finance.accounts.domain.account import Account
from services.finance.accounts.domain.correction import Correction
from services.finance.accounts.domain.events import CorrectionApproved, CorrectionEvent
from services.finance.accounts.projections import CorrectionRow, PostingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrections:
    """The use cases of corrections."""

    corrections: Repository[Correction]
    accounts: Repository[Account]
    posting_rows: View[PostingRow]
    correction_rows: View[CorrectionRow]
    clock: Clock

    async def propose(self, command: ProposeCorrection) -> Committed[Correction]:
        """Proposes the opposite of a posting. The read model of postings follows by some milliseconds."""
        original = await self.posting_rows.row(command.posting_id)
        if original is None:
            raise NotFound(f"posting {command.posting_id} does not exist, or is not in the books yet")
        now = self.clock.now()
        return await self.corrections.add(
            command.posting_id,
            lambda correction: correction.propose(
                account_id=original.account_id,
                amount=-original.amount,
                contra=original.contra,
                reason=command.reason,
                by=command.by,
                now=now,
            ),
        )

    async def approve(self, command: ApproveCorrection) -> Committed[Correction]:
        now = self.clock.now()
        return await self.corrections.change(command.posting_id, lambda correction: correction.approve(command.by, now))

    async def decline(self, command: DeclineCorrection) -> Committed[Correction]:
        now = self.clock.now()
        return await self.corrections.change(
            command.posting_id, lambda correction: correction.decline(command.by, command.reason, now)
        )

    async def post(self, command: PostCorrection) -> None:
        """Posts an approved correction, and records the outcome. A repeat of the call posts nothing twice."""
        now = self.clock.now()
        try:
            posted = await self.accounts.change(
                command.account_id,
                lambda account: account.correct(command.posting_id, command.amount, command.contra, now),
            )
        except DomainError as refusal:
            reason = refusal.message
            await self.corrections.change(command.posting_id, lambda correction: correction.refused(reason))
        else:
            posting_id = posted.state.last_posting_id
            await self.corrections.change(command.posting_id, lambda correction: correction.posted(posting_id))

    async def get(self, posting_id: str) -> Committed[Correction]:
        """Returns the correction of a posting, as of the latest durable commit."""
        return await self.corrections.get(posting_id)

    async def list_corrections(self, query: ListCorrections) -> tuple[list[CorrectionRow], Key | None]:
        """Returns a page of corrections, latest first, and the key of the next page, or None at the end."""
        where = {} if query.status is None else {"status": query.status.value}
        return await self.correction_rows.page(where, query.page)


def post_approved(correction: Correction, event: CorrectionEvent) -> Iterator[Call]:
    """Policy: lets the account post a correction once it is approved."""
    if isinstance(event, CorrectionApproved) and correction.amount is not None:
        yield Call(
            PostCorrection(
                account_id=correction.account_id,
                posting_id=correction.id,
                amount=correction.amount,
                contra=correction.contra,
            )
        )
