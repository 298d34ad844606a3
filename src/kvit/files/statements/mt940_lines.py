"""MT940 and MT942: ``:61:`` and what belongs to it -> a line.

The layout of ``:61:`` and of the German ``:86:`` is the library's (mt-940, BSD-3). Of ``:61:`` its patterns
alone are used: merging the two fields, the library loses the customer's reference.
"""

from __future__ import annotations

import calendar
import re
from typing import Any, NamedTuple

from mt940 import models, processors, tags
from mt940.options import Options

from kvit.domain.lines import IN, OUT, RAW_LENGTH_MAX, BadLine, MoneyLine
from kvit.files.statements.kit import bad, iso_day, known, minor, plain
from kvit.files.statements.mt940_fields import Field

#: The usual layout, then one with a long reference, then one with other marks (``EC``, ``ED``).
_LAYOUTS = tuple(tag().re for tag in (tags.Statement, tags.StatementGLS, tags.StatementASNB))
_COLLECTION = models.Transactions(options=Options.all())
_DETAILS = tags.TransactionDetails()
#: Mark -> (direction, takes an earlier entry back, is booked).
_MARKS = {
    "C": (IN, False, True), "D": (OUT, False, True), "RC": (OUT, True, True), "RD": (IN, True, True),
    "EC": (IN, False, False), "ED": (OUT, False, False),
}  # fmt: skip
_NO_REFERENCE = frozenset({"", "NONREF", "NOTPROVIDED", "EREF", "KREF"})
#: The German structure with any mark before the sub-fields' numbers.
_STRUCTURE = re.compile(r"[0-9]{3}([^\w\s:/;.,+-])[0-9]{2}")
_SLASH_CODE = re.compile(r"/([A-Z]{4})/")
_LABEL = re.compile(r"(?:^|[;\s])(Z RACH\.|OD|TYT\.|TNR):\s*")
_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
#: A line of a free text that is full goes on in the next one without a gap.
_FULL_LINE = 65
#: With slash codes a line is broken wherever it is full, and some banks count the line end in.
_FULL_CODED_LINE = 64
_SUBFIELD = re.compile(r"\?[0-9]{2}")


class Said(NamedTuple):
    """What a ``:86:`` says, whatever its dialect."""

    text: str
    payer: str = ""
    payer_account: str = ""
    more: tuple[tuple[str, str], ...] = ()


class Entry(NamedTuple):
    """``:61:`` and the fields that follow it: ``:86:`` and ``:NS:``, empty where there are none."""

    field: Field
    details: str
    extension: str

    def raw(self) -> str:
        rest = f"\n:86:{self.details}" if self.details else ""
        return f":61:{self.field.text}{rest}"


def make_line(entry: Entry, account: str, currency: str) -> MoneyLine | BadLine:
    """The line of an entry of ``account``."""
    line, raw = entry.field.line, entry.raw()
    found = next(filter(None, (layout.match(entry.field.text) for layout in _LAYOUTS)), None)
    if found is None:
        return bad(line, ":61: is not laid out like an entry of MT940", raw)
    parts = {name: text or "" for name, text in found.groupdict().items()}
    mark = _MARKS.get(parts["status"].upper())
    amount_minor = minor(parts["amount"], currency)
    value = _day(2000 + int(parts["year"]), parts["month"], parts["day"])
    if mark is None or amount_minor is None or not value:
        wrong = "the mark" if mark is None else "the sum" if amount_minor is None else "the value date"
        return bad(line, f"{wrong} in :61: cannot be read", raw)
    direction, is_reversal, is_final = mark
    day = _entry_day(value, parts["entry_month"], parts["entry_day"]) or value
    said = read_details(entry.details or entry.extension)
    extra = parts["extra_details"].strip()
    payer_account = said.payer_account or (extra if _IBAN.fullmatch(extra) else "")
    rest = entry.field.text[found.end("amount") :]
    known_by = known(
        account, parts["status"].upper(), str(amount_minor), currency, day, value, rest, entry.details,
        entry.extension,
    )  # fmt: skip
    more = [("value_day", value), ("type", parts["id"]), ("funds", parts["funds_code"]), ("about", extra)]
    more += [
        (name, parts[key].strip())
        for name, key in (("reference", "customer_reference"), ("bank_reference", "bank_reference"))
        if parts[key].strip().upper() not in _NO_REFERENCE
    ]
    return MoneyLine(
        line, "", known_by, amount_minor, direction, day, "", "", said.payer, payer_account, said.text,
        currency, account, is_final=is_final, is_reversal=is_reversal,
        more=(*((name, text) for name, text in more if text), *said.more), raw=raw[:RAW_LENGTH_MAX],
    )  # fmt: skip


