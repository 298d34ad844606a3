"""Settlements and a closed period in books in use: what came with reconciliation."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from kvit.domain.file_rows import LUMP, LineRow
from kvit.domain.lines import STATEMENT
from kvit.domain.model import Agreement
from kvit.services.periods import Month, close
from kvit.services.reconciling.findings import ACCEPT, REGISTER_MISSING, Finding
from kvit.services.reconciling.resolving import Decision, resolve
from kvit.services.settling.facts import Span
from kvit.services.settling.making import By, Wish, settle, undo
from kvit.storage.bulk import insert_rows
from kvit.storage.closing import SqlClosing
from kvit.storage.engine import Database
from kvit.storage.resolutions import SqlResolutions
from kvit.storage.settlements import SqlSettlements

BANK = "bank:40702810000000000001"


def close_before(database: Database, biller_id: str, now: datetime) -> None:
    """The biller's books are closed up to the day before ``now``."""
    day = (now.date() - timedelta(days=1)).isoformat()
    with database.write() as connection:
        close(SqlClosing(connection, biller_id), Month(day[:7], day, day), [], "", "cli:anna", lambda: now)


def settle_some(database: Database, agreement: Agreement, now: datetime) -> None:
    """Two lump sums of an agent: one is settled with a difference, undone, and settled once more."""
    biller_id, day = agreement.biller_id, now.date().isoformat()
    lines = [_lump(agreement, key, day, amount_minor) for key, amount_minor in (("l1", 700), ("l2", 90_000))]
    with database.write() as connection:
        insert_rows(connection, "money_lines", lines)
    store, by = SqlSettlements(database, biller_id, [agreement]), By("cli:anna", now)
    span = Span(day[:8] + "01", day)

    def make(key: str, reason: str) -> int:
        row = store.run(lambda book: settle(book, Wish(BANK, key, span, 300, reason), by))
        assert row is not None
        return row.settlement_id

    first = make("l1", "only a part")
    store.run(lambda book: undo(book, first, "the wrong agent", by))
    make("l2", "the rest comes later")
    make("l1", "only a part, again")
    finding = Finding(REGISTER_MISSING, agreement.agreement_id, day, day, "there is no register")
    decision = Decision(ACCEPT, "none was agreed", "cli:anna")
    SqlResolutions(database).run(
        partial(resolve, biller_id=biller_id, finding=finding, decision=decision, now=now)
    )


def _lump(agreement: Agreement, key: str, day: str, amount_minor: int) -> LineRow:
    texts = dict.fromkeys(LineRow._fields, "")
    numbers = {"import_id": 1, "line": 1, "amount_minor": amount_minor, "generation": 0}
    nothing = {"fee_minor": None, "net_minor": None, "receipt": None}
    known = {
        "biller_id": agreement.biller_id, "source": BANK, "line_key": key, "kind": STATEMENT, "day": day,
        "direction": "in", "currency": agreement.currency, "state": LUMP, "number": agreement.agreement_id,
    }  # fmt: skip
    return LineRow(**(texts | numbers | nothing | known))  # type: ignore[arg-type]
