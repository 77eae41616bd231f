"""The profile aggregate: the recent behaviour of one payer's account."""

from dataclasses import dataclass
from datetime import tzinfo

from treaty.domain import Aggregate, Rejected

from services.finance.fraud.domain.events import PayeeJudged, ProfileEvent, TransferPaid, TransferScreened
from services.finance.fraud.domain.rules import (
    Decision,
    Model,
    Paid,
    Seen,
    Transfer,
    Verdict,
    features_of,
    judged,
    major_units,
)
from services.finance.money import Money

KEPT = 50
"""The most recent transfers that a profile remembers."""

PAYEES = 100
"""The most payees that a profile remembers. One that it has forgotten counts as new."""


@dataclass(slots=True, kw_only=True)
class Profile(Aggregate[ProfileEvent]):
    """The profile of one account. Its id is the account's.

    A transfer that is only tried makes neither its payee nor its amount familiar: otherwise a blocked transfer would
    pass when it is sent again.

    Attributes:
        recent: the transfers that were screened, also those that were refused.
        payees: the payees that have been paid.
        verdict: the last one.
        paid: the transfers whose payees have the money.
        frauds: the payees of whom a person found that a transfer to them was fraud. They stay strangers.
    """

    recent: tuple[Seen, ...] = ()
    payees: tuple[str, ...] = ()
    verdict: Verdict | None = None
    paid: tuple[Paid, ...] = ()
    frauds: tuple[str, ...] = ()

    def screen(self, transfer: Transfer, model: Model, zone: tzinfo) -> None:
        """Screens a transfer, and remembers that it was tried."""
        if self.verdict is not None and self.verdict.transfer_id == transfer.transfer_id:
            return
        if any(seen.transfer_id == transfer.transfer_id for seen in self.recent):
            raise Rejected(f"transfer {transfer.transfer_id} is screened already", reason="SCREENED_ALREADY")
        features = features_of(transfer, self.recent, [one.units for one in self.paid], self.payees, zone)
        verdict = judged(transfer.transfer_id, features, model.score(features))
        self.record(TransferScreened(transfer=transfer, features=features, verdict=verdict, outcome_follows=True))

    def note_payment(self, transfer_id: str, payee: str, amount: Money) -> None:
        """Makes the payee and the amount of a transfer familiar, now that the payee has the money."""
        if payee not in self.frauds and all(one.transfer_id != transfer_id for one in self.paid):
            self.record(TransferPaid(transfer_id=transfer_id, payee=payee, amount=amount))

    def note_decision(self, payee: str, *, fraud: bool) -> None:
        """Makes a payee a stranger for good if a transfer to it was fraud, until a later one is cleared."""
        if fraud != (payee in self.frauds):
            self.record(PayeeJudged(payee=payee, fraud=fraud))

    def evolve(self, event: ProfileEvent) -> None:
        match event:
            case TransferScreened():
                self._see(event.transfer)
                self.verdict = event.verdict
                if not event.outcome_follows and event.verdict.decision is Decision.ACCEPT:
                    self._learn(event.transfer.transfer_id, event.transfer.payee, event.transfer.amount)
            case TransferPaid():
                self._learn(event.transfer_id, event.payee, event.amount)
            case PayeeJudged():
                others = tuple(payee for payee in self.frauds if payee != event.payee)
                self.frauds = (*others, event.payee)[-PAYEES:] if event.fraud else others
                self.payees = tuple(payee for payee in self.payees if payee not in self.frauds)
                self.paid = tuple(one for one in self.paid if one.payee not in self.frauds)

    def _see(self, transfer: Transfer) -> None:
        units = major_units(transfer.amount)
        seen = Seen(transfer_id=transfer.transfer_id, units=units, at=transfer.at, batch=transfer.batch)
        self.recent = (*self.recent, seen)[-KEPT:]

    def _learn(self, transfer_id: str, payee: str, amount: Money) -> None:
        paid = Paid(transfer_id=transfer_id, payee=payee, units=major_units(amount))
        self.paid = (*self.paid, paid)[-KEPT:]
        self.payees = (*(known for known in self.payees if known != payee), payee)[-PAYEES:]
