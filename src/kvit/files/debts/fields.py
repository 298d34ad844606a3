"""What a column of a debt register may hold: our fields, printed as the format's options say."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from kvit.domain.debts import ADDRESS, ATTRIBUTES, NAME, DebtSlice, RegisterHead
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.debts.base import RegisterRefused
from kvit.files.debts.figures import DATES, PERIODS, day_printer, month_of, period_printer, printed_sums
from kvit.files.debts.letters import Letters

#: Field -> what it is, for the documentation and for messages.
FIELDS: dict[str, str] = {
    "number": "the client's number",
    "amount": "what is owed",
    "name": "the client's name, as much of it as the agreement shows",
    "address": "the client's address",
    "document": "the invoice's number; empty in registers by account",
    "period": "the month of the debt; in registers by account the month to be paid",
    "service": "the service; empty where a row is about several",
    "due": "the day to pay by, where it is known",
    "currency": "the currency's code",
    "row": "the row's own number, from 1",
    "as_of": "the day of the books",
}
#: And: an attribute of the account (another column of the clients' file), or always the same text.
ATTRIBUTE = "attribute:"
FIXED = "fixed:"
EMPTY = "empty"

#: Options that all tables have.
PRINTING = {
    "decimal": Option("The sign before the fraction of a sum.", "point", ("point", "comma")),
    "amounts": Option("Sums in major (1500.00) or minor units (150000).", "major", ("major", "minor")),
    "dates": Option("How days are written.", "yyyy-mm-dd", DATES),
    "periods": Option("How months are written.", "mmyy", PERIODS),
    "month": Option(
        "The month to be paid: that of the day of the books, the one before or after it.", "this",
        ("this", "last", "next"),
    ),
}  # fmt: skip

Cells = Callable[[DebtSlice, int], Sequence[str]]


def field_problem(field: str) -> str:
    """Why this is no field; empty where it is one."""
    if field in FIELDS or field == EMPTY or field.startswith((ATTRIBUTE, FIXED)):
        return ""
    return f"there is no field {field!r}; known: {', '.join(FIELDS)}, {EMPTY}, {ATTRIBUTE}HEADER, {FIXED}TEXT"


def column_problems(columns: Pairs) -> dict[str, str]:
    """``columns.Header`` -> what is wrong with it."""
    found = {f"columns.{header}": reason for header, name in columns if (reason := field_problem(name))}
    names = [name for _, name in columns]
    if columns and not found and ("number" not in names or "amount" not in names):
        found["columns"] = "a register needs the fields number and amount"
    return found


def details_of(names: Sequence[str]) -> frozenset[str]:
    """Which details of accounts these fields print."""
    wanted = {name for name in names if name in (NAME, ADDRESS)}
    if any(name.startswith(ATTRIBUTE) for name in names):
        wanted.add(ATTRIBUTES)
    return frozenset(wanted)


def due_month(head: RegisterHead) -> str:
    """``2026-11``: the month to be paid."""
    shift = {"this": 0, "last": -1, "next": 1}[head.options.get("month", "this")]
    return month_of(head.as_of.date(), shift)


def sum_printer(head: RegisterHead) -> Callable[[Sequence[int]], list[str]]:
    """Sums of a column as texts."""
    exponent = 0 if head.options.get("amounts") == "minor" else head.exponent
    mark = "," if head.options.get("decimal") == "comma" else "."
    return lambda amounts_minor: printed_sums(amounts_minor, exponent, mark)


def number_cells(letters: Letters) -> Cells:
    """Clients' numbers: what cannot be printed exactly is not printed at all."""

    def cells(debts: DebtSlice, _first: int) -> Sequence[str]:
        if letters.are_fine(debts.numbers):
            return debts.numbers
        wrong = next(number for number in debts.numbers if not letters.are_fine([number]))
        raise RegisterRefused(
            f"the number {wrong!r} cannot stand in this file: it holds the separator or a letter that the "
            "encoding lacks. Nothing was written. Choose another delimiter or encoding in the agreement."
        )

    return cells


def cells_of(field: str, head: RegisterHead, letters: Letters) -> Cells:
    """What fills the column of ``field``; a call gets the debts and the number of the first row."""
    if field == "number":
        return number_cells(letters)
    if field.startswith(ATTRIBUTE):
        return _attribute_cells(field.removeprefix(ATTRIBUTE), letters)
    constant = _constants(field, head)
    if constant is not None:
        text = letters.text(constant) if constant else ""
        return lambda debts, _first: [text] * len(debts.keys)
    if field == "amount":
        printed = sum_printer(head)
        return lambda debts, _first: printed(debts.amounts_minor)
    if field == "row":
        return lambda debts, first: list(map(str, range(first, first + len(debts.keys))))
    if field == "due":
        day = day_printer(head.options.get("dates", "yyyy-mm-dd"))
        return lambda debts, _first: list(map(day, debts.due_on)) if any(debts.due_on) else debts.due_on
    if field == "period":
        return _period_cells(head, letters)
    columns: Mapping[str, Callable[[DebtSlice], Sequence[str]]] = {
        "name": lambda debts: debts.names, "address": lambda debts: debts.addresses,
        "document": lambda debts: debts.documents, "service": lambda debts: debts.services,
    }  # fmt: skip
    column = columns[field]
    return lambda debts, _first: letters.column(column(debts))


def _constants(field: str, head: RegisterHead) -> str | None:
    """The text of a column that is the same in every row."""
    if field.startswith(FIXED):
        return field.removeprefix(FIXED)
    if field == "as_of":
        return day_printer(head.options.get("dates", "yyyy-mm-dd"))(head.as_of.date().isoformat())
    return {EMPTY: "", "currency": head.currency}.get(field)


def _period_cells(head: RegisterHead, letters: Letters) -> Cells:
    printed = period_printer(head.options.get("periods", "mmyy"))
    month = printed(due_month(head))

    def cells(debts: DebtSlice, _first: int) -> Sequence[str]:
        if not any(debts.periods):
            return [month] * len(debts.keys)
        return letters.column([printed(period) if period else month for period in debts.periods])

    return cells


def _attribute_cells(name: str, letters: Letters) -> Cells:
    def cells(debts: DebtSlice, _first: int) -> Sequence[str]:
        return letters.column([attribute(text, name) for text in debts.attributes])

    return cells


def attribute(text: str, name: str) -> str:
    """One attribute of an account; empty where it has none of that name."""
    values = json.loads(text) if text else {}
    return str(values.get(name, ""))
