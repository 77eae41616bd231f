"""The standing order aggregate: makes transfers by the calendar, each run once."""

from dataclasses import dataclass
from datetime import datetime

from treaty.domain import Aggregate, Invalid, Rejected

from services.finance.transfers.domain.calendar import (
    MOST_AT_ONCE,
    IsBankingDay,
    Missed,
    Run,
    Schedule,
    chosen,
    run_before,
    run_of,
)
from services.finance.transfers.domain.events import OrderEnded, OrderEvent, OrderPlaced, OrderRan, Terms
from services.finance.transfers.domain.terms import check_terms


@dataclass(slots=True, kw_only=True)
class Order(Aggregate[OrderEvent]):
    """One standing order, or one scheduled transfer. `next_at` is None before it is placed and after it has ended."""

    terms: Terms | None = None
    schedule: Schedule | None = None
    next_run: int = 0
    next_at: datetime | None = None
    made: int = 0
    skipped: int = 0
    ended: bool = False
    ended_by: str = ""

    def place(self, terms: Terms, schedule: Schedule, now: datetime, is_banking_day: IsBankingDay) -> None:
        """Places the order. Runs whose moment is over already are left out."""
        if self.terms is not None:
            raise Rejected(f"order {self.id} exists already", reason="ORDER_EXISTS_ALREADY")
        check_terms(terms)
        number = run_before(schedule, now.date())
        while (run := run_of(schedule, number, is_banking_day)) is not None and run.at <= now:
            number += 1
        if run is None:
            raise Invalid("the schedule has no run in the future", field="schedule")
        self.record(OrderPlaced(terms=terms, schedule=schedule, next_run=number, next_at=run.at))

    def run(self, due: datetime, now: datetime, is_banking_day: IsBankingDay) -> None:
        """Makes the runs that are due, unless a timer of before has made them.

        Several are due after a downtime; then the schedule says which of them are made.
        """
        if self.ended or self.schedule is None or due != self.next_at:
            return
        runs = self._due(self.schedule, max(now, due), is_banking_day)
        made = chosen(runs, self.schedule.missed, max(now, due))
        following = run_of(self.schedule, runs[-1].number + 1, is_banking_day)
        self.record(
            OrderRan(
                made=tuple(run.due_on.isoformat() for run in made),
                skipped=tuple(run.due_on.isoformat() for run in runs if run not in made),
                next_run=runs[-1].number + 1,
                next_at=following.at if following is not None else None,
            )
        )

    def _due(self, schedule: Schedule, now: datetime, is_banking_day: IsBankingDay) -> list[Run]:
        runs: list[Run] = []
        most = MOST_AT_ONCE if schedule.missed is Missed.ALL else 10 * MOST_AT_ONCE
        while len(runs) < most:
            run = run_of(schedule, self.next_run + len(runs), is_banking_day)
            if run is None or run.at > now:
                break
            runs.append(run)
        return runs

    def end(self, by: str, reason: str) -> None:
        """Ends the order. Transfers that it has made already go on."""
        if not self.ended:
            self.record(OrderEnded(by=by, reason=reason))

    def evolve(self, event: OrderEvent) -> None:
        match event:
            case OrderPlaced():
                self.terms, self.schedule = event.terms, event.schedule
                self.next_run, self.next_at = event.next_run, event.next_at
            case OrderRan():
                self.made, self.skipped = self.made + len(event.made), self.skipped + len(event.skipped)
                self.next_run, self.next_at = event.next_run, event.next_at
                self.ended = event.next_at is None
            case OrderEnded():
                self.ended, self.ended_by, self.next_at = True, event.by, None
