"""Debt registers as CSV by a column map: for banks that have no template of their own.

Source: the recommended generic export of the fact sheet; separators inside values are replaced, since most
banks' readers know no quotation marks.
"""

from __future__ import annotations

from collections.abc import Mapping

from kvit.domain.debts import RegisterHead
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.debts.base import DebtFormat, file_name_problem, name_values, put_in, template_problem
from kvit.files.debts.fields import column_problems, details_of
from kvit.files.debts.text_table import LINE_VALUES, Layout, TextWriter, comma_problem, text_options

#: The columns where the agreement names none. No address: the least that lets the payer recognise himself.
COLUMNS: Pairs = (
    ("account", "number"), ("payer", "name"), ("period", "period"), ("invoice", "document"),
    ("amount", "amount"), ("due_date", "due"),
)  # fmt: skip

OPTIONS: Mapping[str, Option] = {
    **text_options("utf-8-bom", "semicolon"),
    "header": Option("The first row names the columns.", "on", ("on", "off")),
    "quotes": Option(
        "Names and addresses stand in quotation marks, so that separators in them may stay.",
        "off",
        ("on", "off"),
    ),
    "formula_guard": Option(
        "Cells that a spreadsheet would run as a formula get an apostrophe; never for a bank.",
        "off",
        ("on", "off"),
    ),
    "first_line": Option("A line above all others, such as \"H;{date};{count};{total}\"."),
    "last_line": Option("A line below all others, such as \"Total;{count};{total}\"."),
    "file_name": Option("The file's name.", "{agreement}_{number:06}_{date}.csv"),
}  # fmt: skip


def check(options: Mapping[str, str], columns: Pairs) -> Mapping[str, str]:
    """What is wrong with the settings, by place."""
    found = column_problems(columns)
    for name in ("first_line", "last_line"):
        reason = template_problem(options[name], LINE_VALUES)
        if reason:
            found[f"options.{name}"] = reason
    reason = file_name_problem(options["file_name"])
    if reason:
        found["options.file_name"] = reason
    if reason := comma_problem(options):
        found["options.decimal"] = reason
    return found


def _open(head: RegisterHead) -> TextWriter:
    options = head.options
    quoted = frozenset({"name", "address"}) if options["quotes"] == "on" else frozenset()
    layout = Layout(
        columns=head.columns or COLUMNS,
        has_header=options["header"] == "on",
        first_line=options["first_line"],
        last_line=options["last_line"],
        quoted=quoted,
        guard=options["formula_guard"] == "on",
        # A reader that knows quotation marks would see one where a cell begins with it.
        forbidden='"' if quoted else "",
    )
    return TextWriter(head, layout)


CSV = DebtFormat(
    name="csv",
    title="Table as text (CSV)",
    options=OPTIONS,
    open=_open,
    file_name=lambda head: put_in(head.options["file_name"], name_values(head)),
    details=lambda _options, columns: details_of([field for _, field in columns or COLUMNS]),
    check=check,
    has_columns=True,
)
