"""Kept files: the same bytes come back, whatever their size, and nothing half is ever given."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256

import pytest
from sqlalchemy import func, select, text

from kvit.domain.errors import NotFound
from kvit.storage.engine import Database, open_database
from kvit.storage.file_store import PART_BYTES, FileDamaged, Keeping, is_kept, keep, read
from kvit.storage.schema_files import file_parts


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    opened = open_database(books_url)
    yield opened
    opened.close()


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(file_parts)).scalar_one()


@pytest.mark.parametrize(
    ("size_bytes", "parts"),
    [(0, 1), (1, 1), (PART_BYTES, 1), (PART_BYTES + 1, 2), (PART_BYTES * 33 + 5, 34)],
)
def test_what_is_kept_comes_back(database: Database, size_bytes: int, parts: int) -> None:
    data = os.urandom(size_bytes)
    chunks = [data[start : start + 100_000] for start in range(0, size_bytes, 100_000)]
    digest = keep(database, "water", chunks)
    assert digest == sha256(data).hexdigest()
    assert b"".join(read(database, "water", digest)) == data
    assert count(database) == parts
    assert keep(database, "water", [data]) == digest
    assert count(database) == parts


def test_a_head_that_is_known_last(database: Database) -> None:
    body = os.urandom(PART_BYTES + 7)
    with Keeping(database, "water") as keeping:
        keeping.add(body)
        keeping.put_first(b"#FILESUM 2734.50\r\n")
        digest = keeping.finish()
    whole = b"#FILESUM 2734.50\r\n" + body
    assert digest == sha256(whole).hexdigest()
    assert b"".join(read(database, "water", digest)) == whole
    assert keep(database, "water", [whole]) == digest


@pytest.mark.parametrize("head_bytes", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, PART_BYTES * 2 + 3])
def test_the_cuts_do_not_depend_on_the_head(database: Database, head_bytes: int) -> None:
    whole = os.urandom(PART_BYTES * 3 + 11)
    with Keeping(database, "water") as one, Keeping(database, "water") as other:
        for keeping in (one, other):
            keeping.add(whole[head_bytes if keeping is one else 0 :])
        one.put_first(whole[:head_bytes])
        assert one._parts_count() == other._parts_count() == 4
        assert [one._part(part) for part in range(4)] == [other._part(part) for part in range(4)]


def test_billers_do_not_see_each_others_files(database: Database) -> None:
    digest = keep(database, "water", [b"ours"])
    assert not is_kept(database, "heat", digest)
    with pytest.raises(NotFound):
        b"".join(read(database, "heat", digest))


def test_one_broken_off_is_not_there_until_it_is_kept_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(PART_BYTES * 40)
    digest = sha256(data).hexdigest()
    written = Keeping._write
    calls: list[int] = []

    def dies(self: Keeping, parts: list[dict[str, object]]) -> None:
        calls.append(len(parts))
        if len(calls) == 3:
            raise KeyboardInterrupt
        written(self, parts)

    with monkeypatch.context() as patch:
        patch.setattr(Keeping, "_write", dies)
        with pytest.raises(KeyboardInterrupt):
            keep(database, "water", [data])
    assert calls == [16, 16, 8]
    assert count(database) == 32
    assert not is_kept(database, "water", digest)
    with pytest.raises(NotFound):
        b"".join(read(database, "water", digest))
    assert keep(database, "water", [data]) == digest
    assert b"".join(read(database, "water", digest)) == data


@pytest.mark.parametrize(
    "damage", ["DELETE FROM file_parts", "UPDATE file_parts SET content = x'00'"], ids=["lost", "changed"]
)
def test_damage_is_seen(sqlite_books_url: str, damage: str) -> None:
    database = open_database(sqlite_books_url)
    data = os.urandom(PART_BYTES * 3)
    digest = keep(database, "water", [data])
    with database.write() as connection:
        for name in ("file_parts_no_update", "file_parts_no_delete"):
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(f"{damage} WHERE part = 1"))
    with pytest.raises(FileDamaged):
        b"".join(read(database, "water", digest))
    database.close()


def test_parts_are_never_changed(database: Database) -> None:
    keep(database, "water", [b"register"])
    for statement in ("UPDATE file_parts SET part = 2", "DELETE FROM file_parts"):
        with pytest.raises(Exception, match="only added to"), database.write() as connection:
            connection.execute(text(statement))
