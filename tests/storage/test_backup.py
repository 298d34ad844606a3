"""Backup and restore: whole or not at all, from either engine to either, while payments go on."""

from __future__ import annotations

import json
import shutil
import stat
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, event, func, select, text

from kvit.domain.errors import KvitError, NotAllowed, NotFound, SchemaMismatch
from kvit.domain.messages import Post, Posted, Result
from kvit.services.audit.verify import verify
from kvit.services.payments import post_batch
from kvit.storage import backup, migrate, restore, schema, sqlite
from kvit.storage.audit import SqlAuditBook, next_id
from kvit.storage.backup import count_rows, write_backup
from kvit.storage.backup_file import FORMAT_VERSION, MANIFEST, BackupDamaged, BackupReader, Manifest
from kvit.storage.engine import Database, open_database
from kvit.storage.restore import IDS_PASSED_OVER, Restored, RestoreFailed, Restoring
from kvit.storage.sealing import seal_all
from kvit.storage.shapes import shapes_at
from tests.books_check import check_books
from tests.conftest import ENGINES, create_books
from tests.filled import START, Wish, agreement_of, fill, fill_yesterdays, postings_of
from tests.filled_files import fill_empty
from tests.postgres import Cluster

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BILLERS = ("water", "heat")


def silent(done: int) -> None:
    pass


def fill_all(url: str) -> None:
    """Books with a row in every table, a part of the journal still unsealed."""
    create_books(url)
    database = open_database(url)
    fill(database, Wish(accounts=6), biller_ids=BILLERS)
    with database.write() as connection:
        connection.execute(
            schema.agreements.insert(),
            {
                "biller_id": "water", "agreement_id": "qiwi-water", "protocol": "qiwi", "mode": "live",
                "spec": '{"title": "КИВИ \\u0000"}', "secrets": bytes(range(256)), "version": 2,
                "applied_at_us": 5,
            },
        )  # fmt: skip
        connection.execute(schema.ids.insert(), {"series": "numbers/water/6", "next_id": 77})
    fill_empty(database)
    seal_all(database, 10)
    database.close()


@pytest.fixture(scope="module")
def sqlite_filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "kvit.sqlite"
    fill_all(f"sqlite:///{path}")
    return path


@pytest.fixture
def filled_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_filled"), tmp_path / "source.sqlite")
        yield f"sqlite:///{tmp_path / 'source.sqlite'}"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    with cluster.database(cluster.template("backed up", fill_all)) as url:
        yield url


@pytest.fixture
def source(filled_url: str) -> Iterator[Database]:
    opened = open_database(filled_url)
    yield opened
    opened.close()


@pytest.fixture
def target(database_url: str) -> Iterator[Database]:
    """An empty database."""
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def saved(sqlite_filled: Path, tmp_path: Path) -> Path:
    """A good backup."""
    database = open_database(f"sqlite:///{sqlite_filled}")
    write_backup(database, tmp_path / "good.kvit", NOW, silent)
    database.close()
    return tmp_path / "good.kvit"


def restored(path: Path, database: Database) -> Restored:
    restoring = Restoring(path)
    try:
        restoring.check(silent)
        return restoring.load(database, silent)
    finally:
        restoring.close()


