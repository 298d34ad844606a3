"""Files made by others, read where they are: what their notes say that they hold."""

from __future__ import annotations

import pytest

from kvit.domain.lines import LineIds
from kvit.files.base import ReadOptions, source_of_path
from kvit.files.recognising import read_file
from kvit.files.registers import table
from tests.samples import sample

#: File -> format, (client's number, amount, fee, key) of each payment, order number.
EXPECTED = {
    "own-written/QIWI_1234_202603181.csv": (
        "qiwi", [("1002344", 150000, None, "3049857723"), ("1002344", 150000, None, "3049857811")], "",
    ),
    "own-written/qiwi-empty-day.csv": ("qiwi", [], ""),
    "own-written/sber-payments-variant-a-cp1251.txt": (
        "sberbank-a", [("1002344", 150000, 0, ""), ("1002351", 123450, 0, "")], "",
    ),
    "own-written/sber-payments-variant-b-utf8.txt": (
        "sberbank-b", [("1002344", 150000, 1500, "")], "123456",
    ),
    "own-written/OSCH0318.DBF": (
        "oschadbank-dbf", [("1002344", 150000, None, ""), ("1002344", 150000, None, "")], "",
    ),
    "own-written/PRVT0318.DBF": ("privatbank-dbf", [("1002344", 150000, None, "")], ""),
}  # fmt: skip


@pytest.mark.parametrize("path", EXPECTED)
def test_a_register_is_recognised_and_read(path: str) -> None:
    form, payments, order = EXPECTED[path]
    [(_, reading)] = read_file(source_of_path(sample(path)), ReadOptions("RUB"))
    lines = [line for batch in reading.batches() for line in batch.lines]
    assert [(line.number, line.amount_minor, line.fee_minor, line.key) for line in lines] == payments
    assert all(line.day == "2026-03-18" for line in lines)
    assert not any(batch.bad for batch in reading.batches())
    facts = reading.facts
    assert (facts.format, facts.order_number, facts.problems) == (form, order, [])
    ids = LineIds()
    assert len({ids.of(line) for line in lines}) == len(payments)


#: Tables of whole accounts: map of columns, options, signed amounts, lines that cannot be read.
_ENGLISH = {"date_format": "mm/dd/yyyy"}
TABLES: dict[str, tuple[str, dict[str, str], dict[str, str], list[int], int]] = {
    "balance.csv": ("EUR", {}, _ENGLISH, [-3350, 153350], 0),
    "debit_credit_amount.csv": (
        "EUR", {"amount": "Credit"}, _ENGLISH | {"empty_amount": "skip"}, [2000, -1350], 0,
    ),
    "original_currency.csv": ("EUR", {}, _ENGLISH, [152500], 0),
    "original_currency_no_header.csv": (
        "EUR", {"date": "1", "text": "2", "currency": "3", "amount": "4", "payer": "6"},
        _ENGLISH | {"header": "no", "delimiter": "comma"}, [152500], 0,
    ),
    "sample_statement_en.csv": ("EUR", {}, _ENGLISH, [152500], 1),
    "empty_statement_en.xlsx": ("EUR", {}, {}, [], 0),
    "meta_data_separated_credit_debit.xlsx": (
        "EUR", {"amount": "Credit"}, {"date_format": "dd/mm/yy", "empty_amount": "skip"}, [130000], 0,
    ),
    "sample_statement_en_empty_values.xlsx": (
        "USD", {"amount": "DEBIT", "id": "REF"}, {}, [57968, 54400, 108400], 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_read_by_its_map(name: str) -> None:
    currency, columns, options, amounts, bad_count = TABLES[name]
    source = source_of_path(sample(f"csv-xlsx/copyleft/{name}"))
    reading = table.read(source, ReadOptions(currency, "", columns, options))
    lines = [line for batch in reading.batches() for line in batch.lines]
    assert [line.amount_minor * (1 if line.direction == "in" else -1) for line in lines] == amounts
    assert sum(len(batch.bad) for batch in reading.batches()) == bad_count
    assert reading.facts.problems == []
