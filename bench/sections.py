"""What is measured: each function makes its books, measures in rounds and gives figures by name."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench import files, importing, lane, pgbench, wrk
from bench.books import Size, make
from bench.rounds import Measure, interleaved, say
from bench.serving import Served, serving
from tests.postgres import Cluster, running_cluster

#: As an administrator would set a small server; fsync and synchronous_commit stay on.
POSTGRES = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
ACCOUNTS = 100_000
#: Ids of payments: every run begins where none has been.
_starts = itertools.count(int(time.time()) * 100_000_000, 10_000_000)

Figures = dict[str, list[float]]


class Plan(NamedTuple):
    """How long each run is, and how often everything is run."""

    seconds: float
    rounds: int


def load(
    served: Served, what: str, plan: Plan, *, accounts: int = ACCOUNTS, connections: int = 64
) -> wrk.Load:
    """One run of ``what`` against a server, with ids that no run had before."""
    start, seconds = next(_starts), plan.seconds
    return wrk.run(
        served.port, what, accounts=accounts, connections=connections, seconds=seconds, start=start
    )


def _rate(served: Served, what: str, plan: Plan, *, connections: int = 64) -> Measure:
    return lambda: load(served, what, plan, connections=connections).per_second


def _slowest(served: Served, what: str, plan: Plan, accounts: int) -> Measure:
    return lambda: load(served, what, plan, accounts=accounts).p99_ms


def sqlite_http(folder: Path, plan: Plan) -> Figures:
    """Checks and payments over HTTP on an SQLite file; and with a commit for each payment."""
    url, figures = _sqlite(folder, Size(ACCOUNTS, 3, 0)), Figures()
    single = folder / "single.toml"
    single.write_text("[limits]\nbatch_max = 1\n", encoding="utf-8")
    for place in range(plan.rounds):
        with serving(url, folder) as served:
            if place == 0:
                figures["memory_idle_mb"] = [served.resident_mb()]
                _warm(served)
            measures = {f"{what}.sqlite": _rate(served, what, plan) for what in ("bare", "check", "pay")}
            measures["pay_alone.sqlite"] = _rate(served, "pay", plan, connections=1)
            _add(figures, interleaved(measures, 1))
            figures["memory_load_mb"] = [served.resident_mb()]
        with serving(url, folder, config=single) as served:
            _add(figures, interleaved({"pay_single.sqlite": _rate(served, "pay", plan)}, 1))
    return figures


def postgres_http(folder: Path, plan: Plan) -> Figures:
    """Checks and payments over HTTP on PostgreSQL, its own pgbench, and the lane without HTTP."""
    with (
        running_cluster(POSTGRES) as cluster,
        _postgres(cluster, folder, Size(ACCOUNTS, 3, 0)) as url,
        serving(url, folder) as served,
    ):
        _warm(served)
        lane.run(url, accounts=ACCOUNTS, batch=64, seconds=1)
        s = plan.seconds
        return interleaved(
            {
                "bare.postgres": _rate(served, "bare", plan),
                "check.postgres": _rate(served, "check", plan),
                "pay.postgres": _rate(served, "pay", plan),
                "pgbench_64": lambda: pgbench.run(url, accounts=ACCOUNTS, clients=64, seconds=s),
                "pay_256.postgres": _rate(served, "pay", plan, connections=256),
                "lane_64.postgres": lambda: lane.run(url, accounts=ACCOUNTS, batch=64, seconds=s),
                "pay_alone.postgres": _rate(served, "pay", plan, connections=1),
                "pgbench_1": lambda: pgbench.run(url, accounts=ACCOUNTS, clients=1, seconds=s),
            },
            plan.rounds,
        )


def growth(folder: Path, plan: Plan, small: Size, large: Size) -> Figures:
    """The slowest hundredth of answers in books of two sizes, on SQLite, asked in turn."""
    urls = {}
    for name, size in (("small", small), ("large", large)):
        say(f"  books with {size.accounts:,} accounts and {size.payments:,} payments")
        (folder / name).mkdir()
        urls[name] = _sqlite(folder / name, size)
    with serving(urls["small"], folder / "small") as one, serving(urls["large"], folder / "large") as other:
        served = {"small": (one, small), "large": (other, large)}
        for each, size in served.values():
            _warm(each, size.accounts)
        return interleaved(
            {
                f"{what}_p99_ms.{name}": _slowest(each, what, plan, size.accounts)
                for what in ("check", "pay")
                for name, (each, size) in served.items()
            },
            plan.rounds,
        )


def import_file(folder: Path, plan: Plan) -> Figures:
    """Rows a second of a file of accounts: read by the standard library alone, and imported."""
    path, places = folder / "accounts.csv", itertools.count()
    importing.write_file(path)

    def imported() -> float:
        place = folder / f"import-{next(places)}"
        place.mkdir()
        return importing.ROWS / importing.import_all(path, f"sqlite:///{place / 'kvit.sqlite'}", place)

    measures = {
        "csv_reader_rows": lambda: importing.ROWS / importing.read_alone(path), "import_rows": imported,
    }  # fmt: skip
    return interleaved(measures, plan.rounds)


def million_rows(folder: Path, plan: Plan, rows: int) -> Figures:
    """Rows a second of a register of debts and of one of payments, beside what a plain program needs."""
    say(f"  books with {rows:,} debtors, each of whom has paid")
    files.make_books(folder, rows)
    memory_mb: Figures = {}

    def rate(work: str) -> Measure:
        def measured() -> float:
            per_second, peak_mb = files.measure(work, folder)
            memory_mb.setdefault(f"{work}_peak_mb", []).append(peak_mb)
            return per_second

        return measured

    names = {
        "cursor": "cursor_rows",
        "debts": "debt_rows",
        "reader": "register_reader_rows",
        "match": "matched_rows",
    }
    figures = interleaved({name: rate(work) for work, name in names.items()}, min(plan.rounds, 2))
    _add(figures, {name: memory_mb[name] for name in ("debts_peak_mb", "match_peak_mb")})
    return figures


def _sqlite(folder: Path, size: Size) -> str:
    url = f"sqlite:///{folder / 'kvit.sqlite'}"
    make(url, folder, size)
    return url


@contextmanager
def _postgres(cluster: Cluster, folder: Path, size: Size) -> Iterator[str]:
    with cluster.database() as url:
        make(url, folder, size)
        yield url


def _warm(served: Served, accounts: int = ACCOUNTS) -> None:
    for what in ("bare", "check", "pay"):
        load(served, what, Plan(1, 1), accounts=accounts)


def _add(figures: Figures, more: Figures) -> None:
    for name, values in more.items():
        figures.setdefault(name, []).extend(values)