def contents(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the books, without what a schema lacks; of the series of ids only those of numbers."""
    there = MetaData()
    there.reflect(connection)
    found: dict[str, list[tuple[Any, ...]]] = {table.name: [] for table in schema.metadata.sorted_tables} | {
        table.name: sorted(tuple(row) for row in connection.execute(select(table)))
        for table in there.sorted_tables
        if table.name != "alembic_version"
    }
    found["ids"] = [row for row in found["ids"] if row[0] != "books"]
    return found


def all_of(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.read() as connection:
        return contents(connection)


def tables_in(database: Database) -> int:
    query = "SELECT count(*) FROM sqlite_master"
    if database.is_postgres:
        query = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with database.read() as connection:
        count: int = connection.execute(text(query)).scalar_one()
    return count


# --- there and back ----------------------------------------------------------------------------------


@pytest.mark.parametrize("filled_url", ENGINES, indirect=True)
def test_everything_comes_back_on_either_engine(source: Database, target: Database, tmp_path: Path) -> None:
    manifest = write_backup(source, tmp_path / "books.kvit", NOW, silent)
    before = all_of(source)
    assert all(before[table.name] for table in schema.metadata.sorted_tables)
    done = restored(tmp_path / "books.kvit", target)
    assert all_of(target) == before
    assert done.manifest == manifest
    assert (done.schema, manifest.schema, manifest.created_at) == (
        migrate.newest(),
        migrate.newest(),
        NOW.isoformat(),
    )
    migrate.check(target)
    assert check_books(target) == []
    while seal_all(target):
        pass
    with target.read() as connection:
        assert verify(SqlAuditBook(connection), BILLERS, 0).findings == []


def test_restored_books_go_on_with_receipts_that_nobody_was_given(saved: Path, target: Database) -> None:
    reader = BackupReader(saved)
    reader.close()
    done = restored(saved, target)
    assert done.next_id == reader.manifest.next_id + IDS_PASSED_OVER
    with target.read() as connection:
        assert next_id(connection) == done.next_id
        last_txn, last_receipt = connection.execute(
            select(schema.payments.c.txn, schema.payments.c.receipt)
            .where(schema.payments.c.agreement_id == "qiwi-water", schema.payments.c.state == "posted")
            .order_by(schema.payments.c.receipt.desc())
        ).first() or ("", 0)
        known = connection.execute(
            select(schema.accounts.c.number, schema.payments.c.amount_minor, schema.payments.c.service)
            .join(schema.accounts, schema.accounts.c.account_id == schema.payments.c.account_id)
            .where(schema.payments.c.receipt == last_receipt)
        ).one()
    demands = [
        (
            agreement_of("water", "qiwi-water"),
            Post(txn=last_txn, number=known[0], amount_minor=known[1], service=known[2]),
        ),
        (
            agreement_of("water", "qiwi-water"),
            Post(txn="after the backup", number="000001", amount_minor=500),
        ),
    ]
    with postings_of(target) as postings:
        again, lost = postings.run(partial(post_batch, demands=demands, now=NOW))
    assert isinstance(again, Posted)
    assert isinstance(lost, Posted)
    assert (again.repeat, again.receipt) == (True, last_receipt)
    assert not lost.repeat
    assert lost.receipt >= done.next_id
    fill(target, Wish(accounts=5), biller_ids=("gas",))
    assert check_books(target) == []


@pytest.mark.parametrize("filled_url", ENGINES, indirect=True)
def test_the_guards_stand_in_restored_books(source: Database, target: Database, tmp_path: Path) -> None:
    write_backup(source, tmp_path / "books.kvit", NOW, silent)
    restored(tmp_path / "books.kvit", target)
    with pytest.raises(Exception, match="kvit: "), target.write() as connection:
        connection.execute(text("DELETE FROM payments"))


@pytest.mark.parametrize("filled_url", ENGINES, indirect=True)
def test_a_backup_is_one_moment_while_payments_go_on(
    source: Database, target: Database, tmp_path: Path
) -> None:
    stop, paid = threading.Event(), threading.Event()
    agreement = agreement_of("water", "qiwi-water")

    def pay() -> None:
        with postings_of(source) as postings:
            place = 0
            while not stop.is_set():
                place += 1
                demands = [
                    (agreement, Post(txn=f"live-{place}", number=f"{place % 6 + 1:06}", amount_minor=700))
                ]
                (result,) = postings.run(partial(post_batch, demands=demands, now=START))
                assert isinstance(result, Posted)
                paid.set()

    payer = threading.Thread(target=pay)
    payer.start()
    try:
        paid.wait(10)
        before = payments_in(source)
        write_backup(source, tmp_path / "books.kvit", NOW, silent)
        after = payments_in(source)
        paid.clear()
        assert paid.wait(10)
    finally:
        stop.set()
        payer.join()
    restored(tmp_path / "books.kvit", target)
    assert before <= payments_in(target) <= after < payments_in(source)
    assert check_books(target) == []


def payments_in(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.payments)).scalar_one()


def test_payments_go_on_in_the_rollback_journal_too(
    sqlite_filled: Path, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There a reader stops every writer, so a copy is read: a writer gets in while it is."""
    monkeypatch.setattr(sqlite, "journal_mode", lambda: "delete")
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.2)
    path = tmp_path / "rollback.sqlite"
    shutil.copy(sqlite_filled, path)
    source, target = open_database(f"sqlite:///{path}"), open_database(sqlite_url)
    results: list[Result] = []

    def pay_meanwhile(done: int) -> None:
        if not results:
            with postings_of(source) as postings:
                demand = (
                    agreement_of("water", "qiwi-water"),
                    Post(txn="meanwhile", number="000001", amount_minor=700),
                )
                results.extend(postings.run(partial(post_batch, demands=[demand], now=START)))

    before = payments_in(source)
    write_backup(source, tmp_path / "books.kvit", NOW, pay_meanwhile)
    with source.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "delete"
    assert isinstance(results[0], Posted)
    restored(tmp_path / "books.kvit", target)
    assert (payments_in(target), payments_in(source)) == (before, before + 1)
    assert [each.name for each in tmp_path.iterdir() if "snapshot" in each.name] == []
    source.close()
    target.close()


