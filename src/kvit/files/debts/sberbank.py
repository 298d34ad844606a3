"""Registers of debts as Sberbank takes them: the plain minimum, and the older layout with `#` lines.

Source: the bank's own page on registers of debts (file name, minimum of data, encodings), a public converter
and a city's exchange rules (`#` layout). Which layout a biller has is in its contract: the order of the plain
columns is not published, so it is a setting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kvit.domain.debts import ADDRESS, ATTRIBUTES, NAME, DebtSlice, RegisterHead, Totals
from kvit.domain.file_terms import Pairs
from kvit.files.base import Option
from kvit.files.debts.base import DebtFormat
from kvit.files.debts.fields import attribute, column_problems, details_of, due_month, sum_printer
from kvit.files.debts.figures import period_printer
from kvit.files.debts.text_table import Layout, TextWriter, text_options

#: The minimum that the bank's page names; the order is our own.
COLUMNS: Pairs = (("", "number"), ("", "name"), ("", "amount"))
#: The number in the name has three digits; after 999 it begins again, in another month.
_NUMBERS = 999

_INN = re.compile(r"[0-9]{10}|[0-9]{12}")
_ACCOUNT = re.compile(r"[0-9]{20}")
_PARTS = {
    "inn": Option("The biller's taxpayer number, for the file's name: 10 digits (12 of a sole proprietor)."),
    "account": Option("The biller's settlement account, for the file's name: 20 digits."),
}
_SHOWN = Option("The address: left out, or as it is kept.", "leave", ("leave", "show"))


def _sberbank_options(**more: Option) -> Mapping[str, Option]:
    options = text_options("windows-1251", "semicolon")
    options["encoding"] = Option("The code page.", "windows-1251", ("windows-1251", "koi8-r", "utf-8"))
    del options["dates"], options["periods"]
    return {**_PARTS, **options, **more}


def file_name(head: RegisterHead) -> str:
    """``INN_ACCOUNT_NUMBER_MMYY.txt``; MMYY is the month to be paid."""
    number = (head.number - 1) % _NUMBERS + 1
    month = period_printer("mmyy")(due_month(head))
    return f"{head.options['inn']}_{head.options['account']}_{number:03d}_{month}.txt"


def _check(options: Mapping[str, str], columns: Pairs) -> Mapping[str, str]:
    found = column_problems(columns)
    if not _INN.fullmatch(options["inn"]):
        found["options.inn"] = "10 digits, or 12 of a sole proprietor"
    if not _ACCOUNT.fullmatch(options["account"]):
        found["options.account"] = "20 digits"
    if options["delimiter"] == "comma" and options["decimal"] == "comma" and options["amounts"] == "major":
        found["options.decimal"] = "sums with a comma cannot stand between commas"
    return found


PLAIN = DebtFormat(
    name="sberbank",
    title="Sberbank: number, name and debt in lines",
    options=_sberbank_options(),
    open=lambda head: TextWriter(head, Layout(head.columns or COLUMNS)),
    file_name=file_name,
    details=lambda _options, columns: details_of([field for _, field in columns or COLUMNS]),
    check=_check,
    has_columns=True,
    required=("inn", "account"),
)

_HASH_OPTIONS = _sberbank_options(
    service=Option("The code of the service, given in the contract."),
    type=Option("The type of the file, fixed by the exchange rules.", "7"),
    template=Option(
        "Rows NAME;ADDRESS;ACCOUNT;AMOUNT, or those with the ids of the housing registry.", "old",
        ("old", "housing"),
    ),
    address=_SHOWN,
    service_in_rows=Option("The code of the service also at the end of each row.", "off", ("on", "off")),
    unified_account=Option("Of the housing template: the clients' column with the unified account."),
    house=Option("Of the housing template: the clients' column with the house's GUID."),
    room=Option("Of the housing template: the clients' column with the room."),
)  # fmt: skip
#: Settlement, street, house, flat: empty parts keep their comma.
_NO_ADDRESS = ",,,"
_HOUSING = ("unified_account", "house")


def _hash_check(options: Mapping[str, str], columns: Pairs) -> Mapping[str, str]:
    found = dict(_check(options, columns))
    found.pop("columns", None)
    if options["template"] == "housing":
        for name in _HOUSING:
            if not options[name]:
                found[f"options.{name}"] = (
                    "the housing template needs the name of a column of the clients' file"
                )
    if not re.fullmatch("[0-9]{1,20}", options["service"]):
        found["options.service"] = "digits, as the contract says"
    return found


def _hash_columns(options: Mapping[str, str]) -> Pairs:
    address = "address" if options["address"] == "show" else f"fixed:{_NO_ADDRESS}"
    fields = ["name", address, "number", "amount"]
    if options["template"] == "housing":
        fields[1:1] = [f"attribute:{options['unified_account']}", "housing"]
    if options["service_in_rows"] == "on":
        fields.append(f"fixed:{options['service']}")
    return tuple(("", field) for field in fields if field != "housing")


class HashWriter(TextWriter):
    """Lines that begin with `#`, then the rows; the sum stands above them."""

    def __init__(self, head: RegisterHead) -> None:
        # A name that begins with the sign would make its row a line of the head.
        super().__init__(head, Layout(_hash_columns(head.options), forbidden="#"))
        self._is_housing = head.options["template"] == "housing"
        if self._is_housing:
            self._columns.insert(2, self._homes)

    def head(self, totals: Totals) -> bytes:
        total = sum_printer(self._head)([totals.sum_minor])[0]
        options = self._head.options
        return self.encoded(
            [f"#FILESUM {total}", f"#TYPE {options['type']}", f"#SERVICE {options['service']}"]
        )

    def _homes(self, debts: DebtSlice, _first: int) -> Sequence[str]:
        """``HOUSE_GUID,ROOM`` of each client; the comma stays where there is no room."""
        house, room = self._head.options["house"], self._head.options["room"]
        return self._letters.column(
            [f"{attribute(text, house)},{attribute(text, room)}" for text in debts.attributes]
        )


def _hash_details(options: Mapping[str, str], _columns: Pairs) -> frozenset[str]:
    wanted = {NAME}
    if options["address"] == "show":
        wanted.add(ADDRESS)
    if options["template"] == "housing":
        wanted.add(ATTRIBUTES)
    return frozenset(wanted)


HASH = DebtFormat(
    name="sberbank-hash",
    title="Sberbank and City: lines with # above the rows",
    options=_HASH_OPTIONS,
    open=HashWriter,
    file_name=file_name,
    details=_hash_details,
    check=_hash_check,
    required=("inn", "account", "service"),
)