def _day(year: int, month: str, day: str) -> str:
    """A date; a day that the month has not (interest is booked on 30 February) is its last one."""
    number = int(month)
    if not 1 <= number <= 12 or not 1 <= int(day) <= 31:
        return ""
    return iso_day(str(year), month, str(min(int(day), calendar.monthrange(year, number)[1])))


def _entry_day(value: str, month: str, day: str) -> str:
    """The entry date, which has no year: of the three possible ones the nearest to the value date."""
    if not month.strip() or not day.strip():
        return ""
    year, value_month = int(value[:4]), int(value[5:7])
    apart = int(month) - value_month
    return _day(year + (apart < -6) - (apart > 6), month, day)


def read_details(text: str) -> Said:
    """A ``:86:`` in any of the dialects: German sub-fields, slash codes, Polish labels, or free text."""
    found = _STRUCTURE.match(text)
    if found:
        return _structured(text if found[1] == "?" else text.replace("?", " ").replace(found[1], "?"))
    if _SLASH_CODE.match(text):
        return _slash_codes(_joined(text, _FULL_CODED_LINE))
    joined = _joined(text)
    if "TNR:" in joined or "Z RACH.:" in joined:
        return _labels(joined)
    return Said(plain(joined))


def _joined(text: str, full: int = _FULL_LINE) -> str:
    pieces: list[str] = []
    for line in text.split("\n"):
        pieces += [line, "" if len(line) >= full else " "]
    return "".join(pieces).strip()


def _structured(text: str) -> Said:
    """Lines are joined before they are split into sub-fields: a bank may break a sub-field's number."""
    given: dict[str, Any] = {"transaction_details": text}
    result = processors.transaction_details_post_processor(_COLLECTION, _DETAILS, given, dict(given))
    if "transaction_details" in result:
        return Said(plain(_joined(text)))

    def got(name: str) -> str:
        return plain(str(result.get(name) or ""))

    more = [
        ("code", got("transaction_code")), ("kind", got("posting_text")), ("bank", got("applicant_bin")),
        ("end_to_end", got("end_to_end_reference")), ("customer_reference", got("customer_reference")),
        ("mandate", got("additional_position_reference")), ("creditor_id", got("applicant_creditor_id")),
        ("deviate_payer", got("deviate_applicant")),
    ]  # fmt: skip
    purpose = plain(f"{got('purpose')} {got('additional_purpose')}")
    return Said(
        purpose or plain(_SUBFIELD.sub(" ", text.replace("\n", "")[3:])),
        got("applicant_name") or got("recipient_name"),
        "".join((got("applicant_iban") or got("gvc_applicant_iban")).split()),
        tuple((name, said) for name, said in more if said and said != "NOTPROVIDED"),
    )


def _slash_codes(text: str) -> Said:
    """``/EREF/…/ORDP//NAME/…/REMI/…``"""
    parts = _SLASH_CODE.split(text)
    said: dict[str, str] = {}
    for code, value in zip(parts[1::2], parts[2::2], strict=True):
        said.setdefault(code, plain(value.strip("/")))
    more = tuple(
        (code, value) for code, value in said.items() if value and code not in {"NAME", "REMI", "IBAN"}
    )
    return Said(said.get("REMI") or plain(text), said.get("NAME", ""), said.get("IBAN", ""), more)


def _labels(text: str) -> Said:
    """``Z RACH.: …; OD: …; TYT.: …; TNR: …``: account, payer, purpose, the bank's own number."""
    parts = _LABEL.split(text)
    said: dict[str, str] = {}
    for label, value in zip(parts[1::2], parts[2::2], strict=True):
        said.setdefault(label, plain(value.strip().strip(";")))
    more = tuple((name, said[label]) for name, label in (("tnr", "TNR"),) if said.get(label))
    account = "".join(said.get("Z RACH.", "").split())
    return Said(said.get("TYT.") or plain(text), said.get("OD", ""), account, (*more, ("all", plain(text))))
