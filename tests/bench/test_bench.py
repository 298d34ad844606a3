"""What the benchmarks stand on is true: their books balance, and pgbench writes what kvit writes."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select

from bench import importing, lane, pgbench
from bench.books import BILLER, Size, make
from bench.rounds import Target, interleaved, ratio
from kvit.storage import schema
from kvit.storage.engine import open_database
from tests.books_check import check_books
from tests.missing import missing

WRITTEN = ("payments", "transactions", "entries", "allocations", "outbox", "journal")
#: Nobody sealed what the database made up.
MADE_UP = ("digest", "journal record", "charges.imported")


def counts(url: str) -> dict[str, int]:
    database = open_database(url)
    try:
        with database.read() as connection:
            return {
                name: connection.execute(
                    select(func.count()).select_from(schema.metadata.tables[name])
                ).scalar_one()
                for name in WRITTEN
            }
    finally:
        database.close()


def findings(url: str) -> list[str]:
    database = open_database(url)
    try:
        return [line for line in check_books(database) if not any(word in line for word in MADE_UP)]
    finally:
        database.close()


def test_the_books_that_are_made_balance(database_url: str, tmp_path: Path) -> None:
    make(database_url, tmp_path, Size(40, 3, 110))
    assert counts(database_url)["payments"] == 110
    assert counts(database_url)["entries"] == 2 * (110 + 120)
    assert findings(database_url) == []


def test_the_lane_is_measured_on_them(database_url: str, tmp_path: Path) -> None:
    make(database_url, tmp_path, Size(40, 3, 0))
    assert lane.run(database_url, accounts=40, batch=16, seconds=0.2) > 0
    assert counts(database_url)["payments"] > 0
    assert findings(database_url) == []


def test_pgbench_writes_the_rows_that_kvit_writes(postgres_url: str, tmp_path: Path) -> None:
    make(postgres_url, tmp_path, Size(40, 3, 0))
    before = counts(postgres_url)
    try:
        assert pgbench.run(postgres_url, accounts=40, clients=4, seconds=1) > 0
    except pgbench.NoProgram as reason:
        missing(str(reason))
    after = {name: count - before[name] for name, count in counts(postgres_url).items()}
    paid = after["payments"]
    assert paid > 0
    assert after == dict.fromkeys(WRITTEN, paid) | {"entries": 2 * paid}
    assert findings(postgres_url) == []


def test_a_file_of_accounts_is_imported_whole(tmp_path: Path) -> None:
    path, url = tmp_path / "accounts.csv", f"sqlite:///{tmp_path / 'kvit.sqlite'}"
    importing.write_file(path, rows=300)
    assert importing.read_alone(path) > 0
    assert importing.import_all(path, url, tmp_path) > 0
    database = open_database(url)
    with database.read() as connection:
        made = connection.execute(
            select(func.count()).select_from(schema.accounts).where(schema.accounts.c.biller_id == BILLER)
        ).scalar_one()
    database.close()
    assert made == 300


def test_a_ratio_is_of_medians_of_runs_in_turn() -> None:
    order: list[str] = []
    values = {"a": iter([10.0, 90.0, 30.0]), "b": iter([5.0, 15.0, 10.0])}

    def measure(name: str) -> float:
        order.append(name)
        return next(values[name])

    seen = interleaved({"a": lambda: measure("a"), "b": lambda: measure("b")}, 3)
    assert order == ["a", "b"] * 3
    assert ratio(Target("a_vs_b", "a", "b", 2.5), seen) == {
        "value": 3.0, "target": 2.5, "at_most": False, "is_met": True,
    }  # fmt: skip
    assert ratio(Target("a_vs_b", "a", "b", 2.5, at_most=True), seen) == {
        "value": 3.0, "target": 2.5, "at_most": True, "is_met": False,
    }  # fmt: skip
    assert ratio(Target("a_vs_c", "a", "c", 1.0), seen) is None
