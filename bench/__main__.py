"""`make bench`: everything in one run, a table for people and bench/latest.json for programs."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import machine, sections
from bench.books import Size
from bench.rounds import Target, median, ratio, say
from bench.sections import Figures, Plan

LATEST = Path(__file__).with_name("latest.json")

TARGETS = (
    Target("check_vs_bare.sqlite", "check.sqlite", "bare.sqlite", 0.50),
    Target("check_vs_bare.postgres", "check.postgres", "bare.postgres", 0.50),
    Target("lane_vs_pgbench.postgres", "lane_64.postgres", "pgbench_64", 2.0),
    Target("pay_vs_pgbench.postgres", "pay.postgres", "pgbench_64", 1.0),
    Target("pay_256_vs_pgbench.postgres", "pay_256.postgres", "pgbench_64", 1.5),
    Target("pay_vs_single.sqlite", "pay.sqlite", "pay_single.sqlite", 6.0),
    Target("pay_alone.postgres", "pay_alone.postgres", "pgbench_1", 0.6),
    Target("growth.check", "check_p99_ms.large", "check_p99_ms.small", 1.2, at_most=True),
    Target("growth.pay", "pay_p99_ms.large", "pay_p99_ms.small", 1.2, at_most=True),
    Target("memory_idle_mb", "memory_idle_mb", "one", 80, at_most=True),
    Target("memory_load_mb", "memory_load_mb", "one", 150, at_most=True),
    Target("import_vs_reader", "import_rows", "csv_reader_rows", 0.1),
    Target("debts_vs_cursor", "debt_rows", "cursor_rows", 0.5),
    Target("register_vs_reader", "matched_rows", "register_reader_rows", 0.3),
    Target("debts_peak_mb", "debts_peak_mb", "one", 200, at_most=True),
    Target("register_peak_mb", "match_peak_mb", "one", 200, at_most=True),
)

FULL, QUICK = Plan(4, 3), Plan(2, 1)
#: The slowest hundredth is few answers: more rounds.
ROUNDS_OF_GROWTH = 5
MILLION = 1_000_000
SMALL, LARGE = Size(10_000, 1, 0), Size(1_000_000, 1, 3_000_000)

Section = Callable[[Path, Plan], Figures]
SECTIONS: dict[str, Section] = {
    "sqlite": sections.sqlite_http,
    "postgres": sections.postgres_http,
    "import": sections.import_file,
    "files": lambda folder, plan: sections.million_rows(
        folder, plan, MILLION if plan is FULL else MILLION // 10
    ),
    "growth": lambda folder, plan: sections.growth(
        folder, plan._replace(rounds=max(plan.rounds, ROUNDS_OF_GROWTH)), SMALL, LARGE
    ),
}


def main() -> None:
    options = _options()
    began_s, figures = time.monotonic(), Figures(one=[1.0])
    chosen = options.only or [name for name in SECTIONS if not (options.quick and name == "growth")]
    for name in chosen:
        say(f"{name} …")
        folder = Path(tempfile.mkdtemp(prefix=f"kvit-bench-{name}-"))
        try:
            figures.update(SECTIONS[name](folder, QUICK if options.quick else FULL))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    report = _report(figures, time.monotonic() - began_s, quick=options.quick)
    if not options.only:
        LATEST.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _show(report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each, and no large books")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="only this part; can be repeated")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser.parse_args()


def _report(figures: Figures, took_s: float, *, quick: bool) -> dict[str, object]:
    ratios = {target.name: found for target in TARGETS if (found := ratio(target, figures))}
    medians = {name: round(median(values), 2) for name, values in figures.items() if name != "one"}
    runs = {name: [round(value, 2) for value in values] for name, values in figures.items() if name != "one"}
    return {
        "machine": machine.describe(), "quick": quick, "took_s": round(took_s),
        "ratios": ratios, "medians": medians, "runs": runs,
    }  # fmt: skip


def _show(report: dict[str, object]) -> None:
    console = Console(highlight=False)
    ratios, medians = report["ratios"], report["medians"]
    assert isinstance(ratios, dict)
    assert isinstance(medians, dict)
    table = Table("ratio", "is", "target", "", title="Ratios in one run")
    for name, found in ratios.items():
        sign = "≤" if found["at_most"] else "≥"
        mark = "[green]yes[/]" if found["is_met"] else "[red]no[/]"
        table.add_row(name, f"{found['value']:,.3g}", f"{sign} {found['target']:g}", mark)
    console.print(table)
    table = Table("figure", "median", title="What was measured (a second, MB or ms)")
    for name, value in medians.items():
        table.add_row(name, f"{value:,.1f}")
    console.print(table)
    console.print(f"{report['took_s']} s; every run is in {LATEST.name}")


if __name__ == "__main__":
    main()
