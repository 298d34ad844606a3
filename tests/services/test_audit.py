"""The auditor finds every falsified row, and nothing in sound books."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, LargeBinary, Text, func, select, text, update

from kvit.domain.errors import SettingsError
from kvit.domain.journal import GENESIS, chained
from kvit.domain.messages import Post
from kvit.domain.model import JournalRow
from kvit.services.audit.chain import UNSEALED_AGE_MAX_US, Anchor, head_text, read_anchor
from kvit.services.audit.report import CHECKS, FINDINGS_MAX, Report
from kvit.services.audit.verify import verify
from kvit.services.payments import post_batch
from kvit.storage import schema
from kvit.storage.audit import SqlAuditBook
from kvit.storage.billers import write_journal
from kvit.storage.engine import Database, open_database
from kvit.storage.rows import ROWS, columns_of
from kvit.storage.schema_files import FILES_MUTABLE
from kvit.storage.sealing import seal_all
from tests.conftest import ENGINES, create_books
from tests.filled import START, Wish, agreement_of, fill, postings_of
from tests.postgres import Cluster
from tests.services.tamperings import TAMPERINGS, Tampering, Target, take_guards_away, tamper

BILLERS = ("water", "heat")
#: Long after everything that is in the books.
LATE_US = 1 << 62


def make_books(url: str) -> None:
    create_books(url)
    database = open_database(url)
    fill(database, Wish(), biller_ids=BILLERS)
    while seal_all(database):
        pass
    database.close()


@pytest.fixture(scope="module")
def filled_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "kvit.sqlite"
    make_books(f"sqlite:///{path}")
    return path


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A copy of filled and sealed books."""
    with _copy(request, tmp_path) as copied:
        yield copied


