"""Taking a whole import back: every payment it made by a reversing entry, every line as if it had not come.

Line by line, so it can be broken off and gone on with; a line that was taken back can be imported again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from kvit.domain import days
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import (
    CONFIRMED,
    DROPPED,
    IGNORED,
    IN_SUSPENSE,
    LUMP,
    MENDED,
    POSTED_LINE,
    QUARANTINE,
    SETTLED,
    UNDONE,
    LineActRow,
    LineRow,
)
from kvit.domain.journal import digest_of
from kvit.domain.model import JournalRow
from kvit.services.corrections import void_payment
from kvit.services.intake.ports import (
    UNDOING,
    UNDONE_IMPORT,
    IntakeBook,
    IntakeStore,
    LineChange,
)
from kvit.services.ports import Clock
from kvit.services.receivables.ports import ImportRow

IMPORT_UNDONE = "import.undone"
_SLICE_LINES = 50
_TAKEN_BACK = (POSTED_LINE, CONFIRMED, IN_SUSPENSE, QUARANTINE, LUMP, IGNORED, MENDED, DROPPED)


class Undone(NamedTuple):
    """``payments`` were reversed, ``lines`` forgotten in all."""

    import_id: int
    lines: int
    payments: int
    amount_minor: int


class Act(NamedTuple):
    """Why, by whom and when."""

    reason: str
    author: str
    now: datetime


def undo(
    store: IntakeStore,
    clock: Clock,
    import_id: int,
    reason: str,
    author: str,
    progress: Callable[[int], None] = lambda _done: None,
) -> Undone:
    """Raises ``NotFound`` and, with nothing changed, ``NotAllowed``."""
    if not reason.strip():
        raise NotAllowed("taking an import back needs a reason; nothing was changed")
    store.write(lambda book: _begin(book, import_id))
    lines = payments = amount_minor = 0
    while True:
        act = Act(reason.strip(), author, clock.now())
        done, voided_minor = store.write(lambda book, act=act: _slice(book, import_id, act))  # type: ignore[misc]
        store.rest()
        if not done:
            break
        lines, payments = lines + done, payments + len(voided_minor)
        amount_minor += sum(voided_minor)
        progress(lines)
    undone = Undone(import_id, lines, payments, amount_minor)
    now_us = days.to_us(clock.now())
    store.write(lambda book: _finish(book, undone, reason.strip(), author, now_us))
    return undone


def _find(book: IntakeBook, import_id: int) -> ImportRow:
    for row in book.imports(["register", "statement"]):
        if row.import_id == import_id:
            return row
    raise NotFound(f"there is no import {import_id} of a register or statement; `kvit import list` shows all")


def _begin(book: IntakeBook, import_id: int) -> None:
    row = _find(book, import_id)
    if row.state == UNDONE_IMPORT:
        raise NotAllowed(f"import {import_id} was undone before; nothing was changed")
    settled = book.lines(import_id, [SETTLED], 0, 1)
    if settled:
        raise NotAllowed(
            f"line {settled[0].line} settles what an agent collected; undo that settlement first "
            "(kvit settlement list); nothing was changed"
        )
    after = 0
    while rows := book.lines(import_id, [IN_SUSPENSE], after, 500):
        for one in rows:
            if one.receipt is not None and book.assigned_minor(one.biller_id, one.receipt):
                raise NotAllowed(
                    f"payment {one.receipt} (line {one.line}) was assigned from suspense or sent back; "
                    "so the import cannot be undone as a whole; nothing was changed"
                )
        after = rows[-1].line
    book.set_import(import_id, UNDOING, row.summary, row.finished_at_us)


def _slice(book: IntakeBook, import_id: int, act: Act) -> tuple[int, list[int]]:
    """How many lines were taken back, and the payments' sums."""
    rows = book.lines(import_id, _TAKEN_BACK, 0, _SLICE_LINES)
    voided_minor: list[int] = []
    changes, acts = [], []
    # Accounts are locked in the order of their ids by every writer; here each payment locks its own.
    made = [row for row in rows if row.state in (POSTED_LINE, IN_SUSPENSE) and row.receipt is not None]
    book.lock_numbers({row.number for row in made} - {""})
    ids = book.take_ids(len(rows))
    for row, act_id in zip(rows, ids, strict=True):
        if row in made and row.receipt is not None and take_back(book, row, act):
            voided_minor.append(row.amount_minor)
        changes.append(forgotten(row, act.reason))
        acts.append(line_act(row, act_id, "undone", UNDONE, act))
    book.change_lines(changes)
    book.add_acts(acts)
    return len(rows), voided_minor


def take_back(book: IntakeBook, row: LineRow, act: Act) -> bool:
    """Void the line's payment, unless a person has done so already."""
    assert row.receipt is not None
    key = book.payment_key(row.receipt)
    assert key is not None, "a line's payment exists"
    if book.payment_case(key).void is not None:
        return False
    void_payment(book, row.biller_id, row.receipt, act.reason, act.author, act.now)
    return True


def forgotten(row: LineRow, reason: str) -> LineChange:
    """The line as if it had not come; if it had made a payment, the next one has another id."""
    generation = row.generation + (row.state in (POSTED_LINE, IN_SUSPENSE))
    return LineChange(
        UNDONE, "", "", reason, None, generation, row.import_id, row.line, row.source, row.line_key
    )


def line_act(row: LineRow, act_id: int, verb: str, state: str, act: Act) -> LineActRow:
    """The record of what was done with a line."""
    return LineActRow(
        row.biller_id, act_id, row.source, row.line_key, verb, state, row.receipt, act.reason, act.author,
        days.to_us(act.now),
    )  # fmt: skip


def _finish(book: IntakeBook, undone: Undone, reason: str, author: str, now_us: int) -> None:
    row = _find(book, undone.import_id)
    book.set_import(undone.import_id, UNDONE_IMPORT, row.summary, now_us)
    (journal_id,) = book.take_ids(1)
    digest = digest_of(IMPORT_UNDONE, undone.import_id, undone.lines, undone.payments, undone.amount_minor)
    book.write_journal(
        JournalRow(
            row.biller_id, journal_id, now_us, author, IMPORT_UNDONE, str(undone.import_id), digest, reason
        )
    )  # fmt: skip
