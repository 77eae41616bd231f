"""Reads pain.001.001.09 and writes pain.002.001.03, each valid against its schema.

A file comes from outside, so it is parsed without entities, document types and network, and its size is bounded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree
from treaty.domain import Invalid, Rejected

from services.finance.transfers.domain.lines import Instruction, Outcome

LARGEST_BYTES = 3_000_000

_SCHEMAS = Path(__file__).with_name("schemas")
_IN = "{urn:iso:std:iso:20022:tech:xsd:pain.001.001.09}"
_OUT = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.03"


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiation:
    """A payment initiation. `message_id` is the sender's id of the file."""

    message_id: str
    instructions: tuple[Instruction, ...]


@cache
def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(_SCHEMAS / f"{name}.xsd")))


def read_initiation(data: bytes) -> Initiation:
    """Reads a file.

    Raises:
        Invalid: if it is too large, no XML, has a document type, or is not valid against the schema.
        Rejected: with the reason AM10, if its number of transactions or a control sum is wrong.
    """
    root = _parsed(data)
    header = root.find(f"{_IN}CstmrCdtTrfInitn/{_IN}GrpHdr")
    assert header is not None
    payments = root.findall(f"{_IN}CstmrCdtTrfInitn/{_IN}PmtInf")
    for group, parts in [(header, payments), *((payment, [payment]) for payment in payments)]:
        _check_sums(group, [one for part in parts for one in part.findall(f"{_IN}CdtTrfTxInf")])
    instructions = tuple(one for payment in payments for one in _instructions(payment))
    return Initiation(message_id=_text(header, "MsgId"), instructions=instructions)


def _parsed(data: bytes) -> Any:
    if len(data) > LARGEST_BYTES:
        raise Invalid(f"the file has {len(data):,} bytes; at most {LARGEST_BYTES:,} are taken", field="xml")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,  # they would cut the text of an element in two
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Invalid(f"the file is no XML: {error.msg}", field="xml") from None
    if root.getroottree().docinfo.doctype:
        raise Invalid("the file has a document type, which is not allowed", field="xml")
    schema = _schema("pain.001.001.09")
    if not schema.validate(root):
        first = schema.error_log[0]
        raise Invalid(f"the file is no pain.001.001.09: line {first.line}: {first.message}"[:300], field="xml")
    return root


def _check_sums(group: Any, transactions: Sequence[Any]) -> None:
    """Compares the number and the control sum of a group, where they are given, with its transactions."""
    count, total = _text(group, "NbOfTxs"), _text(group, "CtrlSum")
    if count and int(count) != len(transactions):
        raise Rejected(f"the file says {count} transactions, and has {len(transactions)}", reason="AM10")
    amounts = [Decimal(one.findtext(f"{_IN}Amt/{_IN}InstdAmt") or 0) for one in transactions]
    if total and Decimal(total) != sum(amounts):
        raise Rejected(f"the file says a sum of {total}, and has {sum(amounts)}", reason="AM10")


def _instructions(payment: Any) -> Iterator[Instruction]:
    day = payment.findtext(f"{_IN}ReqdExctnDt/{_IN}Dt") or payment.findtext(f"{_IN}ReqdExctnDt/{_IN}DtTm") or ""
    try:
        wanted = date.fromisoformat(day[:10])  # a time of the day or a time zone may follow
        if not 1900 <= wanted.year < 3000:
            raise ValueError(day)
    except ValueError:
        raise Invalid(f"{day[:40]!r} is no execution date of the years 1900 to 2999", field="xml") from None
    for one in payment.findall(f"{_IN}CdtTrfTxInf"):
        amount = one.find(f"{_IN}Amt/{_IN}InstdAmt")
        payee = one.find(f"{_IN}CdtrAcct")
        yield Instruction(
            group=_text(payment, "PmtInfId"),
            end_to_end=one.findtext(f"{_IN}PmtId/{_IN}EndToEndId") or "",
            payer=_account(payment.find(f"{_IN}DbtrAcct")),
            payee=_account(payee),
            amount="" if amount is None else amount.text or "",
            currency="" if amount is None else amount.get("Ccy", ""),
            execute_on=wanted.isoformat(),
        )


def _account(account: Any) -> str:
    """Returns an IBAN, or the bank's own id of an account; an empty text if there is none."""
    if account is None:
        return ""
    iban = account.findtext(f"{_IN}Id/{_IN}IBAN")
    return f"IBAN {iban}" if iban else account.findtext(f"{_IN}Id/{_IN}Othr/{_IN}Id") or ""


def _text(parent: Any, name: str) -> str:
    return parent.findtext(f"{_IN}{name}") or ""


def write_status(message_id: str, outcomes: Sequence[Outcome], file_id: str, now: datetime) -> bytes:
    """Returns the status report of a file, as XML in UTF-8."""
    root = etree.Element(f"{{{_OUT}}}Document", nsmap={None: _OUT})
    report = _add(root, "CstmrPmtStsRpt")
    header = _add(report, "GrpHdr")
    _add(header, "MsgId", file_id.replace("-", ""))
    _add(header, "CreDtTm", now.isoformat(timespec="seconds").replace("+00:00", "Z"))
    group = _add(report, "OrgnlGrpInfAndSts")
    _add(group, "OrgnlMsgId", message_id)
    _add(group, "OrgnlMsgNmId", "pain.001.001.09")
    _add(group, "OrgnlNbOfTxs", str(len(outcomes)))
    _add(group, "GrpSts", group_status([one.status for one in outcomes]))
    for name in dict.fromkeys(one.group for one in outcomes):
        payment = _add(report, "OrgnlPmtInfAndSts")
        _add(payment, "OrgnlPmtInfId", name)
        for one in outcomes:
            if one.group == name:
                _add_outcome(payment, one)
    _schema("pain.002.001.03").assertValid(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def group_status(statuses: Sequence[str]) -> str:
    """Returns the status of a group: PART if some are refused and some are not."""
    refused = statuses.count("RJCT")
    if refused == len(statuses):
        return "RJCT"
    if refused:
        return "PART"
    return "ACSC" if set(statuses) == {"ACSC"} else "ACCP"


def _add_outcome(payment: Any, outcome: Outcome) -> None:
    one = _add(payment, "TxInfAndSts")
    _add(one, "OrgnlEndToEndId", outcome.end_to_end)
    _add(one, "TxSts", outcome.status)
    if outcome.code:
        reason = _add(one, "StsRsnInf")
        _add(_add(reason, "Rsn"), "Cd", outcome.code)
        if outcome.reason:
            _add(reason, "AddtlInf", outcome.reason[:105])


def _add(parent: Any, name: str, text: str = "") -> Any:
    child = etree.SubElement(parent, f"{{{_OUT}}}{name}")
    if text:
        child.text = text
    return child
