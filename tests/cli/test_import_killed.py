"""An import whose process is killed in the middle, and what the same file makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from sqlalchemy import func, select

from kvit.domain.model import JsonObject
from kvit.storage import schema
from kvit.storage.engine import Database, open_database
from tests.books_check import check_books

CLIENTS = 500
ROWS = 8_000
KVIT = [sys.executable, "-c", "from kvit.cli import main; main()"]


def test_a_killed_import_is_completed_by_the_same_file(database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "KVIT_DATABASE": database_url, "KVIT_DATA": str(tmp_path)}

    def kvit(*arguments: str) -> JsonObject:
        done = subprocess.run(
            [*KVIT, *arguments, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report: JsonObject = json.loads(done.stdout)
        return report

    clients, charges = tmp_path / "clients.csv", tmp_path / "charges.csv"
    clients.write_text("number\n" + "".join(f"{100000 + place}\n" for place in range(CLIENTS)))
    charges.write_text(
        "number;document;amount\n"
        + "".join(f"{100000 + row % CLIENTS};B-{row};{row + 1}.00\n" for row in range(ROWS))
    )
    kvit("init", "--biller", "water", "--name", "Водоканал")
    kvit("account", "import", str(clients))
    database = open_database(database_url)
    try:
        command = [*KVIT, "charge", "import", str(charges)]
        killed_after = kill_when_it_writes(command, environment, database)
        assert 0 < killed_after < ROWS
        assert check_books(database) == []
        report = kvit("account", "import", str(clients))
        assert [row["file"] for row in report["unfinished"]] == ["charges.csv"]

        report = kvit("charge", "import", str(charges))
        assert (report["unchanged"], report["new"]) == (killed_after, ROWS - killed_after)
        assert "complete now" in report["notes"][0]
        assert report["unfinished"] == []
        assert charge_count(database) == ROWS
        assert check_books(database) == []
        page = kvit("account", "show", "100000")
        assert page["due_minor"] == sum(100 * (row + 1) for row in range(0, ROWS, CLIENTS))
    finally:
        database.close()


def kill_when_it_writes(command: list[str], environment: dict[str, str], database: Database) -> int:
    """Kill the process once its first charges are in the books; says how many they are in the end."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    try:
        while charge_count(database) == 0:
            assert process.poll() is None, "it ended without a charge"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    if database.is_postgres:
        # The server notices only now that its client is gone, and may still commit what was sent.
        time.sleep(1)
    return charge_count(database)


def charge_count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(schema.charges)).scalar_one()
