"""The lines of a payment file: checked one by one, so a bad line refuses its transfer and not the file."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from treaty.domain import Invalid

from services.finance.money import CURRENCIES, UNITLESS, Money
from services.finance.transfers.domain.calendar import Adjust, IsBankingDay, adjusted

_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

CODES = {
    "NOT_FOUND": "AC01",
    "ACCOUNT_CLOSED": "AC04",
    "ACCOUNT_FROZEN": "AC06",
    "INSUFFICIENT_FUNDS": "AM04",
    "DAILY_LIMIT": "AM02",
    "FRAUD": "FRAD",
    "FRAUD_SUSPECTED": "FRAD",
    "CANCELLED": "DS02",
}
"""The reasons of ISO 20022 for those of a failed transfer. Others are NARR: the reason is in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """A line of a file as it was sent. An account is an IBAN behind `IBAN `, or the bank's own id of it."""

    group: str
    end_to_end: str
    payer: str
    payee: str
    amount: str
    currency: str
    execute_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a file: the transfer that it makes, or the code and the reason of its refusal.

    `due_on` is its banking day as YYYY-MM-DD, and `at_once` whether that was today when the file was accepted. Both are
    kept, since the cut-off and the holidays may be others when somebody asks; lines of earlier versions have no day.
    """

    group: str
    end_to_end: str
    payer: str
    payee: str
    amount: Money | None
    execute_on: str
    code: str
    reason: str
    due_on: str = ""
    at_once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The status of a line: ACCP (accepted), PDNG (waits for a person), ACSC (completed) or RJCT, with its reason.

    `transfer_id` is that of its transfer, also before it is made, and `order_id` that of the order that makes it on its
    banking day. Both are empty if the line was refused with its file.
    """

    group: str
    end_to_end: str
    status: str
    code: str
    reason: str
    transfer_id: str = ""
    order_id: str = ""


class BadLine(Exception):
    """A line is refused. It has the code of ISO 20022 and the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


def line_of(sent: Instruction) -> Line:
    """Returns the line of an instruction."""
    try:
        payer, payee = account_of(sent.payer), account_of(sent.payee)
        if payer == payee:
            raise BadLine("AC01", "the payer and the payee are one account")
        amount, code, reason = amount_of(sent.amount, sent.currency), "", ""
    except BadLine as bad:
        payer = payee = ""
        amount, code, reason = None, bad.code, bad.reason
    return Line(
        group=sent.group,
        end_to_end=sent.end_to_end,
        payer=payer,
        payee=payee,
        amount=amount,
        execute_on=sent.execute_on,
        code=code,
        reason=reason,
    )


def account_of(text: str) -> str:
    """Returns the id of an account. That of an account with an IBAN is the IBAN in small letters.

    Raises:
        BadLine: with AC01 if it is none, or the check digits of the IBAN are wrong (ISO 13616, modulo 97).
    """
    iban = text.removeprefix("IBAN ") if text.startswith("IBAN ") else ""
    if iban and not is_iban(iban):
        raise BadLine("AC01", "the check digits of the IBAN are wrong")
    account = (iban or text).lower()
    if not _ACCOUNT.fullmatch(account):
        raise BadLine("AC01", "there is no account with such an id")
    return account


def is_iban(text: str) -> bool:
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", text.upper()):
        return False
    turned = text.upper()[4:] + text.upper()[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def amount_of(text: str, currency: str) -> Money:
    """Returns an amount with exactly the decimals of its currency, or fewer.

    Raises:
        BadLine: with AM01 for zero, AM03 for a currency that is not kept, AM12 for too many decimals or too much.
    """
    if currency in UNITLESS or currency not in CURRENCIES:
        raise BadLine("AM03", f"no account is kept in {currency or 'no currency'}")
    units = Decimal(text or 0).scaleb(CURRENCIES[currency])
    if units != units.to_integral_value():
        raise BadLine("AM12", f"{text} has more decimals than {currency}")
    if units <= 0:
        raise BadLine("AM01", "the amount is zero")
    try:
        return Money(int(units), currency)
    except Invalid as too_large:
        raise BadLine("AM12", too_large.message) from None


def execution_day(
    wanted: str, now: datetime, cut_off: time, zone: ZoneInfo, is_banking_day: IsBankingDay
) -> tuple[date, bool]:
    """Returns the banking day on which a line is carried out, and whether that is today, so at once.

    From the cut-off on, that instant itself included, today is over. A date in the past means the first day there is.
    """
    local = now.astimezone(zone)
    first = local.date() if local.time() < cut_off else local.date() + timedelta(days=1)
    day = adjusted(max(first, date.fromisoformat(wanted)), Adjust.FOLLOWING, is_banking_day)
    return day, day == local.date()
