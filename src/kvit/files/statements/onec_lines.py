"""1CClientBankExchange: one document section -> a line. Keys of both dialects; unknown ones are kept.

The source of the keys: the published exchange standard (versions 1.01 to 1.03) and public files and parsers
of the dialect of version 2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from kvit.domain.lines import IN, OUT, RAW_LENGTH_MAX, BadLine, MoneyLine
from kvit.files.statements.kit import CURRENCY, bad, iso_day, known, minor, plain

#: What a payment's text stands in; any of them may go on in lines without a key.
PURPOSES = ("НазначениеПлатежа", *(f"НазначениеПлатежа{number}" for number in range(1, 7)))
_PURPOSE_SET = frozenset(PURPOSES)
_NAME_LINES = ("1", "2", "3", "4")
#: Keys that a line's own fields are made of, by what they are; the first one that is filled counts.
_ACCOUNTS = ("{}Счет", "{}РасчСчет", "{}ИИК")
_BANKS = ("{}БИК", "{}БанкБИК")
_SIDES = ("Плательщик", "Получатель")
_BOOKED = {IN: ("ДатаПоступило", "ДатаОперации"), OUT: ("ДатаСписано", "ДатаОперации")}
_ANY_DAY = ("ДатаВалютирования", "Дата", "ДатаДокумента")
_NUMBERS = ("Номер", "НомерДокумента")

#: Beginnings of keys that the two dialects have; a line that begins so is no continuation of a text.
_STEMS = (
    "плательщик", "получатель", "показатель", "дата", "номер", "сумма", "вид", "код", "квитанция", "срок",
    "условие", "назначениеплатежа", "статус", "очередность", "окато", "октмо", "дополнусловия",
    "платежпопредст", "валюта", "версия", "кодировка", "отправитель", "расчсчет", "документ", "время",
    "начальныйостаток", "конечныйостаток", "всегопоступило", "всегосписано", "секция", "конец", "пакет",
)  # fmt: skip
_KEY = re.compile(r"[^\W\d_]\w{0,59}")
_CAMEL = re.compile(r"(?:[А-ЯЁA-Z][а-яёa-z]+){2,}\w*")
_DAY = re.compile(r"([0-9]{2})\.([0-9]{2})\.([0-9]{4})(?:[ T][0-9:]{5,8})?")
_HYPHEN = re.compile(r"([0-9]+)-([0-9]{2})")
#: Spellings of the keys that this file names, by their casefolded form: some banks write in capitals.
_SPELLINGS = {
    key.casefold(): key
    for key in (
        *PURPOSES, *_ANY_DAY, *_NUMBERS, "ДатаПоступило", "ДатаСписано", "ДатаОперации", "Сумма",
        "СуммаПриход", "СуммаРасход", "Валюта", "Код", "РасчСчет", "НачальныйОстаток", "ВсегоПоступило",
        "ВсегоСписано", "КонечныйОстаток", "ДатаНачала", "ДатаКонца", "Кодировка", "ВерсияФормата",
        *(form.format(side) for side in _SIDES for form in (*_ACCOUNTS, *_BANKS)),
        *(f"{side}{name}" for side in _SIDES for name in ("", "Наименование", *_NAME_LINES)),
    )
}  # fmt: skip
#: What the line says elsewhere, and ``more`` need not repeat.
_TOLD = frozenset({*PURPOSES, "Сумма", "СуммаПриход", "СуммаРасход", "Номер", "НомерДокумента", "Валюта"})

Values = dict[str, str]


class Key(NamedTuple):
    """A word before ``=``: how this file spells it, and whether it is a key.

    It may be one outside (``counts``) and none within a payment's text (``counts_in_text``), where an unknown
    word is a key only if it is written like one: ``НоваяГрафа``.
    """

    name: str
    counts: bool
    counts_in_text: bool
    opens_text: bool


@lru_cache(maxsize=4096)
def key_of(written: str) -> Key:
    """What a word before ``=`` is."""
    word = written.strip()
    folded = word.casefold()
    name = _SPELLINGS.get(folded, word)
    counts = _KEY.fullmatch(word) is not None
    is_usual = folded.startswith(_STEMS) and word[:1].isupper()
    return Key(
        name, counts, counts and (is_usual or _CAMEL.fullmatch(word) is not None), name in _PURPOSE_SET
    )


def day_of(text: str) -> str:
    """``18.03.2026`` -> ``2026-03-18``; empty for anything else."""
    found = _DAY.fullmatch(text)
    return iso_day(found[3], found[2], found[1]) if found else ""


def sum_of(text: str, currency: str) -> int | None:
    """Minor units of ``1500``, ``1500.0``, ``1500,00`` or ``1500-00``."""
    found = _HYPHEN.fullmatch(text)
    return minor(f"{found[1]}.{found[2]}" if found else text, currency)


class Document(NamedTuple):
    """A document section: its first line's number, its kind, its values by key, and its text."""

    line: int
    kind: str
    values: Values
    raw: str


