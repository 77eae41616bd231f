"""The calendar of standing orders: dates from an anchor, banking days, and moments in a time zone."""

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

IsBankingDay = Callable[[date], bool]

PUNCTUAL = timedelta(hours=1)
"""A run that comes at most so late was not missed."""

MOST_AT_ONCE = 100
"""The most runs that one commit makes; the next commit follows at once."""


class Every(StrEnum):
    """The interval of a schedule. ONCE makes a scheduled transfer of it."""

    ONCE = "once"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Adjust(StrEnum):
    """The rule for a date that is no banking day."""

    KEEP = "keep"
    FOLLOWING = "following"
    PRECEDING = "preceding"


class Missed(StrEnum):
    """The rule for runs that fell into a downtime: all are made up for, or only the last one, or none."""

    ALL = "all"
    ONCE = "once"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule: dates as YYYY-MM-DD, the time of the day as HH:MM in `zone`; an empty `end` stands for no end.

    `start` is the anchor: each date follows from it and not from the date before, so the 31st stays the 31st.
    """

    start: str
    end: str
    at: str
    zone: str
    every: Every
    adjust: Adjust
    missed: Missed


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a schedule: its number from 0, its date before the adjustment, and its moment."""

    number: int
    due_on: date
    at: datetime


def run_of(schedule: Schedule, number: int, is_banking_day: IsBankingDay) -> Run | None:
    """Returns a run, or None behind the end of the schedule."""
    due_on = date_of(schedule, number)
    if due_on is None or (schedule.end and due_on > date.fromisoformat(schedule.end)):
        return None
    day = adjusted(due_on, schedule.adjust, is_banking_day)
    return Run(number=number, due_on=due_on, at=moment(day, time.fromisoformat(schedule.at), ZoneInfo(schedule.zone)))


def date_of(schedule: Schedule, number: int) -> date | None:
    """Returns the date of a run before the adjustment, or None if there is none: behind ONCE, or the year 9999."""
    start = date.fromisoformat(schedule.start)
    try:
        match schedule.every:
            case Every.ONCE:
                return start if number == 0 else None
            case Every.DAY:
                return start + timedelta(days=number)
            case Every.WEEK:
                return start + timedelta(weeks=number)
            case Every.MONTH:
                return months_after(start, number)
            case Every.YEAR:
                return months_after(start, 12 * number)
    except (OverflowError, ValueError):
        return None


def run_before(schedule: Schedule, day: date) -> int:
    """Returns the number of a run that is not behind a day, and not long before it, so that a search can begin there.

    An adjustment and a time zone move a run by less than a month.
    """
    start, until = date.fromisoformat(schedule.start), day - timedelta(days=31)
    months = 12 * (until.year - start.year) + until.month - start.month
    match schedule.every:
        case Every.ONCE:
            number = 0
        case Every.DAY:
            number = (until - start).days
        case Every.WEEK:
            number = (until - start).days // 7
        case Every.MONTH:
            number = months - 1
        case Every.YEAR:
            number = months // 12 - 1
    return max(number, 0)


def months_after(anchor: date, months: int) -> date:
    """Returns the same day so many months later; in a shorter month, its last day."""
    years, month = divmod(anchor.month - 1 + months, 12)
    year = anchor.year + years
    last = calendar.monthrange(year, month + 1)[1]
    return date(year, month + 1, min(anchor.day, last))


def adjusted(day: date, adjust: Adjust, is_banking_day: IsBankingDay) -> date:
    """Returns the banking day on which a date is carried out."""
    step = {Adjust.KEEP: 0, Adjust.FOLLOWING: 1, Adjust.PRECEDING: -1}[adjust]
    while step and not is_banking_day(day):
        day += timedelta(days=step)
    return day


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Returns the moment of a local time, in UTC.

    Of a time that comes twice, when clocks go back, it is the first. A time that is left out, when clocks go forward,
    is as long after the change as it would have been (PEP 495, fold=0).
    """
    return datetime.combine(day, at, tzinfo=zone).astimezone(UTC)


def chosen(runs: list[Run], missed: Missed, now: datetime) -> list[Run]:
    """Returns those of the due runs that are made; the others are skipped."""
    match missed:
        case Missed.ALL:
            return runs
        case Missed.ONCE:
            return runs[-1:]
        case Missed.NONE:
            return [run for run in runs if now - run.at <= PUNCTUAL]
