"""Ready layouts of tables, each a format of its own: what is known of a bank's file, and nothing else.

YooKassa and Tochka Bank: their official pages, a single source each. PrivatBank and Oschadbank: one public
program each. Kaspi and Halyk: no official document; two or more public programs read their exports.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from kvit.domain.lines import REGISTER
from kvit.files.base import Format, Option
from kvit.files.dbf import find_header
from kvit.files.registers.carriers import DBF_HEAD_BYTES
from kvit.files.registers.settings import OPTIONS
from kvit.files.registers.table import Profile, read_profile
from kvit.files.texts import head_text

_MOSCOW = "Europe/Moscow"
_CERTAIN = 95
_LIKELY = 70

#: Columns can be customised there, so they are found by their words; the day may stand above the header.
YOOKASSA = Profile("yookassa", {}, {"delimiter": ";", "decimal": "point", "timezone": _MOSCOW}, "utf-8-sig")
#: Which column holds the client's number is between the biller and its shop: none is taken for it.
TOCHKA = Profile(
    "tochka",
    {
        "id": "TRANSACTION_ID", "date": "TRANS_DATE", "amount": "SUM", "fee": "COMMISSION",
        "text": "USER_INFO", "document": "ORDER_UID", "parent": "PARENT_TRANSACTION_ID",
        "type": "TRANSACTION_TYPE",
    },
    {"delimiter": ";", "decimal": "comma"},
    "utf-8-sig",
)  # fmt: skip
PRIVATBANK_DBF = Profile(
    "privatbank-dbf",
    {
        "number": "N_DOGOV", "amount": "SUMMA", "date": "OPERDEN", "payer": "FIO_PLAT", "text": "ADR_TEL",
        "document": "N_DOKUM",
    },
    {},
    "cp866",
)  # fmt: skip
#: Branches and terminals name the fields differently. A row without a client's number is no payment.
OSCHADBANK_DBF = Profile(
    "oschadbank-dbf",
    {
        "number": "ABCOUNT|ABCOUNTT", "amount": "SUMM|SUMMT", "date": "PDATE|PDATETT",
        "time": "PTIME|PTIMETT", "payer": "FIO|FIOTDT", "text": "NAME_PLAT",
    },
    {"number_needed": "skip"},
    "cp866",
)  # fmt: skip
#: Payments out have no sum in the column of payments in; the client's number is somewhere in the text.
KASPI = Profile("kaspi", {}, {"empty_amount": "skip"})
HALYK = Profile("halyk", {}, {"empty_amount": "skip"})

_TOCHKA_HEADER = re.compile(r"TRANS_DATE\b.*\bTRANSACTION_ID\b.*\bSUM\b")
_YOOKASSA_HEAD = re.compile(r"дата платежей\s*:|реестр платежей в\b", re.IGNORECASE)


def _fits_tochka(_name: str, head: bytes) -> int:
    first = head_text(head).lstrip().partition("\n")[0]
    return _CERTAIN if _TOCHKA_HEADER.search(first) else 0


def _fits_yookassa(_name: str, head: bytes) -> int:
    text = head_text(head)
    return _LIKELY if _YOOKASSA_HEAD.search(text[:2_000]) and ";" in text else 0


def _fits_dbf(_name: str, head: bytes, *, needed: tuple[frozenset[str], ...]) -> int:
    header = find_header(head[:DBF_HEAD_BYTES])
    names = {field.name.upper() for field in header.fields} if header else set()
    return _CERTAIN if any(each <= names for each in needed) else 0


def _fits_no_file(_name: str, _head: bytes) -> int:
    """Such an export has no mark of its own: it must be named."""
    return 0


def _format(profile: Profile, title: str, fits: Callable[[str, bytes], int]) -> Format:
    options = {
        name: Option(option.meaning, profile.options.get(name, option.default), option.choices)
        for name, option in OPTIONS.items()
    }
    return Format(profile.name, title, REGISTER, fits, partial(read_profile, profile=profile), options)


FORMATS = (
    _format(YOOKASSA, "YooKassa register of payments", _fits_yookassa),
    _format(TOCHKA, "Tochka Bank register of payments", _fits_tochka),
    _format(
        PRIVATBANK_DBF, "PrivatBank register, DBF",
        partial(_fits_dbf, needed=(frozenset({"N_DOGOV", "SUMMA", "OPERDEN"}),)),
    ),
    _format(
        OSCHADBANK_DBF, "Oschadbank register, DBF",
        partial(_fits_dbf, needed=(frozenset({"ABCOUNT", "SUMM"}), frozenset({"ABCOUNTT", "SUMMT"}))),
    ),
    _format(KASPI, "Kaspi export, XLSX", _fits_no_file),
    _format(HALYK, "Halyk export, XLSX", _fits_no_file),
)  # fmt: skip