@pytest.fixture(scope="module", params=ENGINES)
def books(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Filled and sealed books for tests that commit nothing."""
    with _copy(request, tmp_path_factory.mktemp("books")) as copied:
        yield copied


@contextmanager
def _copy(request: pytest.FixtureRequest, folder: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("filled_template"), folder / "books.sqlite")
        opened = open_database(f"sqlite:///{folder / 'books.sqlite'}")
        yield opened
        opened.close()
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.database(cluster.template("audited", make_books)) as url:
        opened = open_database(url)
        yield opened
        opened.close()


class _TakeBack(Exception):
    """Ends a transaction whose changes were only for show."""


@contextmanager
def on_trial(database: Database) -> Iterator[Connection]:
    """A transaction without guards that is rolled back at the end."""
    try:
        with database.write() as connection:
            take_guards_away(connection)
            yield connection
            raise _TakeBack
    except _TakeBack:
        pass


def audited(
    connection: Connection, *, now_us: int = 0, anchors: Mapping[str, Sequence[Anchor]] | None = None
) -> Report:
    book = SqlAuditBook(connection)
    biller_ids = [biller_id for biller_id, _ in book.billers()]
    return verify(book, biller_ids, now_us, anchors=anchors)


def audit(database: Database, *, now_us: int = 0) -> Report:
    with database.read() as connection:
        return audited(connection, now_us=now_us)


def target_in(connection: Connection) -> Target:
    """Victims in the biller ``water``, the same on every run."""

    def one(query: str, **values: Any) -> Any:  # noqa: ANN401
        row = connection.execute(text(query), values).first()
        assert row is not None, query
        return row

    receipt, charge, account, number = one(
        "SELECT p.receipt, min(l.charge_id), p.account_id, a.number FROM payments p "
        "JOIN allocations l ON l.source_id = p.receipt AND l.amount_minor > 1 "
        "JOIN accounts a ON a.account_id = p.account_id "
        "WHERE p.biller_id = 'water' AND p.state = 'posted' AND p.advance_minor > 0 "
        "GROUP BY p.receipt, p.account_id, a.number ORDER BY p.receipt LIMIT 1"
    )
    strange_charge, stranger, stranger_number = one(
        "SELECT c.charge_id, c.account_id, a.number FROM charges c "
        "JOIN accounts a ON a.account_id = c.account_id "
        "WHERE c.biller_id = 'water' AND c.open_minor > 2000 AND c.account_id <> :account "
        "AND c.charge_id NOT IN (SELECT charge_id FROM adjustments WHERE charge_id IS NOT NULL) "
        "ORDER BY c.charge_id LIMIT 1",
        account=account,
    )
    (other_charge,) = one(
        "SELECT charge_id FROM charges WHERE account_id = :account AND charge_id <> :charge "
        "ORDER BY charge_id DESC LIMIT 1",
        account=account,
        charge=charge,
    )
    voided, void = one("SELECT receipt, transaction_id FROM voids WHERE biller_id = 'water' ORDER BY receipt")
    (credit,) = one(
        "SELECT a.adjustment_id FROM adjustments a JOIN allocations l ON l.source_id = a.adjustment_id "
        "WHERE a.biller_id = 'water' ORDER BY a.adjustment_id"
    )
    (change,) = one("SELECT adjustment_id FROM adjustments WHERE biller_id = 'water' AND charge_id > 0")
    return Target(
        receipt=receipt,
        charge=charge,
        other_charge=other_charge,
        account=account,
        number=number,
        stranger=stranger,
        stranger_number=stranger_number,
        strange_charge=strange_charge,
        voided=voided,
        void=void,
        change=change,
        credit=credit,
        act=one("SELECT act_id FROM charges WHERE charge_id = :charge", charge=charge)[0],
        middle=20,
    )


def test_sound_books_have_no_findings(books: Database) -> None:
    report = audit(books, now_us=LATE_US)
    assert report.findings == []
    assert report.ok
    with books.read() as connection:
        for name in ("payments", "entries", "accounts", "charges"):
            count = select(func.count()).select_from(schema.metadata.tables[name])
            assert getattr(report, name) == connection.execute(count).scalar_one() > 0
    assert report.unsealed == 0
    assert set(report.heads) == set(BILLERS)


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda each: each.name)
def test_every_tampering_is_found(books: Database, tampering: Tampering) -> None:
    with on_trial(books) as connection:
        tamper(connection, tampering, target_in(connection))
        report = audited(connection, now_us=LATE_US)
    found = {finding.check for finding in report.findings}
    assert not report.ok
    assert tampering.checks <= found, report.findings
    for finding in report.findings:
        assert finding.check in CHECKS
        assert finding.subject.endswith(" of water") or finding.check in ("ids", "biller")


def test_every_check_is_proved_by_some_tampering() -> None:
    proved = set().union(*(tampering.checks for tampering in TAMPERINGS))
    assert set(CHECKS) - proved == set()
    assert len({tampering.name for tampering in TAMPERINGS}) == len(TAMPERINGS) >= 20


#: Columns that say nothing about money, or that may change, or that only the agent's word stands behind.
FREE = {
    "billers": {"name", "timezone", "number_scheme", "created_at_us"},
    "accounts": {"status", "name", "address", "phone", "email", "attributes", "created_at_us"},
    "payments": {"attempts", "network_at_us", "fields"},
    "voids": {"void_txn"},
    "holds": {"attempts", "network_at_us", "fields", "void_txn"},
    "journal": {"detail"},
}  # fmt: skip

#: The tables about files and relays tell what came and went; of them only these are books.
BOOKS = {
    table
    for table in ROWS.keys() - (FILES_MUTABLE.keys() | {"presets", "matching_rules"})
    if not table.startswith("relay")
} | {"settlements", "resolutions"}

COLUMNS = [
    (table, column)
    for table in sorted(BOOKS)
    for column in columns_of(table)
    if column not in FREE.get(table, set())
]


@pytest.mark.parametrize("books", ["sqlite"], indirect=True)  # what is compared is the same on both engines
@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[".".join(each) for each in COLUMNS])
def test_a_change_of_any_column_is_found(books: Database, table: str, column: str) -> None:
    rows = schema.metadata.tables[table]
    changed = rows.c[column]
    value: Any = changed + "x"
    if isinstance(changed.type, LargeBinary):
        value = b"x" * 32
    elif not isinstance(changed.type, Text):
        value = func.coalesce(changed, 0) + 10_000_000  # also an id that is still free
    keys = list(rows.primary_key.columns)
    with on_trial(books) as connection:
        last = (
            select(*keys).where(rows.c.biller_id == "water").order_by(*(key.desc() for key in keys)).limit(1)
        )
        row = connection.execute(last).one()
        same = [key == part for key, part in zip(keys, row, strict=True)]
        assert connection.execute(update(rows).where(*same).values({column: value})).rowcount == 1
        report = audited(connection, now_us=LATE_US)
    assert not report.ok


# --- the chain's head, written down elsewhere --------------------------------------------------------


def anchors_in(connection: Connection) -> dict[str, list[Anchor]]:
    """What a person has written down: the middle and the head of the chain of ``water``."""
    links = list(SqlAuditBook(connection).links("water"))
    kept = (links[len(links) // 2], links[-1])
    return {"water": [Anchor(link.position, link.chain or b"") for link in kept]}


def test_anchors_that_still_hold(books: Database) -> None:
    with books.read() as connection:
        anchors = anchors_in(connection)
        report = audited(connection, anchors=anchors)
    assert report.findings == []
    assert report.heads["water"] == head_text(*anchors["water"][-1])
    assert read_anchor(report.heads["water"]) == anchors["water"][-1]


def test_a_tail_cut_off_with_all_that_it_tells_of_is_found_by_an_anchor(books: Database) -> None:
    with on_trial(books) as connection:
        anchors = anchors_in(connection)
        # The last record is of an act that nothing else depends on.
        connection.execute(
            text("DELETE FROM journal WHERE biller_id = 'water' AND verb = 'accounts.imported'")
        )
        rebuild_chain(connection)
        assert audited(connection).ok
        assert {finding.check for finding in audited(connection, anchors=anchors).findings} == {"chain"}


def test_a_chain_made_anew_is_found_by_an_anchor(books: Database) -> None:
    with on_trial(books) as connection:
        anchors = anchors_in(connection)
        connection.execute(
            text("UPDATE journal SET subject = '9' WHERE biller_id = 'water' AND position = 2")
        )
        rebuild_chain(connection)
        assert audited(connection).ok
        findings = audited(connection, anchors=anchors).findings
    assert [finding.check for finding in findings] == ["chain", "chain"]
    assert "made anew" in findings[0].message


def rebuild_chain(connection: Connection) -> None:
    """What somebody does who can write to the database and has read our code."""
    journal = schema.journal
    query = select(*(journal.c[name] for name in columns_of("journal"))).where(journal.c.biller_id == "water")
    rows = connection.execute(query.order_by(journal.c.position)).all()
    connection.execute(text("UPDATE journal SET position = -position WHERE biller_id = 'water'"))
    chain = GENESIS
    for position, row in enumerate((JournalRow(*each) for each in rows), start=1):
        chain = chained(chain, position, row)
        connection.execute(
            text("UPDATE journal SET position = :position, chain = :chain WHERE journal_id = :id"),
            {"position": position, "chain": chain, "id": row.journal_id},
        )


@pytest.mark.parametrize(
    "wrong", ["", "12", "12:", ":" + "ab" * 32, "0:" + "ab" * 32, "x:" + "ab" * 32, "3:abc"]
)
def test_an_anchor_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match="not a head of the chain"):
        read_anchor(wrong)


# --- books that are at work --------------------------------------------------------------------------


def test_records_wait_for_the_sealer_for_a_minute_without_a_finding(database: Database) -> None:
    with database.write() as connection:
        write_journal(connection, [JournalRow("water", 1, 5_000_000, "cli:anna", "test", "", b"x" * 32, "")])
    fresh = audit(database, now_us=5_000_000 + UNSEALED_AGE_MAX_US)
    assert (fresh.ok, fresh.unsealed) == (True, 1)
    stale = audit(database, now_us=5_000_001 + UNSEALED_AGE_MAX_US)
    assert [finding.check for finding in stale.findings] == ["unsealed"]
    seal_all(database)
    assert audit(database, now_us=LATE_US).ok


def test_payments_that_go_on_are_no_findings(database: Database) -> None:
    stop = threading.Event()
    agreement = agreement_of("water", "qiwi-water")

    def pay() -> None:
        with postings_of(database) as postings:
            place = 0
            while not stop.is_set():
                demands = [
                    (
                        agreement,
                        Post(txn=f"live-{place}-{each}", number=f"{each + 1:06}", amount_minor=700 + each),
                    )
                    for each in range(12)
                ]
                postings.run(partial(post_batch, demands=demands, now=START))
                seal_all(database, 5)
                place += 1

    payer = threading.Thread(target=pay)
    payer.start()
    try:
        reports = [audit(database) for _ in range(8)]
    finally:
        stop.set()
        payer.join()
    assert [report.findings for report in reports] == [[]] * 8
    assert reports[-1].payments > reports[0].payments


def test_findings_are_counted_without_end_and_kept_in_number(books: Database) -> None:
    with on_trial(books) as connection:
        connection.execute(
            text("INSERT INTO entries (biller_id, transaction_id, ledger_account, amount_minor, currency) "
                 "SELECT 'water', 200000 + a.n * 30 + b.n, 'suspense', 1, 'RUB' FROM "
                 "(SELECT row_number() OVER () AS n FROM entries LIMIT 40) a, "
                 "(SELECT row_number() OVER () AS n FROM entries LIMIT 29) b")
        )  # fmt: skip
        report = audited(connection)
    assert report.findings_count > len(report.findings) == FINDINGS_MAX


def test_one_biller_by_itself(books: Database) -> None:
    with on_trial(books) as connection:
        connection.execute(
            text("UPDATE accounts SET balance_minor = balance_minor + 1 WHERE biller_id = 'heat'")
        )
        book = SqlAuditBook(connection)
        assert verify(book, ["water"], 0).ok
        assert not verify(book, ["heat"], 0).ok


def test_empty_books_hold(books_url: str) -> None:
    empty = open_database(books_url)
    report = audit(empty)
    assert report.ok
    assert (report.payments, report.heads) == (0, {})
    empty.close()
