"""SWIFT MT940 (end of day) and MT942 (within the day), in the dialects of their banks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kvit.domain.lines import IN, STATEMENT, MoneyLine
from kvit.domain.money import exponent_of, format_amount
from kvit.files.base import ByteSource, Format
from kvit.files.errors import FileRefused
from kvit.files.statements.kit import Item, Sheet, StatementReading, Tally, minor
from kvit.files.statements.mt940_fields import END, Field, fields
from kvit.files.statements.mt940_lines import Entry, make_line
from kvit.files.texts import codec_of, find_encoding, shown, text_lines

_BEGIN = re.compile(rb"(?:^|[\r\n])(?:\x01?):20:")
_ANY_FIELD = re.compile(rb"(?:^|[\r\n]):(?:25|28C?|60[FM]|61|62[FM]|86):")
#: Letters of an alphabet of its own come one after another; accents stand alone.
_WORD_OF_HIGH_BYTES = re.compile(rb"[\x80-\xff]{3}")
#: The currency must be letters: ``:62M:C020315105000,00`` has none, and its sum is 105000,00.
_BALANCE = re.compile(r"([CD])([0-9]{6})([A-Z]{3})?([0-9,]+)")
_TOTAL = re.compile(r"([0-9]{1,5})([A-Z]{3})([0-9,]+)")
_FLOOR = re.compile(r"([A-Z]{3})[CD ]?[0-9,]*")
_WITHIN_DAY = frozenset({"34F", "13", "13D", "90C", "90D"})


def format_() -> Format:
    """The format's place in the list."""
    return Format(
        "mt940", "SWIFT MT940 and MT942", STATEMENT, fits,
        lambda source, options: Mt940Reading("mt940", source, options),
    )  # fmt: skip


def fits(_name: str, head: bytes) -> int:
    """``:20:`` and fields after it; less surely a piece of a statement without its beginning."""
    has_begin, has_field = _BEGIN.search(head), _ANY_FIELD.search(head)
    return 100 if has_begin and has_field else 40 if has_begin or has_field else 0


def encoding_of(source: ByteSource, wanted: str) -> str:
    """UTF-8 where it fits; else a Cyrillic page where letters come in words, else windows-1252."""
    found = codec_of(wanted) if wanted else find_encoding(source)
    if wanted or found in {"utf-8-sig", "utf-16"}:
        return found
    return found if _WORD_OF_HIGH_BYTES.search(source.head()) else "cp1252"


@dataclass(slots=True)
class _Statement:
    """One message, from ``:20:`` on."""

    line: int
    sheet: Sheet = field(default_factory=Sheet)
    is_closed: bool = False
    is_within_day: bool = False
    entry: Field | None = None
    details: str = ""
    extension: str = ""
    #: Direction -> (count, sum) of ``:90C:`` and ``:90D:``; of the entries.
    told: dict[str, tuple[int, int]] = field(default_factory=dict)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    has_entries: bool = False


