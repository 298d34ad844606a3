"""ISO 20022 camt.052, camt.053 and camt.054, versions 01 to 12: reports, statements, notifications.

Read by the elements' own names, whatever their prefix and version. One line a ``TxDtls``; an entry without
any is itself the line. The source of the facts: the message definitions' classes and public samples.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from kvit.domain.lines import IN, STATEMENT
from kvit.domain.money import exponent_of, format_amount
from kvit.files.base import ByteSource, Format, ReadOptions
from kvit.files.errors import FileRefused
from kvit.files.guarded_xml import Place, Record, XmlRecords
from kvit.files.statements.camt_lines import (
    BOOKED,
    OPEN,
    Account,
    Sum,
    charges_minor,
    day_of,
    make_line,
    part_sum,
    sum_of,
)  # fmt: skip
from kvit.files.statements.kit import Item, Sheet, StatementReading, Tally, bad
from kvit.files.texts import codec_of

#: Name of the format -> (beginning of the root's child, its statements, what it is).
MESSAGES = {
    "camt.052": ("BkToCstmrAcctRpt", "Rpt", "ISO 20022 account report within the day (camt.052)"),
    "camt.053": ("BkToCstmrStmt", "Stmt", "ISO 20022 statement (camt.053)"),
    "camt.054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "ISO 20022 debit and credit notification (camt.054)"),
}
_MARKS = frozenset("SBNTR")
#: (place, element) that only wraps what older versions have without it.
_WRAPPERS = frozenset({("N", "NtryDtls"), ("N/Sts", "Cd"), ("N/Sts", "Prtry")})
_PARTY = re.compile("T/RltdPties/[A-Za-z]+")
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def formats() -> tuple[Format, ...]:
    """One format a message."""
    return tuple(
        Format(name, title, STATEMENT, _fitter(root), _maker(name))
        for name, (root, _, title) in MESSAGES.items()
    )


def _fitter(root: str) -> Callable[[str, bytes], int]:
    begins = re.compile(rf"<(?:[\w.-]+:)?{root}(?:V[0-9]+)?[\s>/]")

    def fits(_name: str, head: bytes) -> int:
        text = head.decode("utf-16" if head[:2] in _UTF16_MARKS else "latin-1", "ignore")
        return 100 if begins.search(text) else 0

    return fits


def _maker(name: str) -> Callable[[ByteSource, ReadOptions], CamtReading]:
    return lambda source, options: CamtReading(name, source, options)


def placing(message: str) -> Place:
    """Where elements of ``message`` stand: ``M``, then what ``_inside`` says."""
    root, inner, _ = MESSAGES[message]

    def place(parent: str, name: str) -> str:
        if name.startswith(root):
            return "M"
        if parent == "M" and name == inner:
            return "S"
        return _inside(parent, name)

    return place


def _inside(parent: str, name: str) -> str:
    """``S`` statement, ``B`` balance, ``N`` entry, ``T`` payment, ``R`` reference; else the way to it."""
    if parent == "S" and name in {"Ntry", "Bal"}:
        return name[0]
    if parent == "N" and name == "TxDtls":
        return "T"
    if parent == "T/RmtInf" and name == "Strd":
        return "R"
    if (parent, name) in _WRAPPERS or (name == "Pty" and _PARTY.fullmatch(parent)):
        return parent
    return f"{parent}/{name}"


@dataclass(slots=True)
class _Part:
    record: Record
    references: list[Record]


@dataclass(slots=True)
class _Entry:
    """An entry while its payments come by. The first one waits: is it the only one?"""

    record: Record
    money: Sum | str
    waiting: _Part | None = None
    part_count: int = 0
    parts_minor: int = 0
    charges_minor: int = 0
    can_add_up: bool = True


@dataclass(slots=True)
class _Statement:
    record: Record
    account: Account
    sheet: Sheet
    balances: dict[str, list[Sum]] = field(default_factory=dict)


class CamtReading(StatementReading):
    """One file, of any of the three messages."""

    _statement: _Statement | None = None
    _entry: _Entry | None = None

    def _items(self, tally: Tally) -> Iterator[Item]:
        self._statement = self._entry = None
        override = self.options.encoding
        records = XmlRecords(self.source, placing(self.name), _MARKS, codec_of(override) if override else "")
        references: list[Record] = []
        count = 0
        for record in records:
            if record.mark == "R":
                references.append(record)
            elif record.mark == "B":
                self._balance(record)
            elif record.mark == "T":
                yield from self._part(_Part(record, references))
                references = []
            elif record.mark == "N":
                yield from self._end_entry(record, tally)
            else:
                count += 1
                self._close(self._opened(record), tally)
        tally.facts.encoding = records.encoding.removesuffix("-sig")
        if records.broken:
            tally.facts.problems.append(records.broken)
        elif not count:
            raise FileRefused(
                f"There is no {self.name} message in this file.", "Leave the format out, or name another."
            )

    def _opened(self, record: Record) -> _Statement:
        """The statement that ``record`` is; a new one when it is seen for the first time."""
        known = self._statement
        if known is None or known.record is not record:
            held = "S/Acct/Id"
            number = record.first(f"{held}/IBAN", f"{held}/Othr/Id", f"{held}/PrtryAcct/Id", f"{held}/BBAN")
            number = "".join(number.split())
            currency = record.first("S/Acct/Ccy")
            account = Account(number, currency or self.options.currency, day_of(record.first("S/CreDtTm")))
            known = self._statement = _Statement(record, account, Sheet(number, currency))
        return known

    def _balance(self, record: Record) -> None:
        if record.parent is None:
            return
        statement = self._opened(record.parent)
        kind = record.first("B/Tp/CdOrPrtry/Cd", "B/Tp/Cd")
        money = sum_of(record, "B", statement.account)
        if isinstance(money, Sum):
            statement.balances.setdefault(kind, []).append(money)
            if kind in {"OPBD", "PRCD"} and not statement.sheet.currency:
                statement.sheet.currency = money.currency

    def _began(self, record: Record) -> _Entry:
        """The entry that ``record`` is."""
        entry = self._entry
        if entry is None or entry.record is not record:
            statement = self._opened(record.parent or record)
            status = record.first("N/Sts")
            money = sum_of(record, "N", statement.account)
            if status not in BOOKED | OPEN:
                money = f"the status {status!r} is none of {', '.join(sorted(BOOKED | OPEN))[2:]}"
            entry = self._entry = _Entry(record, money)
            if isinstance(entry.money, Sum):
                statement.sheet.currency = statement.sheet.currency or entry.money.currency
        return entry

    def _part(self, part: _Part) -> Iterator[Item]:
        if part.record.parent is None:
            return
        entry = self._began(part.record.parent)
        entry.part_count += 1
        if entry.part_count == 1:
            entry.waiting = part
            return
        if entry.waiting is not None:
            yield self._one_of_many(entry, entry.waiting)
            entry.waiting = None
        yield self._one_of_many(entry, part)

    def _one_of_many(self, entry: _Entry, part: _Part) -> Item:
        assert self._statement is not None
        if isinstance(entry.money, str):
            return bad(part.record.line, f"its entry cannot be read: {entry.money}", part.record.shown())
        account = self._statement.account
        money = part_sum(part.record, entry.money, account)
        if not isinstance(money, Sum):
            entry.can_add_up = False
            why = (
                money or f"one of several payments of an entry of {_shown(entry.money)} has no sum of its own"
            )
            return bad(part.record.line, why, part.record.shown())
        entry.charges_minor += charges_minor(part.record, "T", entry.money.currency)
        entry.can_add_up &= money.currency == entry.money.currency
        same = money.direction == entry.money.direction
        entry.parts_minor += money.amount_minor if same else -money.amount_minor
        return make_line(entry.record, part.record, part.references, money, account)

    def _end_entry(self, record: Record, tally: Tally) -> Iterator[Item]:
        if record.parent is None:
            return
        entry = self._began(record)
        assert self._statement is not None
        statement = self._statement
        if isinstance(entry.money, str):
            statement.sheet.bad_count += 1
            if entry.part_count <= 1:
                yield bad(record.line, entry.money, record.shown())
            return
        if record.first("N/Sts") in BOOKED:
            statement.sheet.move(entry.money.direction, entry.money.amount_minor)
        if entry.part_count <= 1:
            waiting = entry.waiting
            inner, references = (waiting.record, waiting.references) if waiting else (None, [])
            yield make_line(record, inner, references, entry.money, statement.account)
            if inner is not None:
                _check_only_part(entry, entry.money, inner, statement.account, tally)
        else:
            _check_parts(entry, entry.money, tally)

    def _close(self, statement: _Statement, tally: Tally) -> None:
        self._statement = self._entry = None
        sheet, facts = statement.sheet, tally.facts
        sheet.opening_minor = _balance_in(statement, sheet.currency, ("OPBD", "PRCD"))
        sheet.closing_minor = _balance_in(statement, sheet.currency, ("CLBD",))
        others = {money.currency for sums in statement.balances.values() for money in sums} - {sheet.currency}
        if others:
            named = ", ".join(sorted(others))
            facts.notes.append(
                f"Balances in {named} are not looked at: the statement is in {sheet.currency}."
            )
        if not statement.account.number:
            facts.problems.append("A statement does not name its account.")
        if statement.record.first("S/StmtPgntn/LastPgInd", "S/RptPgntn/LastPgInd") in {"false", "0"}:
            facts.notes.append("This is one page of a statement: more follow in other files.")
        tally.close(sheet)


def _balance_in(statement: _Statement, currency: str, kinds: tuple[str, ...]) -> int | None:
    for kind in kinds:
        for money in statement.balances.get(kind, []):
            if money.currency == currency:
                return money.amount_minor if money.direction == IN else -money.amount_minor
    return None


def _check_only_part(entry: _Entry, money: Sum, part: Record, account: Account, tally: Tally) -> None:
    """The only payment of an entry is what was booked; another sum of its own must have a reason."""
    own = part_sum(part, money, account)
    if isinstance(own, Sum) and own.currency == money.currency and own.amount_minor != money.amount_minor:
        entry.parts_minor = own.amount_minor
        entry.charges_minor = charges_minor(part, "T", money.currency)
        _check_parts(entry, money, tally)


def _check_parts(entry: _Entry, money: Sum, tally: Tally) -> None:
    """The payments of an entry, and the charges on them, make the entry's sum."""
    claimed = entry.record.all("N/Btch/NbOfTxs")
    where = f"The entry of {_shown(money)} in line {entry.record.line}"
    if len(claimed) == 1 and claimed[0].isdecimal() and int(claimed[0]) != entry.part_count:
        tally.facts.problems.append(
            f"{where} should hold {claimed[0]} payments and holds {entry.part_count}."
        )
    if not entry.can_add_up:
        return
    off = abs(entry.parts_minor - money.amount_minor)
    charges = entry.charges_minor or charges_minor(entry.record, "N", money.currency)
    if off and off != charges:
        parts = format_amount(entry.parts_minor, exponent_of(money.currency))
        tally.facts.problems.append(f"{where} holds payments of {parts} in all, and no charges explain it.")


def _shown(money: Sum) -> str:
    return f"{format_amount(money.amount_minor, exponent_of(money.currency))} {money.currency}"
