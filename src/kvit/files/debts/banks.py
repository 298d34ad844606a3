"""PrivatBank and Oschadbank: tables whose names of columns are agreed with each bank.

No description of their registers of debts is public. The defaults are the names that the same banks use in
the registers of payments which they send; what is agreed goes into the agreement as columns.
"""

from __future__ import annotations

from collections.abc import Mapping

from kvit.domain.debts import RegisterHead
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.debts.base import DebtFormat, file_name_problem, name_values, put_in
from kvit.files.debts.dbf_table import dbf_format, dbf_options
from kvit.files.debts.fields import column_problems, details_of
from kvit.files.debts.text_table import Layout, TextWriter, comma_problem, text_options

PRIVATBANK_COLUMNS: Pairs = (("N_DOGOV", "number"), ("FIO_PLAT", "name"), ("SUMMA", "amount"))
OSCHADBANK_COLUMNS: Pairs = (("ABCOUNT", "number"), ("FIO", "name"), ("SUMM", "amount"))

_TEXT: Mapping[str, Option] = {
    **text_options("windows-1251", "bar"),
    "header": Option("The first row names the columns.", "off", ("on", "off")),
    "file_name": Option("The file's name.", "{agreement}_{number:06}_{date}.txt"),
}


def _check(options: Mapping[str, str], columns: Pairs) -> Mapping[str, str]:
    found = column_problems(columns)
    reason = file_name_problem(options["file_name"])
    if reason:
        found["options.file_name"] = reason
    if reason := comma_problem(options):
        found["options.decimal"] = reason
    return found


def _open(head: RegisterHead) -> TextWriter:
    return TextWriter(head, Layout(head.columns or PRIVATBANK_COLUMNS, head.options["header"] == "on"))


PRIVATBANK = DebtFormat(
    name="privatbank",
    title="PrivatBank: lines of text",
    options=_TEXT,
    open=_open,
    file_name=lambda head: put_in(head.options["file_name"], name_values(head)),
    details=lambda _options, columns: details_of([field for _, field in columns or PRIVATBANK_COLUMNS]),
    check=_check,
    has_columns=True,
)
PRIVATBANK_DBF = dbf_format(
    "privatbank-dbf",
    "PrivatBank (DBF)",
    PRIVATBANK_COLUMNS,
    dbf_options("cp866", "{agreement}_{number:06}.dbf"),
)
OSCHADBANK_DBF = dbf_format(
    "oschadbank-dbf",
    "Oschadbank (DBF)",
    OSCHADBANK_COLUMNS,
    dbf_options("cp866", "{agreement}_{number:06}.dbf"),
)
