"""The figures of the demo, whether they add up, and the report for a person: 80 columns."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from finance.accounts.v1 import accounts_events_pb2 as kinds
from finance.accounts.v1 import accounts_service_pb2 as accounts_pb
from finance.fraud.v1 import fraud_service_pb2 as fraud
from finance.transfers.v1 import transfers_service_pb2 as transfers_pb
from lxml import etree
from treaty.operations.backlog import Backlog
from treaty.telemetry.spans import FinishedSpan
from treaty.telemetry.tree import lines

from scripts.lib.demo_finance.bank import Bank
from scripts.lib.demo_finance.evidence import Evidence
from scripts.lib.demo_finance.plans import COMPLETED, FEE
from scripts.lib.demos.run import WIDTH, Report
from scripts.lib.grammar import counted
from services.finance.money import CURRENCIES

_HOPS = 9
_MOST_LINES = 7

_COLUMNS: Mapping[str, Sequence[str]] = {
    "customers": ("customer",),
    "the bank": ("clearing", "fees", "suspense"),
    "cash": ("contra:cash",),
    "in transit": ("contra:transfers",),
    "fees": ("contra:fees", "contra:interest"),
}
"""The columns of the trial balance, and the ledgers in each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of the demo, as the contexts have them in the end.

    Attributes:
        accounts, transfers, cases: those of this run.
        all_accounts, balances: those of the whole bank, also of earlier runs on the same servers.
        statement: the account of `of`.
        file: how often each status is in the pain.002 of the file.
    """

    bank: Bank
    accounts: Sequence[accounts_pb.Account]
    transfers: Sequence[transfers_pb.Transfer]
    cases: Sequence[fraud.CaseSummary]
    all_accounts: Sequence[accounts_pb.AccountSummary]
    balances: Sequence[accounts_pb.TrialBalance]
    of: str
    statement: accounts_pb.GetStatementResponse
    file: Counter[str]
    backlogs: Mapping[str, Backlog]
    handled: bool
    trace: Sequence[FinishedSpan]
    evidence: Evidence

    @property
    def differences(self) -> Sequence[str]:
        """Sentences about totals that do not add up."""
        found = [*self._ledgers(), *self._of_accounts(), *self._ends(), *self._of_file(), *self._of_seals()]
        return [*found, *([] if self.handled else ["not every event was handled by its subscribers"])]

    def _ledgers(self) -> Iterator[str]:
        """All sides of all postings sum up to zero; no money is in transit; the accounts have what the ledgers have."""
        held: defaultdict[tuple[str, str], int] = defaultdict(int)
        for account in self.all_accounts:
            held[account.balance.currency, _kind(account.kind)] += account.balance.minor_units
        for balance in self.balances:
            if balance.difference:
                yield f"the trial balance of {balance.currency} is off by {balance.difference}"
            for ledger in balance.ledgers:
                units = ledger.credits - ledger.debits
                if ledger.ledger == "contra:transfers" and units:
                    yield f"{units} {balance.currency} are still between two accounts"
                if not ledger.ledger.startswith("contra:") and units != held[balance.currency, ledger.ledger]:
                    yield f"the {ledger.ledger} accounts in {balance.currency} hold other money than their ledger"

    def _of_accounts(self) -> Iterator[str]:
        expected = self.expected()
        for account in self.accounts:
            units = account.balance.minor_units
            if units != expected[account.account_id]:
                yield f"account {account.account_id} has {units}, and must have {expected[account.account_id]}"
            if account.open_holds or account.available.minor_units != units + account.overdraft.minor_units:
                yield f"account {account.account_id} has a hold that has not ended"
            if account.account_id == self.bank.name(self.of) and self.statement.closing != units:
                yield f"the statement of {self.of} ends with {self.statement.closing}, and the account has {units}"

    def expected(self) -> Mapping[str, int]:
        """Returns the minor units that each account must have: those of the beginning, and the transfers since."""
        found = Counter(self.bank.opening)
        found[self.bank.name("mill")] -= FEE
        for one in self.transfers:
            terms, units = one.terms, one.terms.amount.minor_units
            suspense = f"suspense-{self.bank.run}-{terms.amount.currency.lower()}"
            if one.status == transfers_pb.TRANSFER_STATUS_COMPLETED:
                found[terms.payer] -= units
                found[terms.payee] += units
            elif one.parked:
                found[terms.payer] -= units
                found[suspense] += units
            if one.refund == transfers_pb.REFUND_STATUS_PAID:
                found[terms.payee] -= units
                found[suspense if one.refund_parked else terms.payer] += units
        return found

    def _ends(self) -> Iterator[str]:
        ends = {one.transfer_id: end_of(one) for one in self.transfers}
        for id, plan in self.bank.plans.items():
            end = ends.pop(id, "not listed")
            if end != plan.ends:
                yield f"the transfer of {plan.units} from {plan.payer} to {plan.payee} is {end}, not {plan.ends}"
        for id, end in ends.items():
            if end.startswith("STILL_"):
                yield f"transfer {id} of the file has not ended: it is {end}"

    def _of_file(self) -> Iterator[str]:
        made = sum(end_of(one) == COMPLETED for one in self._in_file())
        refused = self.bank.refused["LINE_REFUSED"]
        if self.file["ACSC"] != made or self.file["PDNG"]:
            yield f"the status of the file has {dict(self.file)}, and {made} of its transfers are completed"
        if self.waiting != self.bank.later:
            yield f"{self.waiting} lines of the file have no transfer yet, and {self.bank.later} are for another day"
        if self.file.total() != self.bank.accepted + refused:
            yield f"the status of the file has {self.file.total()} lines, and {self.bank.accepted + refused} were sent"

    def _of_seals(self) -> Iterator[str]:
        if not self.evidence.chain_valid:
            yield "commits have changed since they were sealed: ./treaty audit verify says which"
        if not self.evidence.tampering_found:
            yield "a commit was edited by hand, and the verification did not find it, or found something else"
        if not self.evidence.restored:
            yield "the edited commit is not as it was before"

    def _in_file(self) -> Sequence[transfers_pb.Transfer]:
        return [one for one in self.transfers if one.terms.customer_id == self.bank.payroll]

    @property
    def waiting(self) -> int:
        """The accepted lines of the file that have no transfer yet."""
        return self.bank.accepted - len(self._in_file())

    @property
    def balanced(self) -> bool:
        """Whether all totals add up, and no work is left anywhere."""
        return not self.differences and not any(backlog.total for backlog in self.backlogs.values())

    def figures(self) -> dict[str, object]:
        backlogs, ends = self.backlogs.values(), [end_of(one) for one in self.transfers]
        completed = ends.count(COMPLETED)
        return {
            "accounts": len(self.accounts),
            "transfers": len(ends),
            "completed": completed,
            "failed": len(ends) - completed - sum(end.startswith("STILL_") for end in ends),
            "waiting": self.waiting,
            "refused": self.bank.refused.total(),
            "fraud_cases": len(self.cases),
            "approvals": self.bank.approvals,
            "refunds": sum(one.refund == transfers_pb.REFUND_STATUS_PAID for one in self.transfers),
            "trial_balance": sum(abs(balance.difference) for balance in self.balances),
            "commands": self.bank.clients.commands,
            "chain_valid": self.evidence.chain_valid,
            "tampering_found": self.evidence.tampering_found,
            "balanced": self.balanced,
            "outbox": sum(b.outbox + b.calls for b in backlogs),
            "queued": sum(b.queued for b in backlogs),
            "quarantined": sum(b.quarantined for b in backlogs),
            "trace_services": len({span.service for span in self.trace}),
        }


def end_of(one: transfers_pb.Transfer) -> str:
    """Returns COMPLETED, the code with which a transfer failed, or STILL_ and its status."""
    if one.status == transfers_pb.TRANSFER_STATUS_COMPLETED:
        return COMPLETED
    if one.status in (transfers_pb.TRANSFER_STATUS_FAILED, transfers_pb.TRANSFER_STATUS_CANCELLED):
        return one.code
    return f"STILL_{transfers_pb.TransferStatus.Name(one.status).removeprefix('TRANSFER_STATUS_')}"


def statuses(pain_002: bytes) -> Counter[str]:
    """Returns how often each status of a line is in the status report of a file."""
    return Counter(str(status.text) for status in etree.fromstring(pain_002).iter("{*}TxSts"))


def report_of(results: Results) -> Report:
    return Report(balanced=results.balanced, figures=results.figures(), lines=list(_lines(results)))


def _lines(results: Results) -> Iterator[str]:
    figures, bank = results.figures(), results.bank
    sums = "balances, holds, ledgers, transfers, messages and seals"
    yield f"It adds up: {sums}." if results.balanced else "It does not add up:"
    yield from (f"  {difference}"[:WIDTH] for difference in results.differences[:5])
    yield ""
    yield (
        f"{counted(len(results.accounts), 'account')}, {counted(len(results.transfers), 'transfer')}: "
        f"{figures['completed']} completed, {figures['failed']} failed"
    )
    failed = Counter(end for end in map(end_of, results.transfers) if end != COMPLETED)
    yield from _counts(failed)
    yield f"{counted(bank.refused.total(), 'request')} refused"
    yield from _counts(bank.refused)
    yield from _people(results)
    yield from _sealed(results.evidence)
    yield ""
    yield from _statement(results)
    yield ""
    yield from _trial_balance(results.balances)
    yield ""
    yield from _trace(results.trace)


def _counts(counts: Mapping[str, int]) -> Iterator[str]:
    """Yields counts, two in a line."""
    cells = [f"{number} × {reason}" for reason, number in sorted(counts.items()) if number]
    for n in range(0, len(cells), 2):
        yield f"  {' '.join(f'{cell:<38.38}' for cell in cells[n : n + 2])}".rstrip()


def _people(results: Results) -> Iterator[str]:
    """Yields lines about the file, and about the decisions of people."""
    file, bank = results.file, results.bank
    waits = f", {results.waiting} for a later banking day" if results.waiting else ""
    yield f"The payment file: {counted(file.total(), 'line')}, {file['ACSC']} paid, {file['RJCT']} refused{waits}"
    ends = Counter(map(_end_of_case, results.cases))
    said = ", ".join(f"{number} {word}" for word, number in sorted(ends.items()))
    yield f"{counted(len(results.cases), 'case')} at Fraud: {said}"
    refunds = results.figures()["refunds"]
    yield (
        f"{bank.approvals} approved by a second person, {refunds} refunded; "
        f"a standing order for {bank.order.next_at.ToDatetime():%-d %B}"
    )


def _sealed(evidence: Evidence) -> Iterator[str]:
    if evidence.chain_valid and evidence.tampering_found and evidence.restored:
        yield f"{evidence.sealed:,} commits are as they were sealed; a cent that was added by hand was found"


def _end_of_case(case: fraud.CaseSummary) -> str:
    undecided = case.status in (fraud.CASE_STATUS_OPEN, fraud.CASE_STATUS_CLOSED)
    if undecided and case.decision == fraud.DECISION_BLOCK:
        return "blocked"
    return fraud.CaseStatus.Name(case.status).rpartition("_")[2].lower()


def _statement(results: Results) -> Iterator[str]:
    """Yields the latest lines of a statement, the oldest first."""
    rows = results.statement.lines
    currency = rows[0].balance.currency if rows else ""
    yield f"Statement of {results.of} in {currency}:"
    for row in reversed(rows[:_MOST_LINES]):
        purpose = accounts_pb.Purpose.Name(row.purpose).removeprefix("PURPOSE_").replace("_", " ").lower()
        at, reference = row.posted_at.ToDatetime(), row.reference[:18]
        yield (
            f"  {at:%d %b %H:%M}  {purpose:<13} {reference:<18} "
            f"{decimal(row.amount.minor_units, currency):>13} {decimal(row.balance.minor_units, currency):>14}"
        )[:WIDTH]


def _trial_balance(balances: Sequence[accounts_pb.TrialBalance]) -> Iterator[str]:
    """Yields a line for each currency; each sums up to zero."""
    names = " ".join(f"{name:>13.13}" for name in _COLUMNS)
    yield f"Books {names} sum"
    for balance in balances[:4]:
        units = {ledger.ledger: ledger.credits - ledger.debits for ledger in balance.ledgers}
        cells = [sum(units.get(ledger, 0) for ledger in ledgers) for ledgers in _COLUMNS.values()]
        row = " ".join(f"{decimal(cell, balance.currency):>13}" for cell in cells)
        yield f"  {balance.currency} {row} {balance.difference:>3}"[:WIDTH]


def _trace(spans: Sequence[FinishedSpan]) -> Iterator[str]:
    """Yields the way of a transfer over all contexts."""
    if spans:
        heading, *rows = lines(spans, width=WIDTH, folded=True)
        yield f"One transfer, over all contexts: {heading.partition(' · ')[2]}"[:WIDTH]
        yield from (f"  {row}"[:WIDTH] for row in rows[:_HOPS])


def decimal(units: int, currency: str) -> str:
    """Returns an amount of minor units with the decimals of its currency: 1,234.50."""
    decimals = CURRENCIES[currency]
    return f"{Decimal(units).scaleb(-decimals):,.{decimals}f}"


def _kind(kind: int) -> str:
    return kinds.AccountKind.Name(kinds.AccountKind.ValueType(kind)).removeprefix("ACCOUNT_KIND_").lower()
