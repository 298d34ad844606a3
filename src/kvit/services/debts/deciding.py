"""What becomes of a register: sent, accepted, accepted but for some rows, or rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from kvit.domain.days import to_us
from kvit.domain.debts import ACCEPTED, OPEN_STATES, REJECTED, SENT, SUPERSEDED, Reject
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import DebtRegisterRow, DebtRejectRow
from kvit.domain.file_terms import FULL
from kvit.domain.journal import digest_of
from kvit.domain.model import JournalRow
from kvit.services.debts.ports import DebtOffice, Decision
from kvit.services.debts.told import lines_of


class Unplaced(NamedTuple):
    """A line of the bank's file that fits no row of the register, and why."""

    line: int
    text: str
    reason: str


class Refusal(NamedTuple):
    """Rows that the bank refused, and lines of its file that fit none."""

    rows: Sequence[DebtRejectRow]
    unplaced: Sequence[Unplaced]


def accept(office: DebtOffice, number: int, comment: str = "") -> Decision:
    """The bank took the register: from now on changes are told against it. Again: nothing happens."""

    def work(known: list[DebtRegisterRow]) -> Decision:
        row = _find(known, number)
        at_us = to_us(office.clock.now())
        if row.state == ACCEPTED:
            return Decision((), at_us)
        if row.state not in OPEN_STATES:
            raise NotAllowed(_cannot(row, "accepted"))
        return Decision(_accepting(known, row, comment), at_us)

    return _decide(office, number, work)


def refuse_rows(office: DebtOffice, number: int, refusal: Refusal, reason: str) -> Decision:
    """The bank took the register but for these rows. All of them: then it took nothing of it."""

    def work(known: list[DebtRegisterRow]) -> Decision:
        row = _find(known, number)
        at_us = to_us(office.clock.now())
        if row.state not in (*OPEN_STATES, ACCEPTED):
            raise NotAllowed(_cannot(row, "accepted in part"))
        before = {one.row_number for one in office.store.rejects(row.agreement_id, number)}
        fresh = [one for one in refusal.rows if one.row_number not in before]
        is_whole = len(before) + len(fresh) >= row.row_count > 0
        states: Sequence[tuple[int, str, str]] = ()
        if is_whole:
            states = ((number, REJECTED, reason),)
        elif row.state != ACCEPTED:
            states = _accepting(known, row, reason)
        return Decision(states, at_us, fresh)

    return _decide(office, number, work)


def reject(office: DebtOffice, number: int, reason: str) -> Decision:
    """The bank took nothing of the register: it counts as never told."""

    def work(known: list[DebtRegisterRow]) -> Decision:
        row = _find(known, number)
        at_us = to_us(office.clock.now())
        if row.state == REJECTED:
            return Decision((), at_us)
        if row.state not in (*OPEN_STATES, ACCEPTED):
            raise NotAllowed(_cannot(row, "rejected"))
        return Decision(((number, REJECTED, reason),), at_us)

    return _decide(office, number, work)


def mark_sent(office: DebtOffice, number: int) -> Decision:
    """The register went out. A later word of the bank, or an earlier sending, stays."""

    def work(known: list[DebtRegisterRow]) -> Decision:
        row = _find(known, number)
        at_us = to_us(office.clock.now())
        is_new = row.state in OPEN_STATES and row.sent_at_us is None
        return Decision(((number, SENT, row.comment),) if is_new else (), at_us)

    return _decide(office, number, work)


def find_register(office: DebtOffice, number: int) -> DebtRegisterRow:
    """Raises ``NotFound``."""
    return _find(office.store.registers(office.agreement.agreement_id), number)


def placed(office: DebtOffice, row: DebtRegisterRow, rejects: Sequence[Reject]) -> Refusal:
    """The bank's words -> rows of the register: by the row's number, else by the client's (and document)."""
    by_row = {one.row for one in rejects if one.row}
    by_number = {one.number for one in rejects if one.number and not one.row}
    keys: dict[int, str] = {}
    rows_of: dict[str, list[int]] = {}
    for place, (key, _) in enumerate(lines_of(office.store.read(row.rows_digest)), 1):
        number = key.partition("\t")[0]
        if place in by_row or number in by_number:
            keys[place] = key
            rows_of.setdefault(number, []).append(place)
    found: dict[int, DebtRejectRow] = {}
    unplaced = []
    for one in rejects:
        places = _places(one, row, keys, rows_of)
        if isinstance(places, str):
            unplaced.append(Unplaced(one.line, one.number or str(one.row), places))
            continue
        for place in places:
            found.setdefault(
                place,
                DebtRejectRow(
                    row.biller_id, row.agreement_id, row.register_number, place, keys[place], one.reason
                ),
            )
    return Refusal([found[place] for place in sorted(found)], unplaced)


def _places(
    one: Reject, row: DebtRegisterRow, keys: dict[int, str], rows_of: dict[str, list[int]]
) -> Sequence[int] | str:
    """The rows that are meant, or why there are none."""
    if one.row:
        key = keys.get(one.row)
        if key is None:
            return f"the register has {row.row_count} rows"
        if one.number and key.partition("\t")[0] != one.number:
            return f"row {one.row} is of {key.partition(chr(9))[0]}, not of {one.number}"
        return [one.row]
    places = rows_of.get(one.number, [])
    if one.document:
        places = [place for place in places if _document(keys[place]) == one.document]
    return places or "the register has no such row"


def _document(key: str) -> str:
    return key.partition("\t")[2].partition("\t")[0]


def _accepting(
    known: Sequence[DebtRegisterRow], row: DebtRegisterRow, comment: str
) -> list[tuple[int, str, str]]:
    """The states that follow: a full register takes the place of all before it."""
    states = [(row.register_number, ACCEPTED, comment)]
    if row.contents == FULL:
        states += [
            (earlier.register_number, SUPERSEDED, earlier.comment)
            for earlier in known
            if earlier.register_number < row.register_number and earlier.state in (*OPEN_STATES, ACCEPTED)
        ]
    return states


def _find(known: Sequence[DebtRegisterRow], number: int) -> DebtRegisterRow:
    for row in known:
        if row.register_number == number:
            return row
    last = known[-1].register_number if known else 0
    raise NotFound(
        f"there is no register {number}; the last one is {last}" if last else "there is no register yet"
    )


def _cannot(row: DebtRegisterRow, what: str) -> str:
    after = "; a later full register took its place" if row.state == SUPERSEDED else ""
    return (
        f"register {row.register_number} is {row.state} and cannot be {what}{after}. Nothing was changed; "
        "send the next register"
    )


def _decide(office: DebtOffice, number: int, work: Callable[[list[DebtRegisterRow]], Decision]) -> Decision:
    agreement = office.agreement

    def record(record_id: int, decision: Decision) -> JournalRow:
        subject = f"{agreement.agreement_id}/{number}"
        states = [f"{one}:{state}" for one, state, _ in decision.states]
        refused = [f"{one.row_number}:{one.row_key}:{one.reason}" for one in decision.rejects]
        verb = f"debts.{decision.states[0][1] if decision.states else ACCEPTED}"
        detail = decision.states[0][2] if decision.states else ""
        digest = digest_of("debts.decision", subject, *states, "refused", *refused)
        return JournalRow(
            agreement.biller_id, record_id, decision.at_us, office.author, verb, subject, digest, detail
        )

    return office.store.decide(agreement.agreement_id, work, record)
