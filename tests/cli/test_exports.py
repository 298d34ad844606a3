"""``kvit export payments`` on books in use: every payment once, reversals apart, the same ids each time."""

from __future__ import annotations

import csv
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kvit.cli import exports
from kvit.domain.model import POSTED
from kvit.storage.engine import open_database
from kvit.storage.schema import payments, voids
from tests.cli.registers import Shell
from tests.filled import Wish, fill

WHOLE = ("--from", "2026-01-01", "--to", "2026-12-31")


@pytest.fixture
def shell(books_url: str, tmp_path: Path) -> Shell:
    database = open_database(books_url)
    fill(database, Wish(accounts=8), biller_ids=("water",))
    database.close()
    return Shell(tmp_path, books_url, (exports,))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def test_every_payment_and_every_reversal(shell: Shell) -> None:
    done = shell.json("export", "payments", "--format", "csv", *WHOLE, "--out", "p.csv")
    path = shell.folder / "p.csv"
    assert done["sha256"] == sha256(path.read_bytes()).hexdigest()
    rows = rows_of(path)
    database = shell.database()
    with database.read() as connection:
        posted_minor = connection.execute(
            select(func.sum(payments.c.amount_minor)).where(payments.c.state == POSTED)
        ).scalar_one()
        receipts = set(connection.execute(select(payments.c.receipt)).scalars())
        taken_back = set(connection.execute(select(voids.c.receipt)).scalars())
    database.close()
    assert done["total_minor"] == int(posted_minor), "what was taken back takes itself away"
    assert {int(row["id"]) for row in rows if row["kind"] == "payment"} == receipts
    assert {int(row["reverses"]) for row in rows if row["kind"] == "reversal"} == taken_back
    assert taken_back
    assert len({row["id"] for row in rows}) == len(rows) == done["payments"] + done["reversals"]
    assert sum(int(row["amount"].replace(".", "")) for row in rows) == done["total_minor"]
    again = shell.json("export", "payments", "--format", "csv", *WHOLE, "--out", "again.csv")
    assert again["sha256"] == done["sha256"]


def test_the_formats_agree(shell: Shell) -> None:
    done = {
        form: shell.json("export", "payments", "--format", form, *WHOLE, "--out", ".")
        for form in ("1c", "csv", "xlsx")
    }
    names = {Path(each["out"]).name for each in done.values()}
    assert names == {f"payments_2026-01-01_2026-12-31.{ending}" for ending in ("txt", "csv", "xlsx")}
    counts = {(each["payments"], each["reversals"], each["total_minor"]) for each in done.values()}
    assert len(counts) == 1
    text = Path(done["1c"]["out"]).read_bytes().decode("cp1251")
    assert text.count("СекцияДокумент=") == done["1c"]["payments"] + done["1c"]["reversals"]
    assert text.count("ДатаСписано=") == done["1c"]["reversals"] > 0
    assert text.endswith("КонецФайла\r\n")


def test_days_and_agreements(shell: Shell) -> None:
    shell.run("export", "payments", "--format", "csv", *WHOLE, "--out", "all.csv")
    every = rows_of(shell.folder / "all.csv")
    day = every[len(every) // 2]["date"]
    shell.run("export", "payments", "--format", "csv", "--from", day, "--to", day, "--out", "day.csv")
    assert rows_of(shell.folder / "day.csv") == [row for row in every if row["date"] == day]
    said = shell.run(
        "export", "payments", "--format", "1c", "--from", "2020-01-01", "--to", "2020-01-02", "--out", "e"
    )
    assert "0 payments" in said.stdout


def test_wrong_settings(shell: Shell) -> None:
    for arguments, words in (
        (("--from", "2026-13-01", "--to", "2026-01-01"), "--from"),
        (("--from", "2026-02-01", "--to", "2026-01-01"), "before"),
        ((*WHOLE, "--own-account", "40;"), "--own-account"),
    ):
        done = shell.run("export", "payments", "--format", "csv", *arguments, "--out", "x.csv", code=2)
        assert words in done.stderr
        assert not (shell.folder / "x.csv").exists()
