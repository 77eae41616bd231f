"""Reads invoices from a CSV file in the Online Retail layout. A line is one item; an invoice is one order."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
_DATES = ("%m/%d/%Y %H:%M", "%m/%d/%y %H:%M")
_COUNTRIES = {
    "United Kingdom": "GB",
    "EIRE": "IE",
    "Germany": "DE",
    "France": "FR",
    "Netherlands": "NL",
    "Spain": "ES",
    "Italy": "IT",
    "Sweden": "SE",
    "USA": "US",
    "Australia": "AU",
    "Japan": "JP",
}
"""Countries with their own tax or with none. Every other country is treated as GB, and the report says so."""

_SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CUSTOMER = re.compile(r"[A-Za-z0-9._-]{1,64}")


class NotInvoices(Exception):
    """The file cannot be read, or it does not have the layout of invoices."""


class BadRow(Exception):
    """A row that cannot be used; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One usable row. `pence` is the price of one piece; `country` is as in the file."""

    invoice: str
    sku: str
    description: str
    quantity: int
    pence: int
    customer: str
    country: str


@dataclass(slots=True)
class Item:
    """A number of pieces of one SKU, in an invoice. `pence` is the price of one piece."""

    quantity: int
    pence: int


@dataclass(slots=True)
class Invoice:
    """An order, or a request to cancel one. `customer` is empty for a guest."""

    number: str
    customer: str
    country: str
    items: dict[str, Item] = field(default_factory=dict)

    @property
    def cancels(self) -> bool:
        """Whether it cancels an earlier order: its number starts with C, or its quantities are negative."""
        return self.number.upper().startswith("C") or all(item.quantity < 0 for item in self.items.values())

    def covers(self, other: "Invoice") -> bool:
        """Returns whether this order has all the items that the other invoice cancels."""
        return all(
            sku in self.items and self.items[sku].quantity >= abs(item.quantity) for sku, item in other.items.items()
        )


@dataclass(slots=True)
class Invoices:
    """The content of a file.

    Attributes:
        invoices: in the order of their first lines.
        unknown_countries: the countries that are treated as the United Kingdom, with the number of their rows.
        descriptions: by SKU.
        prices: the first price of each SKU, in pence.
        bad_rows: (line number, reason) of each row that was left out.
    """

    invoices: list[Invoice] = field(default_factory=list)
    unknown_countries: Counter[str] = field(default_factory=Counter)
    descriptions: dict[str, str] = field(default_factory=dict)
    prices: dict[str, int] = field(default_factory=dict)
    bad_rows: list[tuple[int, str]] = field(default_factory=list)


def read_invoices(path: Path) -> Invoices:
    """Reads a file. A bad row is recorded with its line number; the other rows are still used.

    Raises:
        NotInvoices: if the file cannot be read, its first line does not name the columns, or no row can be used.
    """
    try:
        text = _decoded(path.read_bytes())
    except OSError as error:
        raise NotInvoices(f"{path} cannot be read: {error.strerror}") from None
    # Not splitlines(): that divides a field at U+0085 and U+2028 too.
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise NotInvoices(f"{path} lacks the columns {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    found = Invoices()
    by_number: dict[str, Invoice] = {}
    for line, values in _lines(reader, found):
        try:
            _add(_row(values), found, by_number)
        except BadRow as bad:
            found.bad_rows.append((line, str(bad)))
    found.invoices = [invoice for invoice in found.invoices if invoice.items]
    if not found.invoices:
        raise NotInvoices(_useless(path, found))
    return found


def _decoded(data: bytes) -> str:
    """Decodes a file. The public files are in UTF-8 or in the code page of Windows; Excel also writes UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _delimiter(text: str) -> str:
    """Returns the character that divides the names of the columns; a comma if there is none."""
    names = text.partition("\n")[0]
    found = Counter(letter for letter in names if not letter.isalnum() and letter not in "\"' _\r")
    return found.most_common(1)[0][0] if found else ","


