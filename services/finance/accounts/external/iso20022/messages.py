"""Writes camt.053.001.08, the statement of an account, valid against its schema."""

import uuid
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from services.finance.accounts.application.books import WholeStatement
from services.finance.accounts.domain.postings import posting_id
from services.finance.accounts.projections import PostingRow
from services.finance.money import Money

_SCHEMA = Path(__file__).with_name("schemas") / "camt.053.001.08.xsd"
_LONGEST_ID = 34
"""The most characters of an account's id in a file. A longer id is in the name of the account."""

_OUT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


@cache
def _schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(_SCHEMA)))


def write_statement(statement: WholeStatement, now: datetime) -> bytes:
    """Returns a statement as XML in UTF-8, the oldest posting first. The same statement has the same id."""
    content = (statement.account_id, statement.start, statement.end, len(statement.lines), statement.closing)
    statement_id = _short(repr(content))
    root = etree.Element(f"{{{_OUT}}}Document", nsmap={None: _OUT})
    report = _add(root, "BkToCstmrStmt")
    header = _add(report, "GrpHdr")
    _add(header, "MsgId", statement_id)
    _add(header, "CreDtTm", _time(now))
    one = _add(report, "Stmt")
    _add(one, "Id", statement_id)
    _add(one, "CreDtTm", _time(now))
    period = _add(one, "FrToDt")
    _add(period, "FrDtTm", _time(statement.start))
    _add(period, "ToDtTm", _time(statement.end))
    account = _add(one, "Acct")
    fits = len(statement.account_id) <= _LONGEST_ID
    _add(_add(_add(account, "Id"), "Othr"), "Id", statement.account_id if fits else _short(statement.account_id))
    _add(account, "Ccy", statement.currency)
    _add(account, "Nm", statement.account_id)
    _balance(one, "OPBD", Money(statement.opening, statement.currency), statement.start)
    _balance(one, "CLBD", Money(statement.closing, statement.currency), statement.end)
    for line in statement.lines:
        _entry(one, line)
    _schema().assertValid(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True))


def _short(text: str) -> str:
    """Returns 32 characters that stand for a text."""
    return uuid.uuid5(uuid.NAMESPACE_OID, text).hex


def _balance(statement: Any, code: str, money: Money, at: datetime) -> None:
    balance = _add(statement, "Bal")
    _add(_add(_add(balance, "Tp"), "CdOrPrtry"), "Cd", code)
    _amount(balance, money)
    _add(_add(balance, "Dt"), "DtTm", _time(at))


def _entry(statement: Any, line: PostingRow) -> None:
    entry = _add(statement, "Ntry")
    _add(entry, "NtryRef", str(line.number))
    _amount(entry, line.amount)
    _add(_add(entry, "Sts"), "Cd", "BOOK")
    _add(_add(entry, "BookgDt"), "DtTm", _time(line.posted_at))
    _add(_add(_add(entry, "BkTxCd"), "Prtry"), "Cd", line.purpose.value)
    _add(entry, "AddtlNtryInf", f"{posting_id(line.account_id, line.number)} {line.reference}")


def _amount(parent: Any, money: Money) -> None:
    positive = Money(abs(money.minor_units), money.currency)
    _add(parent, "Amt", positive.decimal).set("Ccy", money.currency)
    _add(parent, "CdtDbtInd", "DBIT" if money.minor_units < 0 else "CRDT")


def _time(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _add(parent: Any, name: str, text: str = "") -> Any:
    child = etree.SubElement(parent, f"{{{_OUT}}}{name}")
    if text:
        child.text = text
    return child
