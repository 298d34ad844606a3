"""A PostgreSQL that dies as with its machine, and is started again as its service manager would."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from tests import postgres
from tests.postgres import DURABLE, Cluster

PROC = Path("/proc")


def kill_postgres(cluster: Cluster) -> None:
    """Every process of the server at once, as when the machine dies: nobody says goodbye."""
    postmaster = cluster.process.pid
    family = [postmaster, *children_of(postmaster)]
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    cluster.process.wait(20)
    while any((PROC / str(pid)).exists() for pid in family[1:]):
        time.sleep(0.01)


def children_of(parent: int) -> list[int]:
    found = []
    for stat in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def stop_postgres(cluster: Cluster) -> None:
    """As its service manager would."""
    postgres._stop(cluster.process)


def start_postgres(cluster: Cluster, **own: str) -> None:
    """The same cluster again, on its old port, with settings of the test's own."""
    programs = Path(str(cluster.process.args[0])).parent  # type: ignore[index]
    settings = {**postgres._fixed_settings(cluster.port), **DURABLE, **own}
    log = cluster.folder / "server.log"
    cluster.process = postgres._launch(programs, cluster.folder, postgres.find_owner(), log, settings)
    assert postgres._answers(cluster)


def process_of(cluster: Cluster, title: str) -> int:
    """The process of the server that calls itself so, for example ``checkpointer``."""
    for pid in children_of(cluster.process.pid):
        with contextlib.suppress(OSError):
            if f"postgres: {title}" in (PROC / str(pid) / "cmdline").read_text():
                return pid
    raise AssertionError(f"there is no {title}")
