"""What a person does with single lines: try again, mend, post, confirm, drop; and move a wrong match.

Nothing of a line as it came is changed. Each act is kept with author and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

from kvit.domain import days
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import (
    CONFIRMED,
    DROPPED,
    MENDED,
    POSTED_LINE,
    QUARANTINE,
    LineRow,
)
from kvit.domain.lines import IN, MoneyLine
from kvit.domain.messages import Post
from kvit.domain.model import POSTED, Agreement, Biller
from kvit.services.intake.checks import outright
from kvit.services.intake.ports import IntakeBook, LineChange
from kvit.services.intake.registers import RegisterSource, post_of
from kvit.services.intake.run import Source
from kvit.services.intake.statements import StatementSource, bank_agreement
from kvit.services.intake.undoing import Act, line_act, take_back
from kvit.services.intake.words import Decided, Item
from kvit.services.intake.writing import line_of, post_decided

_BANK = "bank:"

#: Makes the source of a line, with the rules and agreements as they are now.
SourceOf = Callable[[LineRow], Source]


class Mending(NamedTuple):
    """What a person knows better; empty and 0: as it stands."""

    number: str = ""
    amount_minor: int = 0
    day: str = ""
    payer: str = ""


class Handled(NamedTuple):
    """What became of a line."""

    import_id: int
    line: int
    state: str
    number: str
    receipt: int | None
    reason: str


def retry(book: IntakeBook, place: tuple[int, int], source_of: SourceOf, act: Act) -> Handled:
    """Decide a quarantined line anew: meanwhile the account may be there, or the payment that it confirms."""
    row = _waiting(book, place)
    source, line = source_of(row), line_of(row)
    book.lock_numbers(source.numbers([Item(row.line_key, line)]))
    decided = _again(book, row, line, source, act)
    decided.generation = row.generation
    post_decided(book, [decided], act.now)
    return _write(book, row, decided, "retry", act)


def post(
    book: IntakeBook, place: tuple[int, int], agreements: Mapping[str, Agreement], mending: Mending, act: Act
) -> Handled:
    """Book the line as a payment of its own, as it stands or mended."""
    _check_reason(act)
    row = _waiting(book, place)
    line = line_of(row)._replace(direction=IN)
    mended = line._replace(
        number=mending.number or line.number,
        amount_minor=mending.amount_minor or line.amount_minor,
        day=mending.day or line.day,
        payer=mending.payer or line.payer,
    )
    if mended.amount_minor <= 0 or not mended.day:
        raise NotAllowed("say the sum and the day, which cannot be read: --amount and --day; nothing changed")
    if mended.number and not book.existing([mended.number]) and mending.number:
        raise NotFound(f"no active account has the number {mended.number}; nothing was changed")
    key = row.line_key
    is_other = (mended.amount_minor, mended.day) != (line.amount_minor, line.day)
    if is_other:
        key = f"m:{row.import_id}:{row.line}:{row.generation}"
    agreement = _agreement_of(book.biller(), row, agreements)
    command = _post(row, mended, key, row.generation)
    decided = Decided(
        key, mended, "new", POSTED_LINE, mended.number, "by hand", act.reason, post=(agreement, command),
        generation=row.generation,
    )  # fmt: skip
    post_decided(book, [decided], act.now)
    if decided.state == QUARANTINE:
        raise NotAllowed(f"{decided.reason}; nothing was changed")
    if is_other:
        book.add_lines([_mended_row(row, decided, mended)])
        old = Decided(row.line_key, line, "known", MENDED, reason=act.reason, generation=row.generation)
        _write(book, row, old, "mend", act)
        return Handled(row.import_id, row.line, decided.state, decided.number, decided.receipt, act.reason)
    return _write(book, row, decided, "post", act)


def confirm(book: IntakeBook, place: tuple[int, int], receipt: int, act: Act) -> Handled:
    """The line is about a payment that is in the books, whatever differs."""
    _check_reason(act)
    row = _waiting(book, place)
    key = book.payment_key(receipt)
    if key is None:
        raise NotFound(f"there is no payment with receipt {receipt}")
    payment = book.stored([key])[key]
    if payment.state != POSTED:
        raise NotAllowed(f"payment {receipt} was taken back; nothing was changed")
    if book.lined([receipt], row.kind):
        raise NotAllowed(f"payment {receipt} stands in a {row.kind} already; nothing was changed")
    decided = Decided(
        row.line_key, line_of(row), "confirmed", CONFIRMED, payment.number, "by hand", act.reason, receipt,
        generation=row.generation,
    )  # fmt: skip
    return _write(book, row, decided, "confirm", act)


def drop(book: IntakeBook, place: tuple[int, int], act: Act) -> Handled:
    """The line is no payment of ours."""
    _check_reason(act)
    row = _waiting(book, place)
    decided = Decided(
        row.line_key, line_of(row), "ignored", DROPPED, reason=act.reason, generation=row.generation
    )
    return _write(book, row, decided, "drop", act)


def move(
    book: IntakeBook, receipt: int, number: str, agreements: Mapping[str, Agreement], act: Act
) -> Handled:
    """Take a payment that a line made from a wrong account, and give it to the right one."""
    _check_reason(act)
    row = book.line_of(receipt)
    if row is None or row.state != POSTED_LINE:
        raise NotAllowed(
            f"payment {receipt} did not come by a file, or is not a client's; a network's own one is taken "
            "back with `kvit payment void`, money in suspense is given with `kvit suspense assign`"
        )
    if number == row.number:
        raise NotAllowed(f"payment {receipt} is of account {number} already; nothing was changed")
    if not book.existing([number]):
        raise NotFound(f"no active account has the number {number}; nothing was changed")
    book.lock_numbers({row.number, number} - {""})
    if not take_back(book, row, act):
        raise NotAllowed(f"payment {receipt} was taken back; nothing was changed")
    generation = row.generation + 1
    agreement = _agreement_of(book.biller(), row, agreements)
    command = _post(row, line_of(row), row.line_key, generation)
    decided = Decided(
        row.line_key, line_of(row), "new", POSTED_LINE, number, "by hand", act.reason,
        post=(agreement, replace(command, number=number)), generation=generation,
    )  # fmt: skip
    post_decided(book, [decided], act.now)
    assert decided.state == POSTED_LINE, decided.reason
    return _write(book, row, decided, "move", act)


def _post(row: LineRow, line: MoneyLine, key: str, generation: int) -> Post:
    if row.source.startswith(_BANK):
        return StatementSource.post(line, key, line.number, generation)
    return post_of(line, key, line.number, line.amount_minor, generation)


def _again(book: IntakeBook, row: LineRow, line: MoneyLine, source: Source, act: Act) -> Decided:
    item = Item(row.line_key, line)
    if not row.day or not row.direction:
        raise NotAllowed(
            f"line {row.line} cannot be read: mend it with `kvit quarantine mend {row.import_id}:{row.line}`"
        )
    biller = book.biller()
    today = act.now.astimezone(days.zone(biller.timezone)).date().isoformat()
    plain = outright(item, row.kind, biller.currency, today)
    if plain is not None:
        return plain
    source.begin()
    decided = source.decide(book, [item], {row.line_key: row.generation})
    if decided:
        return decided[0]
    source.keep()  # it was put off, and there is nothing else to wait for
    return source.decide(book, source.last(), {row.line_key: row.generation})[0]


def _agreement_of(biller: Biller, row: LineRow, agreements: Mapping[str, Agreement]) -> Agreement:
    if row.source.startswith(_BANK):
        return bank_agreement(biller, row.source.removeprefix(_BANK))
    agreement = agreements.get(row.source)
    if agreement is None:
        raise NotFound(f"the agreement {row.source} of this line is not there any more")
    return agreement


def source_for(
    row: LineRow, biller: Biller, agreements: Mapping[str, Agreement], rules: Mapping[str, str]
) -> Source:
    """The source of a kept line."""
    if row.source.startswith(_BANK):
        return StatementSource(biller, row.source.removeprefix(_BANK), list(agreements.values()), rules)
    return RegisterSource(_agreement_of(biller, row, agreements))


def _waiting(book: IntakeBook, place: tuple[int, int]) -> LineRow:
    import_id, line = place
    row = book.line(import_id, line)
    if row is None:
        raise NotFound(f"import {import_id} has no line {line} of its own; `kvit quarantine list` shows all")
    if row.state != QUARANTINE:
        raise NotAllowed(f"line {line} of import {import_id} is not in quarantine: it is {row.state}")
    return row


def _write(book: IntakeBook, row: LineRow, decided: Decided, verb: str, act: Act) -> Handled:
    change = LineChange(
        decided.state, decided.number, decided.rule, decided.reason, decided.receipt, decided.generation,
        row.import_id, row.line, row.source, row.line_key,
    )  # fmt: skip
    book.change_lines([change])
    (act_id,) = book.take_ids(1)
    book.add_acts([line_act(row, act_id, verb, decided.state, act)])
    return Handled(row.import_id, row.line, decided.state, decided.number, decided.receipt, decided.reason)


def _mended_row(row: LineRow, decided: Decided, line: MoneyLine) -> LineRow:
    return row._replace(
        line_key=decided.key, day=line.day, direction=IN, amount_minor=line.amount_minor,
        payer=line.payer, state=decided.state, number=decided.number, rule="by hand",
        reason=decided.reason, receipt=decided.receipt,
    )  # fmt: skip


def _check_reason(act: Act) -> None:
    if not act.reason.strip():
        raise NotAllowed("say why with --reason; nothing was changed")
