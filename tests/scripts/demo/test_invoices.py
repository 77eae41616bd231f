"""Reading invoices in the Online Retail layout."""

from pathlib import Path

import pytest

from scripts.lib.demo.invoices import COLUMNS, Invoices, NotInvoices, read_invoices

HEADER = ",".join(COLUMNS)


def read(tmp_path: Path, *rows: str, encoding: str = "utf-8", header: str = HEADER) -> Invoices:
    file = tmp_path / "orders.csv"
    file.write_bytes("\n".join([header, *rows]).encode(encoding))
    return read_invoices(file)


def row(**changes: str) -> str:
    values = {
        "InvoiceNo": "536365",
        "StockCode": "MUG-1",
        "Description": "A mug",
        "Quantity": "6",
        "InvoiceDate": "12/1/2010 8:26",
        "UnitPrice": "2.55",
        "CustomerID": "17850",
        "Country": "United Kingdom",
    }
    return ",".join({**values, **changes}.values())


def test_an_invoice_is_one_order_with_a_line_for_each_code(tmp_path: Path) -> None:
    found = read(tmp_path, row(), row(StockCode="MUG-2", Quantity="1", UnitPrice="3"))
    [invoice] = found.invoices
    assert (invoice.number, invoice.customer, invoice.cancels) == ("536365", "17850", False)
    assert {sku: (item.quantity, item.pence) for sku, item in invoice.items.items()} == {
        "MUG-1": (6, 255),
        "MUG-2": (1, 300),
    }
    assert found.bad_rows == []


def test_equal_codes_merge(tmp_path: Path) -> None:
    [invoice] = read(tmp_path, row(), row(Quantity="4")).invoices
    assert invoice.items["MUG-1"].quantity == 10


@pytest.mark.parametrize("date", ["12/1/2010 8:26", "12/1/10 8:26", "2010-12-01T08:26:00", "2010-12-01 08:26"])
def test_dates_of_each_form_are_read(tmp_path: Path, date: str) -> None:
    assert read(tmp_path, row(InvoiceDate=date)).bad_rows == []


def test_no_customer_means_a_guest_and_a_number_with_decimals_is_an_id(tmp_path: Path) -> None:
    found = read(tmp_path, row(CustomerID=""), row(InvoiceNo="2", CustomerID="17850.0"))
    assert [invoice.customer for invoice in found.invoices] == ["", "17850"]


def test_a_c_or_negative_quantities_ask_to_cancel(tmp_path: Path) -> None:
    found = read(tmp_path, row(InvoiceNo="C1", Quantity="-6"), row(InvoiceNo="2", Quantity="-1"), row(InvoiceNo="3"))
    assert [invoice.cancels for invoice in found.invoices] == [True, True, False]
    assert found.invoices[2].covers(found.invoices[0])
    assert not found.invoices[1].covers(found.invoices[2])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Quantity": "many"}, "Quantity 'many'"),
        ({"Quantity": "0"}, "Quantity '0'"),
        ({"Quantity": "1.5"}, "Quantity '1.5'"),
        ({"UnitPrice": "cheap"}, "UnitPrice 'cheap'"),
        ({"UnitPrice": "-1"}, "UnitPrice '-1'"),
        ({"UnitPrice": "1.005"}, "whole pence"),
        ({"UnitPrice": "NaN"}, "UnitPrice 'NaN'"),
        ({"InvoiceDate": "yesterday"}, "InvoiceDate 'yesterday'"),
        ({"InvoiceDate": "31/12/2010 8:26"}, "InvoiceDate '31/12/2010 8:26'"),
        ({"StockCode": "A CODE"}, "StockCode 'A CODE'"),
        ({"StockCode": ""}, "StockCode ''"),
        ({"InvoiceNo": ""}, "InvoiceNo is empty"),
        ({"CustomerID": "a customer"}, "CustomerID 'a customer'"),
    ],
)
def test_a_bad_row_is_named_with_its_line_and_stops_nothing(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    found = read(tmp_path, row(InvoiceNo="1"), row(**{"InvoiceNo": "2", **changes}), row(InvoiceNo="3"))
    assert [invoice.number for invoice in found.invoices] == ["1", "3"]
    [(line, why)] = found.bad_rows
    assert line == 3
    assert reason in why


def test_rows_that_contradict_their_invoice_are_bad(tmp_path: Path) -> None:
    found = read(
        tmp_path, row(), row(CustomerID="1"), row(UnitPrice="9.99"), row(StockCode="MUG-2", Quantity="-1"), "1,2,3"
    )
    assert [line for line, _ in found.bad_rows] == [3, 4, 5, 6]
    assert found.invoices[0].items["MUG-1"].quantity == 6


def test_files_in_latin_1_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, row(Description="£1 café mug"), encoding="latin-1")
    assert found.descriptions["MUG-1"] == "£1 café mug"


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotInvoices, match="lacks the columns Country"):
        read(tmp_path, header=HEADER.removesuffix(",Country"))
    with pytest.raises(NotInvoices, match="cannot be read"):
        read_invoices(tmp_path / "nothing.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ":", "~"])
def test_the_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    lines = [line.replace(",", delimiter) for line in (HEADER, row(InvoiceDate="2010-12-01"))]
    [invoice] = read(tmp_path, lines[1], header=lines[0]).invoices
    assert invoice.items["MUG-1"].pence == 255


def test_the_code_page_of_windows_and_utf_16_are_read(tmp_path: Path) -> None:
    for encoding in ("cp1252", "utf-16"):
        found = read(tmp_path, row(Description="Mug, “Café” – 5 €".replace(",", "")), encoding=encoding)
        assert found.descriptions == {"MUG-1": "Mug “Café” – 5 €"}


@pytest.mark.parametrize("odd", ["\x85", "\u2028", "\u2029", "\x0b", "\x1c"])
def test_an_odd_character_in_a_field_does_not_tear_its_row(tmp_path: Path, odd: str) -> None:
    found = read(tmp_path, row(Description=f"A{odd}mug"), row(InvoiceNo="2"))
    assert found.descriptions == {"MUG-1": f"A{odd}mug"}
    assert (len(found.invoices), found.bad_rows) == (2, [])


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "has no rows below the names of its columns"),
        (
            [row(Quantity="many"), row(StockCode="")],
            "no row that can be used; the first problem is in line 2: Quantity",
        ),
    ],
)
def test_a_file_without_a_usable_row_gets_a_sentence(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(NotInvoices, match=sentence):
        read(tmp_path, *rows)


def test_an_empty_file_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(NotInvoices, match="lacks the columns InvoiceNo"):
        read(tmp_path, header="")


def test_an_unknown_country_is_counted(tmp_path: Path) -> None:
    found = read(tmp_path, row(Country="Norway"), row(InvoiceNo="2", Country="Norway"), row(InvoiceNo="3"))
    assert dict(found.unknown_countries) == {"Norway": 2}
    assert {invoice.country for invoice in found.invoices} == {"GB"}
