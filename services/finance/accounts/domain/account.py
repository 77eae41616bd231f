"""The account aggregate: a balance, its holds, and its postings."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from treaty.domain import Aggregate, Invalid, Rejected

from services.finance.accounts.domain.events import (
    AccountClosed,
    AccountEvent,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    HoldCaptured,
    HolderErased,
    HoldExpired,
    HoldPlaced,
    HoldReleased,
    InterestReckoned,
    Posted,
    TermsChanged,
)
from services.finance.accounts.domain.holds import MOST_OPEN, Ending, Hold, Holds
from services.finance.accounts.domain.interest import UNIT, Rates, days_between, next_month, whole_units
from services.finance.accounts.domain.kinds import Kind, Status
from services.finance.accounts.domain.postings import (
    CREDITS,
    DEBITS,
    PASSES_A_FREEZE,
    Contra,
    Posting,
    Purpose,
    posting_id,
)
from services.finance.money import LIMIT, Money

_NO_RATES, _NO_HOLDS = Rates(), Holds()


@dataclass(slots=True, kw_only=True)
class Account(Aggregate[AccountEvent]):
    """One account. Its status is NEW until it is opened.

    Every command checks in the same order: the account and the amount, then the hold, then the balance. The state has
    open holds and a few ended ones, and no postings, so it does not grow with the history.

    Attributes:
        overdraft: the minor units that a customer's available balance may be below zero.
        accrued: interest that is not posted yet, in 1 / UNIT of a minor unit.
        accrued_until: the moment up to which `accrued` is reckoned.
    """

    status: Status = Status.NEW
    kind: Kind = Kind.CUSTOMER
    currency: str = ""
    holder_id: str = ""
    private_ref: str = ""
    erased: bool = False
    opened_at: datetime | None = None
    overdraft: int = 0
    rates: Rates = _NO_RATES
    balance: int = 0
    postings: int = 0
    posted_at: datetime | None = None
    holds: Holds = _NO_HOLDS
    accrued: int = 0
    accrued_until: datetime | None = None
    interest_due: datetime | None = None

    def open(
        self,
        *,
        kind: Kind,
        currency: str,
        holder_id: str,
        private_ref: str,
        overdraft: int,
        rates: Rates,
        now: datetime,
    ) -> None:
        if self.status is not Status.NEW:
            raise Rejected(f"account {self.id} is open already", reason="ACCOUNT_OPEN_ALREADY")
        if kind is not Kind.CUSTOMER and (overdraft or rates):
            raise Invalid("only a customer's account has an overdraft or interest", field="kind")
        Money(overdraft, currency)
        self.record(
            AccountOpened(
                kind=kind,
                currency=currency,
                holder_id=holder_id,
                private_ref=private_ref,
                overdraft=overdraft,
                rates=rates,
                interest_due=next_month(now) if rates else None,
                opened_at=now,
            )
        )

    def change_terms(self, *, overdraft: int, rates: Rates, by: str, now: datetime) -> None:
        self._must_not_be_closed()
        if self.kind is not Kind.CUSTOMER:
            raise Rejected(f"account {self.id} is the bank's own and has no terms", reason="NO_TERMS")
        if (overdraft, rates) == (self.overdraft, self.rates):
            return
        if self.available - self.overdraft + overdraft < 0:
            raise Rejected(f"more of the overdraft of account {self.id} is in use", reason="OVERDRAFT_IN_USE")
        due = (self.interest_due or next_month(now)) if rates else None
        self.record(TermsChanged(overdraft=overdraft, rates=rates, interest_due=due, by=by, changed_at=now))

    def freeze(self, reason: str, by: str, now: datetime) -> None:
        self._must_not_be_closed()
        if self.status is not Status.FROZEN:
            self.record(AccountFrozen(reason=reason, by=by, frozen_at=now))

    def unfreeze(self, reason: str, by: str, now: datetime) -> None:
        self._must_not_be_closed()
        if self.status is Status.FROZEN:
            self.record(AccountUnfrozen(reason=reason, by=by, unfrozen_at=now))

    def close(self, now: datetime) -> None:
        """Closes the account if it is empty. Open holds stay, and can only expire."""
        if self.status is Status.CLOSED:
            return
        if self.balance:
            raise Rejected(f"account {self.id} holds {self.money(self.balance)}", reason="NOT_EMPTY")
        if whole_units(self._accrued_at(now)):
            raise Rejected(f"account {self.id} has interest to settle first", reason="INTEREST_DUE")
        self.record(AccountClosed(closed_at=now))

    def erase_holder(self, now: datetime) -> None:
        if not self.erased:
            self.record(HolderErased(erased_at=now))

    def reserve(self, hold_id: str, amount: Money, lasts: timedelta, now: datetime) -> None:
        """Places a hold. Its id is the id of the request, which takes effect once, so no hold has the id of another."""
        self._must_move(amount, Purpose.TRANSFER_OUT)
        self._sweep(now)
        if len(self.holds.open) >= MOST_OPEN:
            raise Rejected(f"account {self.id} has {MOST_OPEN} open holds already", reason="TOO_MANY_HOLDS")
        self._must_have(amount.minor_units)
        hold = Hold(hold_id=hold_id, amount=amount.minor_units, expires_at=now + lasts)
        self.record(HoldPlaced(hold=hold, lasts=lasts, placed_at=now))

    def capture(self, hold_id: str, amount: Money, reference: str, now: datetime) -> None:
        """Takes held money, in whole or in part. The rest is free again."""
        self._must_move(amount, Purpose.TRANSFER_OUT)
        hold = self.holds.find(hold_id, now)
        if amount.minor_units > hold.amount:
            raise Rejected(f"hold {hold_id} is of {self.money(hold.amount)}", reason="CAPTURE_TOO_LARGE")
        self.record(HoldCaptured(hold_id=hold_id, amount=amount.minor_units))
        self._post(-amount.minor_units, Contra.TRANSFERS, Purpose.TRANSFER_OUT, reference, now)

    def release(self, hold_id: str, now: datetime) -> None:
        """Gives a hold up. A frozen account allows it, and a closed one does not."""
        self._must_not_be_closed()
        self.holds.find(hold_id, now)
        self.record(HoldReleased(hold_id=hold_id))

    def expire(self, hold_id: str) -> None:
        """Ends a hold whose time is over by the server's clock, even on a closed account."""
        if self.holds.has(hold_id):
            self.record(HoldExpired(hold_id=hold_id))

    def credit(self, amount: Money, purpose: Purpose, reference: str, now: datetime) -> None:
        self._must_move(amount, purpose)
        self._post(amount.minor_units, CREDITS[purpose], purpose, reference, now)

    def debit(self, amount: Money, purpose: Purpose, reference: str, now: datetime) -> None:
        self._must_move(amount, purpose)
        self._sweep(now)
        self._must_have(amount.minor_units)
        self._post(-amount.minor_units, DEBITS[purpose], purpose, reference, now)

    def correct(self, original: str, amount: Money, contra: Contra, now: datetime) -> None:
        """Posts the opposite of a posting of this account."""
        self._must_move(Money(abs(amount.minor_units), amount.currency), Purpose.CORRECTION)
        self._sweep(now)
        if amount.minor_units < 0:
            self._must_have(-amount.minor_units)
        self._post(amount.minor_units, contra, Purpose.CORRECTION, original, now)

    def pay_interest(self, due: datetime, now: datetime) -> None:
        """Posts the interest that is due, unless it is posted already, or the terms have changed since."""
        if due == self.interest_due and self.status is not Status.CLOSED:
            self._reckon(max(due, self.accrued_until or due), next_month(due), due, now)

    def settle_interest(self, now: datetime) -> None:
        """Posts the interest up to now, before its time."""
        self._must_not_be_closed()
        if whole_units(self._accrued_at(now)):
            self._reckon(now, self.interest_due, now, now)

    def _reckon(self, until: datetime, following: datetime | None, reference: datetime, now: datetime) -> None:
        """Posts whole minor units of interest. A charge beyond the available balance waits for the next time."""
        self._sweep(now)
        amount = max(whole_units(self._accrued_at(until)), -self.available)
        self.record(InterestReckoned(amount=amount, until=until, interest_due=following))
        if amount:
            self._post(amount, Contra.INTEREST, Purpose.INTEREST, f"interest/{reference.date().isoformat()}", now)

    @property
    def available(self) -> int:
        """The minor units that a customer may still reserve or take, with the overdraft and without the held ones."""
        return self.balance + self.overdraft - self.holds.total

    def available_at(self, now: datetime) -> int:
        """Returns the available minor units, without the holds whose time is over."""
        return self.balance + self.overdraft - self.holds.total_at(now)

    def money(self, minor_units: int) -> Money:
        return Money(minor_units, self.currency)

    @property
    def last_posting_id(self) -> str:
        return posting_id(self.id, self.postings)

    def _must_not_be_closed(self) -> None:
        if self.status is Status.CLOSED:
            raise Rejected(f"account {self.id} is closed", reason="ACCOUNT_CLOSED")

    def _must_move(self, amount: Money, purpose: Purpose) -> None:
        """Checks the account and the amount of a movement."""
        if amount.currency != self.currency:
            raise Invalid(
                f"account {self.id} is kept in {self.currency}, not {amount.currency}", field="amount.currency"
            )
        if amount.minor_units <= 0:
            raise Invalid(f"an amount must be positive, not {amount}", field="amount.minor_units")
        self._must_not_be_closed()
        if self.status is Status.FROZEN and purpose not in PASSES_A_FREEZE:
            raise Rejected(f"account {self.id} is frozen", reason="ACCOUNT_FROZEN")

    def _must_have(self, minor_units: int) -> None:
        if self.kind is Kind.CUSTOMER and minor_units > self.available:
            raise Rejected(
                f"account {self.id} has {self.money(self.available)} available, not {self.money(minor_units)}",
                reason="INSUFFICIENT_FUNDS",
            )

    def _sweep(self, now: datetime) -> None:
        """Records the end of holds whose time is over, so that their money is free in the same commit that uses it."""
        for hold in self.holds.overdue(now):
            self.record(HoldExpired(hold_id=hold.hold_id))

    def _post(self, units: int, contra: Contra, purpose: Purpose, reference: str, now: datetime) -> None:
        balance = self.balance + units
        if abs(balance) > LIMIT:
            raise Rejected(f"account {self.id} can hold {self.money(LIMIT)} at most", reason="BALANCE_TOO_LARGE")
        posting = Posting(
            number=self.postings + 1,
            kind=self.kind,
            amount=self.money(units),
            contra=contra,
            purpose=purpose,
            reference=reference,
            balance=balance,
            posted_at=max(now, self.posted_at or now),
        )
        self.record(Posted(posting=posting))

    def _accrued_at(self, moment: datetime) -> int:
        days = days_between(self.accrued_until or moment, moment)
        return self.accrued + self.rates.earned(self.balance, days)

    def evolve(self, event: AccountEvent) -> None:
        match event:
            case AccountOpened():
                self.status, self.kind, self.currency = Status.OPEN, event.kind, event.currency
                self.holder_id, self.private_ref = event.holder_id, event.private_ref
                self.overdraft, self.rates, self.interest_due = event.overdraft, event.rates, event.interest_due
                self.opened_at = self.accrued_until = event.opened_at
            case TermsChanged():
                self._accrue(event.changed_at)
                self.overdraft, self.rates, self.interest_due = event.overdraft, event.rates, event.interest_due
            case AccountFrozen():
                self.status = Status.FROZEN
            case AccountUnfrozen():
                self.status = Status.OPEN
            case AccountClosed():
                self.status, self.interest_due = Status.CLOSED, None
            case HolderErased():
                self.erased, self.private_ref = True, ""
            case HoldPlaced():
                self.holds = self.holds.with_hold(event.hold)
            case HoldCaptured():
                self.holds = self.holds.ending(event.hold_id, Ending.CAPTURED)
            case HoldReleased():
                self.holds = self.holds.ending(event.hold_id, Ending.RELEASED)
            case HoldExpired():
                self.holds = self.holds.ending(event.hold_id, Ending.EXPIRED)
            case Posted():
                self._accrue(event.posting.posted_at)
                self.balance, self.postings = event.posting.balance, event.posting.number
                self.posted_at = event.posting.posted_at
            case InterestReckoned():
                self._accrue(event.until)
                self.accrued, self.interest_due = self.accrued - event.amount * UNIT, event.interest_due

    def _accrue(self, moment: datetime) -> None:
        self.accrued, self.accrued_until = self._accrued_at(moment), max(moment, self.accrued_until or moment)
