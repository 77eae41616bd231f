"""The payment file of the demo: one that a person gave, or the salaries that the demo writes itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from treaty.domain import DomainError, Invalid

from scripts.lib.demos.run import BadInput
from services.finance.transfers.application.files import MOST_LINES
from services.finance.transfers.clients import TargetDays
from services.finance.transfers.domain.lines import Line, execution_day, line_of
from services.finance.transfers.external.iso20022.messages import read_initiation

CUT_OFF = time(16, 0)
"""From this time of the day on, the bank carries out a file on its next banking day."""

WRONG_IBAN = "DE89370400440532013001"
"""An account number whose check digits are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """An account that a file names: its currency, and the minor units that the file takes out of it."""

    currency: str
    out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """A payment file that the bank will take. `lines` are those that it will not refuse at once."""

    xml: bytes
    lines: Sequence[Line]

    @property
    def accounts(self) -> Mapping[str, Need]:
        """The accounts that the lines name, each in the currency of the first line that names it."""
        found: dict[str, Need] = {}
        for line in self.lines:
            assert line.amount is not None
            for account, units in ((line.payer, line.amount.minor_units), (line.payee, 0)):
                known = found.setdefault(account, Need(currency=line.amount.currency, out=0))
                if known.currency == line.amount.currency:
                    found[account] = Need(currency=known.currency, out=known.out + units)
        return found

    def waiting(self, now: datetime, zone: ZoneInfo) -> int:
        """Returns how many lines the bank does not carry out today."""
        is_banking_day = TargetDays()
        days = [execution_day(line.execute_on, now, CUT_OFF, zone, is_banking_day) for line in self.lines]
        return sum(not at_once for _, at_once in days)


def read_payments(path: Path) -> Payments:
    """Reads the payment file of a person.

    Raises:
        BadInput: if there is no such file, or the bank would refuse it.
    """
    try:
        return payments_of(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None
    except DomainError as error:
        raise BadInput(f"{path} is not used: {error.message}") from None


def payments_of(xml: bytes) -> Payments:
    """Reads a payment file as the bank does.

    Raises:
        Invalid, Rejected: if the bank would refuse it.
    """
    instructions = read_initiation(xml).instructions
    if len(instructions) > MOST_LINES:
        raise Invalid(f"the file has {len(instructions)} transactions, and {MOST_LINES} are the most", field="xml")
    return Payments(xml=xml, lines=[line for line in map(line_of, instructions) if line.amount is not None])


def salaries(payer: str, payees: Sequence[str], cents: int, day: date) -> bytes:
    """Returns a pain.001.001.09 that pays a salary to each payee, and one to an account that cannot be."""
    lines = "".join(_line(n, payee, cents) for n, payee in enumerate([*payees, WRONG_IBAN]))
    count, total = len(payees) + 1, _decimal((len(payees) + 1) * cents)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>salaries-{day}</MsgId><CreDtTm>{day}T08:00:00Z</CreDtTm><NbOfTxs>{count}</NbOfTxs>"
        f"<CtrlSum>{total}</CtrlSum><InitgPty><Nm>The mill</Nm></InitgPty></GrpHdr>"
        f"<PmtInf><PmtInfId>salaries</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>{day}</Dt></ReqdExctnDt>"
        f"<Dbtr><Nm>The mill</Nm></Dbtr><DbtrAcct><Id><Othr><Id>{payer}</Id></Othr></Id></DbtrAcct>"
        "<DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>"
        f"{lines}</PmtInf></CstmrCdtTrfInitn></Document>"
    ).encode()


def _line(number: int, payee: str, cents: int) -> str:
    account = f"<IBAN>{payee}</IBAN>" if payee == WRONG_IBAN else f"<Othr><Id>{payee}</Id></Othr>"
    return (
        f"<CdtTrfTxInf><PmtId><EndToEndId>salary-{number}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="EUR">{_decimal(cents)}</InstdAmt></Amt>'
        f"<Cdtr><Nm>Employee {number}</Nm></Cdtr><CdtrAcct><Id>{account}</Id></CdtrAcct></CdtTrfTxInf>"
    )


def _decimal(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