@pytest.mark.parametrize("revision", migrate.revisions()[:-1])
def test_a_backup_of_an_older_schema_is_upgraded(target: Database, tmp_path: Path, revision: str) -> None:
    old = open_database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    fill_yesterdays(old, revision, Wish(accounts=5))
    manifest = write_backup(old, tmp_path / "old.kvit", NOW, silent)
    assert manifest.schema == revision
    done = restored(tmp_path / "old.kvit", target)
    assert done.schema == migrate.newest()
    migrate.check(target)
    before, after = all_of(old), all_of(target)
    for table, rows in after.items():  # columns that came later stand at the end, and are empty
        width = len(before[table][0]) if before[table] else 0
        assert [row[:width] for row in rows] == before[table], table
        assert {value for row in rows for value in row[width:]} <= {""}, table
    assert check_books(target) == []
    old.close()


# --- the file ----------------------------------------------------------------------------------------


def test_a_backup_is_for_its_owner_only_and_nothing_is_left_beside_it(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert [each.name for each in saved.parent.iterdir()] == [saved.name]


def test_a_backup_can_be_read_without_kvit(saved: Path, sqlite_filled: Path) -> None:
    database = open_database(f"sqlite:///{sqlite_filled}")
    with zipfile.ZipFile(saved) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        rows = {
            table["name"]: [
                json.loads(line) for line in archive.read(f"tables/{table['name']}.jsonl").splitlines()
            ]
            for table in manifest["tables"]
        }
    assert manifest["format"] == "kvit-backup"
    assert sum(map(len, rows.values())) == count_rows(database)
    names = manifest["tables"][[table["name"] for table in manifest["tables"]].index("accounts")]["columns"]
    first = dict(zip(names, rows["accounts"][0], strict=True))
    assert (first["number"], first["attributes"]) == ("000001", '{"этаж": "2"}')
    database.close()


def test_progress_counts_every_row_twice_written_and_read_back(sqlite_filled: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    database = open_database(f"sqlite:///{sqlite_filled}")
    write_backup(database, tmp_path / "books.kvit", NOW, seen.append)
    assert sum(seen) == 2 * count_rows(database)
    database.close()


def test_an_older_backup_is_replaced_and_nothing_else_is(
    saved: Path, sqlite_filled: Path, tmp_path: Path
) -> None:
    database = open_database(f"sqlite:///{sqlite_filled}")
    write_backup(database, saved, NOW.replace(hour=13), silent)
    reader = BackupReader(saved)
    assert reader.manifest.created_at == NOW.replace(hour=13).isoformat()
    reader.close()
    other, folder, archive = tmp_path / "letter.txt", tmp_path / "folder", tmp_path / "pictures.zip"
    other.write_text("Dear Anna")
    folder.mkdir()
    with zipfile.ZipFile(archive, "w") as pictures:
        pictures.writestr("cat.txt", "miaow")
    for wrong in (other, folder, archive, sqlite_filled):
        with pytest.raises(NotAllowed, match="is not a backup"):
            write_backup(database, wrong, NOW, silent)
    assert other.read_text() == "Dear Anna"
    with pytest.raises(NotFound, match="there is no folder"):
        write_backup(database, tmp_path / "nowhere" / "books.kvit", NOW, silent)
    assert check_books(database) == []
    database.close()


def test_a_backup_that_does_not_read_back_never_gets_its_name(
    saved: Path, sqlite_filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that loses what it was given: the older backup stays."""
    before, verify_file = saved.read_bytes(), backup._verify

    def lose_a_page(part: Path, manifest: Manifest, progress: Callable[[int], None]) -> None:
        with part.open("r+b") as file:
            file.seek(part.stat().st_size // 2)
            file.write(bytes(64))
        verify_file(part, manifest, progress)

    monkeypatch.setattr(backup, "_verify", lose_a_page)
    database = open_database(f"sqlite:///{sqlite_filled}")
    with pytest.raises(BackupDamaged):
        write_backup(database, saved, NOW, silent)
    assert saved.read_bytes() == before
    assert [each.name for each in saved.parent.iterdir()] == [saved.name]
    database.close()


def test_a_backup_that_is_broken_off_leaves_nothing(sqlite_filled: Path, tmp_path: Path) -> None:
    def full(done: int) -> None:
        raise OSError(28, "No space left on device")

    database = open_database(f"sqlite:///{sqlite_filled}")
    with pytest.raises(OSError, match="No space left"):
        write_backup(database, tmp_path / "books.kvit", NOW, full)
    assert list(tmp_path.iterdir()) == []
    database.close()


def test_there_must_be_books_and_of_a_known_schema(target: Database, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no books yet"):
        write_backup(target, tmp_path / "books.kvit", NOW, silent)
    migrate.upgrade(target)
    with target.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="9999"):
        write_backup(target, tmp_path / "books.kvit", NOW, silent)
    assert not (tmp_path / "books.kvit").exists()


# --- what is refused ---------------------------------------------------------------------------------


def rewritten(path: Path, changes: Callable[[dict[str, bytes]], None]) -> Path:
    """The backup once more, with other members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    changes(members)
    changed = path.with_name("changed.kvit")
    with zipfile.ZipFile(changed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return changed


def other_manifest(**changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[MANIFEST] = json.dumps(json.loads(members[MANIFEST]) | changes).encode()

    return change


def other_table(table_name: str, **changes: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[MANIFEST])
        for table in manifest["tables"]:
            if table["name"] == table_name:
                table.update(changes)
        members[MANIFEST] = json.dumps(manifest).encode()

    return change


def member(name: str, edit: Callable[[bytes], bytes]) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members[name] = edit(members[name])

    return change


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        del members[name]

    return change


PAYMENTS = "tables/payments.jsonl"
DAMAGES: dict[str, Callable[[dict[str, bytes]], None]] = {
    "a changed sum": member(PAYMENTS, lambda content: content.replace(b'"RUB"', b'"RUR"', 1)),
    "a row less": member(PAYMENTS, lambda content: content.split(b"\n", 1)[1]),
    "a row twice": member(PAYMENTS, lambda content: content + content.splitlines(keepends=True)[0]),
    "rows in another order": member(
        PAYMENTS, lambda content: b"".join(sorted(content.splitlines(keepends=True))[::-1])
    ),
    "a row cut off": member(PAYMENTS, lambda content: content[:-9]),
    "no rows": member(PAYMENTS, lambda content: b""),
    "rows that are no JSON": member(PAYMENTS, lambda content: b"hello\n" * 18),
    "a row that is no list": member(PAYMENTS, lambda content: b"{}\n" * 18),
    "a row too short": member(PAYMENTS, lambda content: b'["water"]\n' * 18),
    "bytes that are none": member("tables/journal.jsonl", lambda content: content.replace(b'="', b'!"', 1)),
    "a table less": without(PAYMENTS),
    "a file more": lambda members: members.update({"notes.txt": b"hello"}),
    "a manifest that is no JSON": member(MANIFEST, lambda content: content[:-5]),
    "a manifest of something else": other_manifest(format="photo-album"),
    "a newer form": other_manifest(format_version=FORMAT_VERSION + 1),
    "a table that does not say its columns": other_table("payments", columns=[]),
    "a table of another name": other_table("payments", name="users"),
    "columns with a trick in them": other_table(
        "payments", columns=["biller_id) VALUES (1); DROP TABLE x; --"]
    ),
    "a count that is wrong": other_table("payments", rows=1),
    "no manifest": without(MANIFEST),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_backup_is_refused_before_anything_is_written(
    saved: Path, sqlite_url: str, damage: Callable[[dict[str, bytes]], None]
) -> None:
    database = open_database(sqlite_url)
    with pytest.raises(BackupDamaged):
        restored(rewritten(saved, damage), database)
    assert tables_in(database) == 0
    database.close()


@pytest.mark.parametrize("place", range(12))
def test_flipped_bits_and_cut_tails_are_found(saved: Path, sqlite_url: str, place: int) -> None:
    content = bytearray(saved.read_bytes())
    at = len(content) * place // 12 + 40
    flipped, cut = saved.with_name("flipped.kvit"), saved.with_name("cut.kvit")
    cut.write_bytes(content[:at])
    content[at] ^= 0x10
    flipped.write_bytes(content)
    database = open_database(sqlite_url)
    with pytest.raises(BackupDamaged):
        restored(cut, database)
    # A bit of a date or a comment in the zip's own structures is no part of what was saved.
    before = all_rows(saved)
    try:
        assert all_rows(flipped) == before
    except BackupDamaged:
        with pytest.raises(BackupDamaged):
            restored(flipped, database)
    assert tables_in(database) == 0
    database.close()


def all_rows(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    reader = BackupReader(path)
    try:
        reader.check(silent)
        return {
            table.name: [row for part in reader.rows(table) for row in part]
            for table in reader.manifest.tables
        }
    finally:
        reader.close()


def test_what_is_no_backup_at_all(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Anna")
    for path, reason in (
        (letter, "not a backup"),
        (tmp_path / "none", "there is no file"),
        (tmp_path, "not a backup"),
    ):
        with pytest.raises(BackupDamaged, match=reason):
            Restoring(path)


def test_a_backup_of_a_newer_version_is_refused(saved: Path) -> None:
    newer = rewritten(saved, other_manifest(schema="9999", kvit_version="12.0"))
    with pytest.raises(SchemaMismatch, match=r"kvit 12\.0 with schema 9999"):
        Restoring(newer)


@pytest.mark.parametrize("filled_url", ENGINES, indirect=True)
def test_books_are_never_restored_over_others(source: Database, saved: Path) -> None:
    before = all_of(source)
    with pytest.raises(NotAllowed, match="holds books already"):
        restored(saved, source)
    assert all_of(source) == before


def test_a_database_with_something_else_in_it(saved: Path, target: Database) -> None:
    with target.write() as connection:
        connection.execute(text("CREATE TABLE billers (name text)"))
    with pytest.raises(NotAllowed, match="tables of something else"):
        restored(saved, target)


def test_empty_tables_of_the_same_schema_will_do_and_of_another_will_not(
    saved: Path, books_url: str, sqlite_url: str
) -> None:
    ready = open_database(books_url)
    restored(saved, ready)
    assert check_books(ready) == []
    ready.close()
    other = open_database(sqlite_url)
    migrate.upgrade(other, migrate.revisions()[0])
    with pytest.raises(NotAllowed, match="has the tables of schema"):
        restored(saved, other)
    other.close()


def test_a_restore_that_fails_in_the_middle_leaves_the_database_empty(
    saved: Path, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each table in turn."""
    load = restore._load
    for table in shapes_at(migrate.newest()):

        def fail(connection: Connection, entry: Any, parts: Any, name: str = table.table) -> None:  # noqa: ANN401
            load(connection, entry, parts)
            if entry.name == name:
                connection.execute(text("SELECT * FROM nowhere"))

        with monkeypatch.context() as patched:
            patched.setattr(restore, "_load", fail)
            with pytest.raises(KvitError, match="nowhere"):
                restored(saved, target)
        assert tables_in(target) == 0
    restored(saved, target)
    assert check_books(target) == []


def test_rows_that_the_database_refuses(saved: Path, target: Database) -> None:
    """A backup whose hashes are right, and whose rows are not: two payments with one receipt."""

    def twins(members: dict[str, bytes]) -> None:
        from hashlib import sha256

        first = members[PAYMENTS].splitlines(keepends=True)[0]
        members[PAYMENTS] += first
        rows = len(members[PAYMENTS].splitlines())
        other_table("payments", rows=rows, sha256=sha256(members[PAYMENTS]).hexdigest())(members)

    with pytest.raises(RestoreFailed, match="Nothing was changed"):
        restored(rewritten(saved, twins), target)
    assert tables_in(target) == 0


def test_a_restore_commits_once(saved: Path, target: Database) -> None:
    """So it is all or nothing when the process dies, too."""
    commits: list[bool] = []

    @event.listens_for(target._writer, "commit")
    def _count(connection: Connection) -> None:
        commits.append(True)

    restored(saved, target)
    assert commits == [True]
