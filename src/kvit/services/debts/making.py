"""One register of debts: numbered, made from one snapshot of the books, and kept as a whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kvit.domain.days import from_us, to_us
from kvit.domain.debts import WRITTEN, DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.errors import DatabaseUnavailable, SettingsError
from kvit.domain.file_rows import DebtRegisterRow
from kvit.domain.file_terms import BY_INVOICE_ROW, CHANGES, DebtTerms
from kvit.domain.journal import digest_of
from kvit.domain.masking import display_names
from kvit.domain.model import JournalRow
from kvit.services.debts.changes import changed, picked
from kvit.services.debts.ports import DebtOffice, Form, FoundDebts, Kept, Question
from kvit.services.debts.told import Chain, Told, chain_of

#: So often the number may be taken by somebody else before we give up.
_ATTEMPTS = 5
#: A name that was used is passed over, so many times.
_NAMES_TRIED = 1_000

JOURNAL_VERB = "debts.written"


class Made(NamedTuple):
    """A register that is written, what was replaced in it, and what a person should know."""

    register: DebtRegisterRow
    replaced: Replaced
    notes: Sequence[str]


def make_register(office: DebtOffice, terms: DebtTerms) -> Made:
    """The next register of the agreement. ``terms`` may differ from the agreement's in rows and contents.

    Nothing is listed before all of it is kept: an attempt that breaks off leaves nothing, not even a gap.
    Raises ``SettingsError``, ``NotAllowed``, ``KvitError`` for debts that the format cannot write.
    """
    form = office.form_of(terms)
    for _ in range(_ATTEMPTS):
        made = _attempt(office, form)
        if made is not None:
            return made
    raise DatabaseUnavailable("other registers kept taking the number; nothing was written; try again")


def _attempt(office: DebtOffice, form: Form) -> Made | None:
    agreement, terms = office.agreement, form.terms
    known = office.store.registers(agreement.agreement_id)
    chain = chain_of(known, terms.rows) if terms.contents == CHANGES else Chain((), ())
    # Before the snapshot: whatever was committed by this instant is in it.
    as_of_us = to_us(office.clock.now())
    head, file_name = _named(office, form, as_of_us, known)
    with office.store.keeping() as file, office.store.keeping() as rows:
        writing = _Writing(form, head, agreement.show_name, file, rows)
        with office.store.debts(_question(form)) as found:
            is_changes = terms.contents == CHANGES
            for debts in changed(found, Told(office.store, chain)) if is_changes else map(_all, found):
                writing.add(debts)
        totals = writing.end()
        row = DebtRegisterRow(
            agreement.biller_id, agreement.agreement_id, head.number, terms.rows, terms.contents,
            chain.base_number, terms.format, file_name, file.finish(), rows.finish(), *totals, as_of_us,
            office.author, to_us(office.clock.now()), WRITTEN, None, None, "",
        )  # fmt: skip
    if not office.store.add(row, lambda record_id: _record(row, record_id)):
        return None
    return Made(row, writing.writer.replaced, _notes(writing, row, chain))


class _Writing:
    """One register's two files: the bank's, and the neutral rows that it was made from."""

    def __init__(self, form: Form, head: RegisterHead, show_name: str, file: Kept, rows: Kept) -> None:
        self.writer = form.open(head)
        self.left_out = 0
        self._only_positive = form.only_positive
        self._show_name = show_name
        self._file = file
        self._rows = rows
        self._row_count = self._sum_minor = 0

    def add(self, debts: DebtSlice) -> None:
        if self._only_positive:
            everything = len(debts.keys)
            debts = picked(debts, [at for at, amount in enumerate(debts.amounts_minor) if amount > 0])
            self.left_out += everything - len(debts.keys)
        self._file.add(self.writer.rows(debts._replace(names=display_names(debts.names, self._show_name))))
        self._rows.add(neutral(debts))
        self._row_count += len(debts.keys)
        self._sum_minor += sum(debts.amounts_minor)

    def end(self) -> Totals:
        totals = Totals(self._row_count, self._sum_minor)
        # The foot first: some formats are whole only then.
        self._file.add(self.writer.foot(totals))
        self._file.put_first(self.writer.head(totals))
        return totals


def _named(
    office: DebtOffice, form: Form, as_of_us: int, known: Sequence[DebtRegisterRow]
) -> tuple[RegisterHead, str]:
    """The next number, and the file's name; a name that was used before is passed over with its number."""
    agreement, terms = office.agreement, form.terms
    used = {row.file_name for row in known}
    first = known[-1].register_number + 1 if known else 1
    name = ""
    for number in range(first, first + _NAMES_TRIED):
        head = RegisterHead(
            agreement.agreement_id, number, office.biller.name, agreement.currency, agreement.exponent,
            from_us(as_of_us, agreement.timezone), terms.rows, terms.contents, form.options, terms.columns,
        )  # fmt: skip
        name = form.file_name(head)
        if name not in used:
            return head, name
    raise SettingsError(f"every name like {name} was used before; let the file's name hold the number")


def _question(form: Form) -> Question:
    terms = form.terms
    return Question(
        by_invoice=terms.rows == BY_INVOICE_ROW,
        everything=terms.contents == CHANGES,
        keeps_paid=terms.paid == "zero",
        below_zero=terms.advance == "negative",
        undocumented=form.options.get("undocumented", "period") == "period",
        details=form.details,
    )


def _all(found: FoundDebts) -> DebtSlice:
    return found.debts


def neutral(debts: DebtSlice) -> bytes:
    """The rows as they are kept: ``key TAB sum`` lines."""
    if not debts.keys:
        return b""
    lines = map("\t".join, zip(debts.keys, map(str, debts.amounts_minor), strict=True))
    return ("\n".join(lines) + "\n").encode()


def _notes(writing: _Writing, row: DebtRegisterRow, chain: Chain) -> list[str]:
    notes = list(writing.writer.notes)
    if row.contents == CHANGES and not chain.accepted:
        notes.append("The bank has accepted no register yet, so everything is a change.")
    if chain.open:
        numbers = ", ".join(str(one.register_number) for one in chain.open[:10])
        notes.append(f"Not answered yet: {numbers}. What they told is told again where it may differ.")
    if not row.row_count:
        notes.append(
            "Nothing has changed: the register is empty."
            if row.contents == CHANGES
            else "Nobody owes anything: the register is empty."
        )
    if writing.left_out:
        notes.append(
            f"{writing.left_out} rows of nothing or less were left out: this format cannot ask for that."
        )
    return notes


def _record(row: DebtRegisterRow, record_id: int) -> JournalRow:
    digest = digest_of(
        "debts", row.agreement_id, row.register_number, row.rows_kind, row.contents, row.base_number,
        row.file_digest, row.rows_digest, row.row_count, row.total_minor, row.as_of_us,
    )  # fmt: skip
    subject = f"{row.agreement_id}/{row.register_number}"
    return JournalRow(
        row.biller_id, record_id, row.made_at_us, row.author, JOURNAL_VERB, subject, digest, row.file_name
    )