def _useless(path: Path, found: Invoices) -> str:
    if not found.bad_rows:
        return f"{path} has no rows below the names of its columns, so there is nothing to order"
    line, reason = found.bad_rows[0]
    return f"{path} has no row that can be used; the first problem is in line {line}: {reason}"


def _lines(reader: "csv.DictReader[str]", found: Invoices) -> Iterator[tuple[int, dict[str, str]]]:
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            found.bad_rows.append((reader.line_num, f"not a CSV line: {error}"))
            continue
        if None in values or None in values.values():
            found.bad_rows.append((reader.line_num, f"the row does not have {len(COLUMNS)} fields like the first line"))
            continue
        yield reader.line_num, {name: value.strip() for name, value in values.items()}


def _row(values: dict[str, str]) -> Row:
    if not values["InvoiceNo"]:
        raise BadRow("InvoiceNo is empty")
    if not _SKU.fullmatch(values["StockCode"]):
        raise BadRow(f"StockCode {values['StockCode']!r} is not a stock code")
    _date(values["InvoiceDate"])
    return Row(
        invoice=values["InvoiceNo"],
        sku=values["StockCode"],
        description=values["Description"][:200],
        quantity=_quantity(values["Quantity"]),
        pence=_pence(values["UnitPrice"]),
        customer=_customer(values["CustomerID"]),
        country=values["Country"],
    )


def _date(text: str) -> datetime:
    for form in _DATES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the files have no time zones
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadRow(f"InvoiceDate {text!r} is not like 12/1/2010 8:26, 12/1/10 8:26 or 2010-12-01T08:26") from None


def _quantity(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,7}", text) or not int(text):
        raise BadRow(f"Quantity {text!r} is not a number of pieces")
    return int(text)


def _pence(text: str) -> int:
    try:
        pence = Decimal(text) * 100
    except InvalidOperation:
        raise BadRow(f"UnitPrice {text!r} is not a price") from None
    if not pence.is_finite() or pence < 0 or pence > 10**12 or pence != pence.to_integral_value():
        raise BadRow(f"UnitPrice {text!r} is not a price in pounds and whole pence")
    return int(pence)


def _customer(text: str) -> str:
    customer = text.removesuffix(".0")
    if customer and not _CUSTOMER.fullmatch(customer):
        raise BadRow(f"CustomerID {text!r} is not an id")
    return customer


def _add(row: Row, found: Invoices, by_number: dict[str, Invoice]) -> None:
    invoice = by_number.get(row.invoice)
    if invoice is None:
        invoice = by_number[row.invoice] = Invoice(row.invoice, row.customer, _COUNTRIES.get(row.country, "GB"))
        found.invoices.append(invoice)
    _check_fits(row, invoice)
    item = invoice.items.get(row.sku)
    if item is None:
        invoice.items[row.sku] = Item(row.quantity, row.pence)
    else:
        item.quantity += row.quantity
    if row.country not in _COUNTRIES:
        found.unknown_countries[row.country or "no country"] += 1
    found.descriptions.setdefault(row.sku, row.description)
    found.prices.setdefault(row.sku, row.pence)


def _check_fits(row: Row, invoice: Invoice) -> None:
    if row.customer != invoice.customer:
        raise BadRow(
            f"invoice {row.invoice} belongs to {invoice.customer or 'a guest'}, not {row.customer or 'a guest'}"
        )
    known = invoice.items.get(row.sku)
    if known is not None and known.pence != row.pence:
        raise BadRow(f"{row.sku} costs {row.pence} pence here and {known.pence} earlier in invoice {row.invoice}")
    signs = {item.quantity > 0 for item in invoice.items.values()} - {row.quantity > 0}
    if signs:
        raise BadRow(f"invoice {row.invoice} has quantities above and below zero")


def skus(invoices: Iterable[Invoice]) -> list[str]:
    """Returns every SKU that is ordered, once."""
    return sorted({sku for invoice in invoices for sku in invoice.items})
