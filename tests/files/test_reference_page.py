"""The page about import files says what the readers do."""

from __future__ import annotations

import re
from pathlib import Path

from kvit.files import archive, source, tables
from kvit.files.cells import Unreadable, read_amount, read_day, read_period
from kvit.files.headers import ACCOUNT_HEADERS, BALANCE_HEADERS, CHARGE_HEADERS, match_columns
from kvit.files.receivables import read_accounts, read_balances, read_charges
from kvit.files.tables import read_table

PAGE = (Path(__file__).parents[2] / "docs/reference/import-files.md").read_text("utf-8")
KINDS = {
    "address": ACCOUNT_HEADERS,
    "amount (balances)": BALANCE_HEADERS,
    "amount (charges)": CHARGE_HEADERS,
    "document": CHARGE_HEADERS,
    "due": CHARGE_HEADERS,
    "email": ACCOUNT_HEADERS,
    "name": ACCOUNT_HEADERS,
    "number": ACCOUNT_HEADERS,
    "period": CHARGE_HEADERS,
    "phone": ACCOUNT_HEADERS,
    "service": CHARGE_HEADERS,
}


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def table_rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def example(title: str) -> bytes:
    return section(title).split("```\n")[1].encode()


def test_the_examples_are_read_without_an_error() -> None:
    accounts = read_accounts(read_table(example("Accounts")))
    assert [row.number for row in accounts.records] == ["000100234", "100242"]
    charges = read_charges(read_table(example("Charges")), "RUB")
    assert [(row.amount_minor, row.period, row.due) for row in charges.records] == [
        (123450, "2026-10", "2026-11-25"),
        (98000, "2026-10", "2026-11-25"),
    ]
    balances = read_balances(read_table(example("Balances")), "RUB")
    assert [row.amount_minor for row in balances.records] == [221450, -1250]
    assert accounts.errors + charges.errors + balances.errors == []


def test_every_header_of_the_page_is_understood() -> None:
    rows = table_rows("Header names")
    assert {row[0] for row in rows} == KINDS.keys()
    for name, *languages in rows:
        field = name.split(" ")[0]
        for header in ", ".join(languages).split(", "):
            assert match_columns((header,), KINDS[name], {}, []) == {field: 0}, header


def test_the_amounts_of_the_page() -> None:
    for written, means in table_rows("Amounts"):
        for text in re.findall(r"`([^`]+)`", written):
            verdict = read_amount(text, 2)
            if "1,234 roubles" in means:
                assert verdict in {123450, 123400}
            else:
                assert isinstance(verdict, Unreadable), text


def test_the_periods_and_days_of_the_page() -> None:
    periods, days = (
        " ".join(section("Charges").split()).split(f"**{name}**")[1] for name in ("period", "due")
    )
    forms = re.findall(r"`([^`]+)`", periods.split("are all the same month")[0])
    assert len(forms) > 5
    assert {read_period(text) for text in forms} == {"2026-10"}
    forms = re.findall(r"`([^`]+)`", days.split("the day comes before")[0])
    assert len(forms) == 4
    assert {read_day(text) for text in forms} == {"2026-10-25"}


def test_the_limits_of_the_page() -> None:
    said = " ".join(section("Limits").split())
    for limit in (
        f"{tables.FILE_BYTES_MAX >> 20} MB a file",
        f"{source.ROWS_MAX:,} rows",
        f"{tables.COLUMNS_MAX} columns",
        f"{tables.HEADER_LENGTH_MAX} characters a header",
        f"unpack to {archive.UNPACKED_BYTES_MAX >> 20} MB",
        f"{archive.CELLS_MAX:,} cells",
    ):
        assert limit in said
