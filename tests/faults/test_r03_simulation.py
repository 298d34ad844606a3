"""R3: seeded histories of a whole gateway; each is always the same, and planted faults do not stay hidden."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.messages import Refused, Result, TryLater
from kvit.lanes.desk import Demand, WriteDesk
from kvit.services.ports import PostingBook, PostingPlan
from kvit.storage.posting_sqlite import SqlitePostingBook, SqlitePostings
from tests.faults.conftest import Seen, load
from tests.simulation import faults
from tests.simulation.__main__ import main
from tests.simulation.history import Theatre
from tests.simulation.runner import folder_in_memory
from tests.simulation.score import ROOT, Score, joined

T = TypeVar("T")

HISTORIES = load(2_000, 20_000)
TIMEOUT_S = load(300, 1_800)


def simulate(*options: str, hash_seed: str = "random") -> dict[str, Any]:
    """What ``make simulate`` reports."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "--json", *options],
        cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True,
        check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert told.returncode in (0, 1), told.stderr
    report: dict[str, Any] = json.loads(told.stdout)
    return report


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S + 10)
def test_histories(seen: Seen) -> None:
    report = simulate("--seeds", f"0-{HISTORIES - 1}", "--state", "none")
    assert report["failed"] == []
    counts = report["counts"]
    wanted = ["store: " + kind.name for kind in faults.KINDS]
    wanted += [
        "store: poison", "neighbour", "process died", "request lost", "request doubled", "request cut",
        "answer lost", "write job of several", "read job of several", "Post again", "Void done",
        "Status done", "ListPosted done", "deed: charge", "deed: clock", "deed: kill", "deed: restart",
    ]  # fmt: skip
    assert [name for name in wanted if not counts.get(name)] == [], "what never happened was never tried"
    assert counts["Post done"] > 5 * HISTORIES
    answers = sum(count for name, count in counts.items() if name.endswith((" done", " stop", " again")))
    store_faults = sum(count for name, count in counts.items() if name.startswith("store: "))
    seen(
        histories=HISTORIES, answers=answers, store_faults=store_faults, deaths=counts["process died"],
        tries_after_faults=report["most"]["tries after the faults"],
    )  # fmt: skip


def test_a_seed_is_a_history(seen: Seen) -> None:
    """In another process, with other hashes, alone or after others: the same, to the last line."""
    reports = [
        simulate("--seeds", "0-49", "--state", "none", "--digests", "--workers", workers, hash_seed=hash_seed)
        for hash_seed, workers in (("1", "1"), ("4711", "2"))
    ]
    assert reports[0]["digests"] == reports[1]["digests"]
    assert len(set(reports[0]["digests"].values())) == 50
    alone = simulate("--seed", "17")
    assert alone["digest"] == reports[0]["digests"]["17"]
    assert "process    serves" in alone["history"][1]
    seen(histories=50)


# --- faults of ours, planted ---------------------------------------------------------------------------


def answers_though_the_commit_failed(patch: pytest.MonkeyPatch) -> None:
    run = SqlitePostings.run

    def lying(self: SqlitePostings, work: Callable[[PostingBook], T]) -> T:
        results: list[T] = []

        def noted(book: PostingBook) -> T:
            results.append(work(book))
            return results[0]

        try:
            return run(self, noted)
        except DatabaseUnavailable:
            if results:
                return results[0]
            raise

    patch.setattr(SqlitePostings, "run", lying)


def changes_plans(change: Callable[[PostingPlan], object]) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        write = SqlitePostingBook.write

        def changed(self: SqlitePostingBook, plan: PostingPlan) -> None:
            change(plan)
            write(self, plan)

        patch.setattr(SqlitePostingBook, "write", changed)

    return plant


def changes_results(
    change: Callable[[Callable[[Sequence[Demand]], Sequence[Result]], Sequence[Demand]], Sequence[Result]],
) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        work = WriteDesk.__call__
        patch.setattr(
            WriteDesk, "__call__", lambda self, demands: change(lambda those: work(self, those), demands)
        )

    return plant


def says_no(results: Sequence[Result]) -> Sequence[Result]:
    return [Refused("account-closed") if isinstance(one, TryLater) else one for one in results]


def puts_all_off(results: Sequence[Result]) -> Sequence[Result]:
    return [TryLater()] * len(results) if any(isinstance(one, TryLater) for one in results) else results


PLANTED: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "answer before commit": answers_though_the_commit_failed,
    "replay without write": changes_plans(lambda plan: plan.attempts.clear()),
    "balance without entry": changes_plans(lambda plan: plan.entries.clear()),
    "payment without balance": changes_plans(lambda plan: plan.balances.clear()),
    "conflict without alarm": changes_plans(lambda plan: plan.journal.clear()),
    "final code on exception": changes_results(lambda work, demands: says_no(work(demands))),
    "poison takes its neighbours along": changes_results(lambda work, demands: puts_all_off(work(demands))),
    "batch order reversed": changes_results(lambda work, demands: work(demands[::-1])[::-1]),
    "answers change places": changes_results(lambda work, demands: work(demands)[::-1]),
}
#: The rarest of them showed itself within thirty seeds.
SEEDS_MAX = 150


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch, seen: Seen) -> None:
    PLANTED[name](monkeypatch)
    with folder_in_memory() as folder:
        theatre = Theatre(folder)
        found = next((seed for seed in range(SEEDS_MAX) if theatre.play(seed).failures), None)
        theatre.close()
    assert found is not None, f"{SEEDS_MAX} histories did not show it"
    seen(found_at_seed=found)


def test_a_failing_history_says_how_it_is_told_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    PLANTED["batch order reversed"](monkeypatch)
    try:
        assert main(["--seeds", "0-19", "--workers", "1", "--state", "none"]) == 1
        (seed, *_) = re.findall(r'make simulate ARGS="--seed ([0-9]+)"', capsys.readouterr().out)
        assert main(["--seed", seed]) == 1
    finally:
        logging.disable(logging.NOTSET)
    told = capsys.readouterr().out
    assert "is sent by" in told
    assert "broken: write lane: " in told


# --- long runs -------------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    state = str(tmp_path / "state.json")
    first = simulate("--seeds", "0-9", "--state", state)
    second = simulate("--seeds", "0-19", "--state", state)
    assert (first["played"], second["played"], second["left"]) == (10, 20, 0)
    began_s = time.monotonic()
    third = simulate("--seeds", "5-19", "--state", state)
    assert third["counts"] == second["counts"], f"played again, in {time.monotonic() - began_s} s"


@pytest.mark.slow
def test_a_run_may_be_broken_off(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "tests.simulation", "--seeds", "0-999999", "--state", str(state)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            for _ in range(600):
                time.sleep(0.1)
                if state.exists():
                    break
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130, err
    assert "goes on from here" in err
    saved = json.loads(state.read_text())
    played = sum(last - first + 1 for first, last in saved["done"])
    assert f"{played:,} histories played" in out
    assert played >= 50


def test_what_is_left_of_a_range() -> None:
    score = Score(done=joined([(10, 19), (30, 39), (20, 24), (0, 0)]))
    assert score.done == [(0, 0), (10, 24), (30, 39)]
    assert score.left((0, 40)) == [(1, 9), (25, 29), (40, 40)]
    assert score.left((12, 20)) == []
    assert replace(score, done=[]).left((3, 3)) == [(3, 3)]
