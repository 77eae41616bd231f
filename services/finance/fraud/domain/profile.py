"""The profile aggregate: the recent behaviour of one payer's account."""

from dataclasses import dataclass
from datetime import tzinfo

from treaty.domain import Aggregate, Rejected

from services.finance.fraud.domain.events import ProfileEvent, TransferScreened
from services.finance.fraud.domain.rules import Model, Seen, Transfer, Verdict, features_of, judged, major_units

KEPT = 50
"""The most recent transfers that a profile remembers."""

PAYEES = 100
"""The most payees that a profile remembers. One that it has forgotten counts as new."""


@dataclass(slots=True, kw_only=True)
class Profile(Aggregate[ProfileEvent]):
    """The profile of one account. Its id is the account's. `verdict` is the last one."""

    recent: tuple[Seen, ...] = ()
    payees: tuple[str, ...] = ()
    verdict: Verdict | None = None

    def screen(self, transfer: Transfer, model: Model, zone: tzinfo) -> None:
        """Screens a transfer, and remembers it."""
        if self.verdict is not None and self.verdict.transfer_id == transfer.transfer_id:
            return
        if any(seen.transfer_id == transfer.transfer_id for seen in self.recent):
            raise Rejected(f"transfer {transfer.transfer_id} is screened already", reason="SCREENED_ALREADY")
        features = features_of(transfer, self.recent, self.payees, zone)
        verdict = judged(transfer.transfer_id, features, model.score(features))
        self.record(TransferScreened(transfer=transfer, features=features, verdict=verdict))

    def evolve(self, event: ProfileEvent) -> None:
        transfer = event.transfer
        units = major_units(transfer.amount)
        seen = Seen(transfer_id=transfer.transfer_id, units=units, at=transfer.at, batch=transfer.batch)
        self.recent = (*self.recent, seen)[-KEPT:]
        others = [payee for payee in self.payees if payee != transfer.payee]
        self.payees = (*others, transfer.payee)[-PAYEES:]
        self.verdict = event.verdict
