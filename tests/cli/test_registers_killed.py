"""`kvit register send` killed in the middle: no number twice, and whatever is listed is there as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import func, select

from kvit.storage import file_store
from kvit.storage.debts import SqlDebts
from kvit.storage.engine import Database
from kvit.storage.schema_files import debt_registers, file_parts
from tests.cli.registers import Shell
from tests.seeding import Client, Due

CLIENTS = 2_000
#: The file has some parts, so that there is a middle to be killed in.
PART_BYTES = 16 << 10


def count(database: Database, table: str) -> int:
    tables = {"parts": file_parts, "registers": debt_registers}
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(tables[table])).scalar_one()


@pytest.fixture
def shell(sqlite_books_url: str, tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, sqlite_books_url)
    shell.seed([Client(f"{1_000_000 + place}", [Due(100 + place)]) for place in range(CLIENTS)])
    shell.agree('format = "csv"\n')
    return shell


def killed_when(shell: Shell, is_time: Callable[[], bool]) -> None:
    """Run the command, and kill its process as soon as it is time, if it is still there."""
    environment = {**os.environ, "KVIT_DATABASE": shell.url, "KVIT_DATA": str(shell.folder / "data")}
    program = (
        f"from kvit.storage import file_store; file_store.PART_BYTES = {PART_BYTES}; "
        "file_store.SLICE_PARTS = 1; from kvit.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, "register", "send", "--out", str(shell.folder / "out")],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while process.poll() is None and not is_time():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        process.kill()


def test_killed_at_three_places(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.folder / "out").mkdir()
    database = shell.database()
    seen = 0

    def is_listed() -> bool:
        return count(database, "registers") > seen

    try:
        for is_time in (
            lambda: count(database, "parts") > 0,
            is_listed,
            lambda: any((shell.folder / "out").glob("*.part")),
        ):
            killed_when(shell, is_time)
            rows = shell.json("register", "list")
            assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
            assert all(row["rows"] == CLIENTS for row in rows)
            store = SqlDebts(database, "water")
            for row in rows:
                assert sha256(b"".join(store.read(row["sha256"]))).hexdigest() == row["sha256"]
            for file in (shell.folder / "out").glob("bank_*.csv"):
                assert sha256(file.read_bytes()).hexdigest() in {row["sha256"] for row in rows}
            seen = len(rows)
        monkeypatch.setattr(file_store, "PART_BYTES", PART_BYTES)
        made = shell.json("register", "send", "--out", str(shell.folder / "out"))
        assert made["number"] == seen + 1
        assert sha256(Path(made["out"]).read_bytes()).hexdigest() == made["sha256"]
    finally:
        database.close()