class Movement(NamedTuple):
    """Which way the money of a document went, and on which of the biller's accounts."""

    direction: str
    own_account: str


def first(values: Values, keys: Iterable[str]) -> str:
    for key in keys:
        found = values.get(key, "")
        if found:
            return found
    return ""


def movements(document: Document, own: tuple[str, ...]) -> list[Movement] | str:
    """Where the money went, or why that cannot be told.

    ``own``: the accounts that the file is about. Of the document's own signs the sums in and out come
    first, then the day it came or went, then whose accounts it names. With both days filled and both
    accounts the biller's own, it is both movements.
    """
    values = document.values
    payer, payee = (first(values, (form.format(side) for form in _ACCOUNTS)) for side in _SIDES)
    came, went = _signs(values)
    if came and went and {payer, payee} <= set(own) and payer != payee:
        return [Movement(OUT, payer), Movement(IN, payee)]
    if came == went:
        came, went = payee in own, payer in own
    if came == went:
        return "it cannot be told whether the money came or went: no day of either, and no account of yours"
    mine = payee if came else payer
    if mine not in own and own:
        if len(own) > 1:
            return f"it is about none of the file's accounts: {', '.join(own[:5])}"
        mine = own[0]
    return [Movement(IN if came else OUT, mine)]


def _signs(values: Values) -> tuple[bool, bool]:
    came, went = (values.get(key, "").strip("0.,-") != "" for key in ("СуммаПриход", "СуммаРасход"))
    if came or went:
        return came, went
    return values.get("ДатаПоступило", "") != "", values.get("ДатаСписано", "") != ""


def _name(values: Values, side: str) -> str:
    """``Плательщик`` alone, or in several lines, or the first of these where a bank writes both."""
    whole, begin = values.get(side, ""), values.get(f"{side}1", "")
    lines = [whole] if whole and not begin else [begin] if whole else []
    lines = lines or [values.get(f"{side}{number}", "") for number in _NAME_LINES]
    return plain(values.get(f"{side}Наименование", "") or " ".join(lines))


def _text(values: Values) -> str:
    """``НазначениеПлатежа``; its numbered lines where it is empty."""
    lines = [values.get(key, "") for key in PURPOSES]
    return plain(lines[0] or " ".join(lines[1:]))


def make_line(document: Document, movement: Movement, default_currency: str) -> MoneyLine | BadLine:
    """The line of a document that moved money so."""
    values, direction = document.values, movement.direction
    currency = values.get("Валюта", "").upper() or default_currency
    if values.get("Валюта") and not CURRENCY.fullmatch(currency):
        return bad(document.line, f"{currency!r} is no currency code of three letters", document.raw)
    written = first(values, ("СуммаПриход" if direction == IN else "СуммаРасход", "Сумма"))
    amount_minor = sum_of(written, currency)
    if amount_minor is None:
        why = f"{written!r} is no sum" if written else "the sum is missing"
        return bad(document.line, why, document.raw)
    booked = first(values, _BOOKED[direction]) or first(values, _ANY_DAY)
    day = day_of(booked)
    if not day:
        why = f"{booked!r} is no day like 18.03.2026" if booked else "the day is missing"
        return bad(document.line, why, document.raw)
    other, self_side = _SIDES if direction == IN else _SIDES[::-1]
    account = first(values, (form.format(other) for form in _ACCOUNTS))
    name, text = _name(values, other), _text(values)
    number = first(values, _NUMBERS)
    known_by = known(
        movement.own_account, direction, str(amount_minor), currency, day, number,
        first(values, ("Дата", "ДатаДокумента")), account,
        first(values, (form.format(other) for form in _BANKS)),
        first(values, (form.format(self_side) for form in _ACCOUNTS)), values.get("Код", ""), name, text,
    )  # fmt: skip
    more = [("kind", document.kind)] if document.kind else []
    more += [(key, said) for key, said in values.items() if said and key not in _TOLD]
    return MoneyLine(
        document.line, "", known_by, amount_minor, direction, day, "", "", name, account, text, currency,
        movement.own_account, document=number, more=tuple(more), raw=document.raw[:RAW_LENGTH_MAX],
    )  # fmt: skip