class Mt940Reading(StatementReading):
    """One file."""

    def _items(self, tally: Tally) -> Iterator[Item]:
        encoding = encoding_of(self.source, self.options.encoding)
        tally.facts.encoding = shown(encoding)
        statement: _Statement | None = None
        for each in fields(text_lines(self.source, encoding)):
            if statement is None or each.tag == "20":
                if statement is not None:
                    yield from self._end(statement, tally)
                statement = _Statement(each.line)
            if each.tag == "86" and statement.entry is not None and not statement.details:
                statement.details = each.text
            elif each.tag == "NS" and statement.entry is not None:
                statement.extension += each.text
            else:
                yield from self._entry(statement)
                self._take(statement, each, tally)
        if statement is None:
            raise FileRefused("There is no field of MT940 in this file.", "Leave the format out.")
        yield from self._end(statement, tally)

    def _take(self, statement: _Statement, each: Field, tally: Tally) -> None:
        tag, text, sheet = each.tag, each.text.strip(), statement.sheet
        if tag == "61":
            statement.entry = each
            statement.has_entries = True
        elif tag in {"25", "25P"}:
            sheet.account = "".join(text.partition("\n")[0].split())
        elif tag[:2] in {"60", "62"}:
            self._balance(statement, each, tally)
        elif tag in _WITHIN_DAY:
            statement.is_within_day = True
            self._within_day(statement, tag, text)
        elif tag == END:
            statement.entry = None

    def _balance(self, statement: _Statement, each: Field, tally: Tally) -> None:
        sheet = statement.sheet
        found = _BALANCE.fullmatch(each.text.strip())
        amount_minor = None
        if found:
            if found[3] and sheet.currency and found[3] != sheet.currency:
                tally.facts.problems.append(
                    f":{each.tag}: in line {each.line} is in {found[3]}, the statement in {sheet.currency}."
                )
            _set_currency(sheet, found[3] or "")
            amount_minor = minor(found[4], sheet.currency or self.options.currency)
        if found is None or amount_minor is None:
            tally.facts.problems.append(f"The balance :{each.tag}: in line {each.line} cannot be read.")
            return
        signed = amount_minor if found[1] == "C" else -amount_minor
        if each.tag.startswith("60"):
            sheet.opening_minor = signed
        else:
            sheet.closing_minor = signed
            statement.is_closed = True

    def _within_day(self, statement: _Statement, tag: str, text: str) -> None:
        floor, total = _FLOOR.fullmatch(text), _TOTAL.fullmatch(text)
        if tag == "34F" and floor:
            _set_currency(statement.sheet, floor[1])
        elif tag.startswith("90") and total:
            _set_currency(statement.sheet, total[2])
            amount_minor = minor(total[3], total[2])
            if amount_minor is not None:
                statement.told[tag[2]] = (int(total[1]), amount_minor)

    def _entry(self, statement: _Statement) -> Iterator[Item]:
        """The entry that is complete now, if there is one."""
        if statement.entry is None:
            return
        sheet = statement.sheet
        entry = Entry(statement.entry, statement.details, statement.extension)
        statement.entry, statement.details, statement.extension = None, "", ""
        item = make_line(entry, sheet.account, sheet.currency or self.options.currency)
        if not isinstance(item, MoneyLine):
            sheet.bad_count += 1
        elif item.is_final:
            sheet.move(item.direction, item.amount_minor)
            mark = "C" if item.direction == IN else "D"
            count, amount_minor = statement.counted.get(mark, (0, 0))
            statement.counted[mark] = (count + 1, amount_minor + item.amount_minor)
        yield item

    def _end(self, statement: _Statement, tally: Tally) -> Iterator[Item]:
        yield from self._entry(statement)
        sheet, facts = statement.sheet, tally.facts
        where = f"The statement of {sheet.account or 'no account'} in line {statement.line}"
        if not sheet.account:
            facts.problems.append(f"{where} does not name its account.")
        if statement.is_within_day:
            note = "This is a report within the day (MT942): post from the end of the day's MT940."
            if note not in facts.notes:
                facts.notes.append(note)
        elif not statement.is_closed:
            facts.problems.append(f"{where} has no closing balance: the file breaks off.")
        elif sheet.opening_minor is None:
            facts.problems.append(f"{where} has no opening balance.")
        for mark, told in statement.told.items():
            made = statement.counted.get(mark, (0, 0))
            if made != told:
                text = f":90{mark}: says {_shown(*told, sheet)}, the entries make {_shown(*made, sheet)}."
                # What cannot be read is not counted; that alone is no sign of a torn file.
                (facts.notes if sheet.bad_count else facts.problems).append(text)
        tally.close(sheet)


def _set_currency(sheet: Sheet, currency: str) -> None:
    """The first currency told is the statement's; some banks write it behind the account's number, too."""
    if currency and not sheet.currency:
        sheet.currency = currency
        bare = sheet.account.removesuffix(currency)
        if bare[-1:].isdigit():
            sheet.account = bare


def _shown(count: int, amount_minor: int, sheet: Sheet) -> str:
    return f"{count} entries of {format_amount(amount_minor, exponent_of(sheet.currency))} {sheet.currency}"
