"""R12: a disk is full under load, then has room again: agents heard "later", and kvit was not restarted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import create_books
from tests.faults.clusters import start_postgres, stop_postgres
from tests.faults.conftest import Seen, load
from tests.faults.disks import fill, small_disk
from tests.faults.paying import CLIENTS, look_up, pay_on, paying
from tests.missing import missing
from tests.postgres import DURABLE, Cluster, PostgresUnavailable, running_cluster
from tests.proof.serving import SERVE, installed

pytestmark = pytest.mark.slow

FILLS = load(1, 5)
#: As long as the disk stays full once agents have noticed.
FULL_S = load(0.3, 1.0)
#: Old parts of its log are given back and new ones need room, as on a server that has much to do.
SMALL_WAL = {"wal_recycle": "off", "min_wal_size": "32MB"}
#: The server as `kvit demo` runs it: what agents ask goes to a file in the data folder.
QUIET = (
    sys.executable,
    "-c",
    """import sys; from kvit.cli.server import run; from kvit.main import ServeOptions
run(ServeOptions(port=int(sys.argv[-1]), quiet=True))""",
)


@pytest.mark.timeout(300)
def test_the_disk_of_sqlite_is_full(tmp_path: Path, seen: Seen) -> None:
    with small_disk(64) as disk:
        url = f"sqlite:///{disk / 'books.sqlite'}"
        create_books(url)
        with installed(url, tmp_path, CLIENTS) as installation:
            installation.start()
            looked_up: list[str] = []
            with paying(installation) as told:
                for _ in range(FILLS):
                    told.wait_for_more(200)
                    filler = fill(disk)
                    told.wait_for_later(50)
                    looked_up += [look_up(installation) for _ in range(10)]
                    time.sleep(FULL_S)
                    filler.unlink()
                    told.wait_for_more(200)
            assert set(looked_up) == {"0"}, "lookups need no room on the disk"
            assert told.unanswered == 0
            assert "database or disk is full" in installation.log()
            seen(fills=FILLS, payments=told.paid, told_later=told.told_later, lookups=len(looked_up))


@contextmanager
def cluster_on(*, has_wal_disk: bool) -> Iterator[tuple[Cluster, Path, Path]]:
    """A PostgreSQL on a small disk, its log of changes there too or on another; says where both are."""
    with ExitStack() as stack:
        disk = wal_disk = stack.enter_context(small_disk(128 if has_wal_disk else 256))
        try:
            cluster = stack.enter_context(running_cluster({**DURABLE, **SMALL_WAL}, parent=disk))
        except PostgresUnavailable as reason:
            missing(str(reason))
        if has_wal_disk:
            wal_disk = stack.enter_context(small_disk(160))
            stop_postgres(cluster)
            wal = cluster.folder / "data" / "pg_wal"
            subprocess.run(["mv", wal, wal_disk], check=True)
            wal.symlink_to(wal_disk / "pg_wal")
            start_postgres(cluster, **SMALL_WAL)
        yield cluster, disk, wal_disk


@pytest.mark.timeout(300)
@pytest.mark.parametrize("full", ["tables", "wal", "everything"])
def test_the_disk_of_postgres_is_full(full: str, tmp_path: Path, seen: Seen) -> None:
    """Without room for its log PostgreSQL stops, and is started again as its service manager would."""
    with (
        cluster_on(has_wal_disk=full != "everything") as (cluster, disk, wal_disk),
        cluster.database(cluster.template("books", create_books)) as url,
        installed(url, tmp_path, CLIENTS) as installation,
    ):
        installation.start()
        looked_up: list[str] = []
        database_starts = 0
        with paying(installation) as told:
            for _ in range(FILLS):
                told.wait_for_more(200)
                filler = fill(wal_disk if full == "wal" else disk)
                if full == "wal":
                    with suppress(psycopg.Error):
                        cluster.execute("SELECT pg_switch_wal()")  # the part that has room is full
                told.wait_for_later(50)
                looked_up += [look_up(installation) for _ in range(10)]
                time.sleep(FULL_S)
                filler.unlink()
                database_starts += pay_on(told, cluster, 200, **SMALL_WAL)
        assert told.unanswered == 0
        assert "No space left on device" in (cluster.folder / "server.log").read_text()
        if full == "tables":
            assert set(looked_up) == {"0"}
            assert database_starts == 0
        seen(
            fills=FILLS, payments=told.paid, told_later=told.told_later, lookups=len(looked_up),
            of_them_answered=looked_up.count("0"), database_started_by_us=database_starts,
        )  # fmt: skip


@pytest.mark.timeout(300)
@pytest.mark.parametrize("log", ["standard error", "file"])
def test_the_disk_of_the_logs_is_full(log: str, tmp_path: Path, seen: Seen) -> None:
    """Nobody who pays notices; afterwards the log says how many lines it lacks."""
    with small_disk(8) as disk:
        url = f"sqlite:///{tmp_path / 'books.sqlite'}"
        create_books(url)
        with installed(url, disk, CLIENTS) as installation:
            installation.start(program=QUIET if log == "file" else SERVE)
            with paying(installation) as told:
                for _ in range(FILLS):
                    told.wait_for_more(200)
                    filler = fill(disk)
                    told.wait_for_more(1_000)
                    filler.unlink()
                    told.wait_for_more(200)
            assert (told.told_later, told.unanswered) == (0, 0)
            installation.stop()
            path = disk / "log" / "agents.jsonl" if log == "file" else disk / "server.log"
            text = path.read_text()
        lines, torn = read_lines(text)
        lost = sum(line["count"] for line in lines if line.get("event") == "traffic-lines-lost")
        written = [line["txn"] for line in lines if line.get("asked") == "post"]
        assert lost > 0, "the disk was never full"
        assert torn <= FILLS, "more than the line at which the disk was full"
        assert len(written) + lost == told.paid, "lines are missing, or there twice, and nobody says so"
        seen(fills=FILLS, payments=told.paid, lines_lost=lost)


def read_lines(text: str) -> tuple[list[dict[str, Any]], int]:
    """The traffic's lines, and how many of them are broken off."""
    lines, torn = [], 0
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                lines.append(json.loads(line))
            except ValueError:
                torn += 1
    return lines, torn
