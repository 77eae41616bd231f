"""The use cases of Fraud: screening, the review queue, and the export of its decisions as training data."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import tzinfo

from treaty.clock import Clock
from treaty.commits import Committed, Repository
from treaty.domain import Call, NotFound
from treaty.projections import Key, Page, View

from services.finance.fraud.domain.case import Case, Status
from services.finance.fraud.domain.events import CaseDecided, CaseEvent, ProfileEvent, TransferScreened
from services.finance.fraud.domain.profile import Profile
from services.finance.fraud.domain.rules import Decision, Features, Model, Transfer, Verdict
from services.finance.fraud.projections import CaseRow
from services.finance.money import Money

COLUMNS = (*(field.name for field in fields(Features)), "fraud")
"""The columns of the training data: the features of a transfer, and whether it was fraud."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenTransfer:
    payer: str
    transfer: Transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """A call of a profile for a transfer that was not accepted."""

    payer: str
    transfer: Transfer
    features: Features
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class NotePayment:
    """The payee of a transfer has the money."""

    payer: str
    transfer_id: str
    payee: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDecision:
    """A call of a case for the profile of its payer."""

    payer: str
    payee: str
    fraud: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideCase:
    transfer_id: str
    fraud: bool
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteFailure:
    """A transfer ended without an effect. `code` says why."""

    transfer_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCases:
    """No `status` stands for all."""

    status: Status | None
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportDecisions:
    """Asks for the cleared cases, or for the fraud."""

    fraud: bool
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Fraud:
    """The use cases of Fraud. `zone` is the time zone of the bank, in which an hour is odd or not."""

    profiles: Repository[Profile]
    cases: Repository[Case]
    case_rows: View[CaseRow]
    model: Model
    zone: tzinfo
    clock: Clock

    async def screen_transfer(self, command: ScreenTransfer) -> Committed[Profile]:
        """Screens a transfer. A repeat has the first verdict."""
        return await self.profiles.add(
            command.payer, lambda profile: profile.screen(command.transfer, self.model, self.zone)
        )

    async def note_payment(self, command: NotePayment) -> Committed[Profile]:
        """Makes a payee and an amount familiar, once."""
        return await self.profiles.add(
            command.payer,
            lambda profile: profile.note_payment(command.transfer_id, command.payee, command.amount),
        )

    async def note_decision(self, command: NoteDecision) -> Committed[Profile]:
        """Makes the payee of a fraud a stranger."""
        return await self.profiles.add(
            command.payer, lambda profile: profile.note_decision(command.payee, fraud=command.fraud)
        )

    async def open_case(self, command: OpenCase) -> Committed[Case]:
        """Opens the case of a transfer, once."""
        now = self.clock.now()
        return await self.cases.add(
            command.transfer.transfer_id,
            lambda case: case.open(
                payer=command.payer,
                transfer=command.transfer,
                features=command.features,
                verdict=command.verdict,
                now=now,
            ),
        )

    async def decide_case(self, command: DecideCase) -> Committed[Case]:
        now = self.clock.now()
        return await self.cases.change(
            command.transfer_id,
            lambda case: case.decide(fraud=command.fraud, by=command.by, note=command.note, now=now),
        )

    async def note_failure(self, command: NoteFailure) -> Committed[Case]:
        """Closes the case of a transfer that has failed, also if it is opened later."""
        now = self.clock.now()
        return await self.cases.add(command.transfer_id, lambda case: case.end(command.code, now))

    async def get_case(self, transfer_id: str) -> Committed[Case]:
        """Returns the case of a transfer, as of the latest durable commit."""
        found = await self.cases.get(transfer_id)
        if found.state.status is Status.NEW:
            raise NotFound(f"transfer {transfer_id} has no case")
        return found

    async def list_cases(self, query: ListCases) -> tuple[list[CaseRow], Key | None]:
        """Returns a page of cases, the oldest first, and the key of the next page, or None at the end."""
        where = {} if query.status is None else {"status": query.status.value}
        return await self.case_rows.page(where, query.page)

    async def export_decisions(self, query: ExportDecisions) -> tuple[str, Key | None]:
        """Returns a page of training data as CSV, with a header on the first page."""
        status = Status.FRAUD if query.fraud else Status.CLEARED
        rows, after = await self.case_rows.page({"status": status.value}, query.page)
        text = io.StringIO()
        lines = csv.writer(text)
        if query.page.after is None:
            lines.writerow(COLUMNS)
        lines.writerows([*row.features.values().values(), int(query.fraud)] for row in rows)
        return text.getvalue(), after


def open_cases(profile: Profile, event: ProfileEvent) -> Iterator[Call]:
    """Policy: opens a case for each transfer that is not accepted."""
    if isinstance(event, TransferScreened) and event.verdict.decision is not Decision.ACCEPT:
        yield Call(OpenCase(payer=profile.id, transfer=event.transfer, features=event.features, verdict=event.verdict))


def judge_payees(case: Case, event: CaseEvent) -> Iterator[Call]:
    """Policy: notes a decision at the profile of the payer."""
    if isinstance(event, CaseDecided) and case.transfer is not None:
        yield Call(NoteDecision(payer=case.payer, payee=case.transfer.payee, fraud=event.fraud))
