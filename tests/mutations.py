"""Planted faults: each is put into a copy of the source, and the tests must turn red within five minutes.

``python -m tests.mutations [--json] [name …]``. Exit code 0: all were caught. A fault whose place in the
source is not found any more is an error, and so are tests that are red without any.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
LIMIT_S = 300.0
#: Quickest first; the first red test ends the run.
TESTS = (
    "tests/domain/test_money.py",
    "tests/domain/test_ledger.py",
    "tests/domain/test_days.py",
    "tests/lanes/test_lane.py",
    "tests/services/test_payments.py",
    "tests/services/test_holds.py",
    "tests/services/test_invoices.py",
    "tests/lanes/test_desk.py",
    "tests/services/test_payments_sqlite.py",
    "tests/services/test_payments_races.py",
    "tests/services/test_corrections.py",
    "tests/services/test_payments_postgres.py",
    "tests/services/test_payments_batches.py",
    "tests/faults/test_r10_unknown_sqlite.py",
    "tests/faults/test_r10_unknown_postgres.py",
)
_RED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)

PAYMENTS = "src/kvit/services/payments.py"
SQLITE = "src/kvit/storage/posting_sqlite.py"
POSTGRES = "src/kvit/storage/posting_postgres.py"
ENGINE = "src/kvit/storage/engine.py"
ISOLATION = "src/kvit/lanes/isolation.py"
LANE = "src/kvit/lanes/lane.py"
BOOKING = "src/kvit/services/booking.py"
MONEY = "src/kvit/domain/money.py"


class Change(NamedTuple):
    """In this file, ``old`` stands exactly once and becomes ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """One planted fault. ``where``: the engine or the room that it concerns."""

    name: str
    where: str
    changes: tuple[Change, ...]


class Caught(NamedTuple):
    """What the tests said to a fault: the first red one and after how long; no test when none was red."""

    fault: Fault
    test: str
    seconds: float


class Misplaced(Exception):
    """The source is not what a fault was written for."""


def _one(name: str, where: str, file: str, old: str, new: str) -> Fault:
    return Fault(name, where, (Change(file, old, new),))


FAULTS = (
    # The commit of a batch comes with the next one.
    Fault("answer before commit", "sqlite", (
        Change(SQLITE, "self._connection.execute(begin)",
               'self._connection.in_transaction and self._connection.execute("COMMIT")\n'
               "                self._connection.execute(begin)"),
        Change(SQLITE, 'result = work(self._connection)\n                self._connection.execute("COMMIT")',
               "result = work(self._connection)"),
    )),
    Fault("answer before commit", "postgres", (
        Change(POSTGRES, 'connection.execute("BEGIN")',
               'connection.execute("COMMIT"); connection.execute("BEGIN")'),
        Change(POSTGRES, 'connection.execute("COMMIT")\n                commit_sent', "commit_sent"),
    )),
    # What is there is looked at outside of the transaction that writes, and no key complains.
    Fault("select then insert", "sqlite", (
        Change(SQLITE, "        situation = Situation(",
               '        execute("COMMIT")\n        situation = Situation('),
        Change(SQLITE, "        return situation\n\n    def _announced",
               '        execute("BEGIN IMMEDIATE")\n        return situation\n\n    def _announced'),
        Change(SQLITE, 'self._send(_INSERTS["payments"], plan.payments)',
               'self._send(_INSERTS["payments"].replace("INSERT", "INSERT OR IGNORE", 1), plan.payments)'),
    )),
    Fault("select then insert", "postgres", (
        Change(POSTGRES, "if hot.is_lone(plan):", "if False:"),
        Change(POSTGRES, 'self._send(hot.INSERTS["payments"], plan.payments)',
               "self._send(hot.Statement(\n"
               '            hot.INSERTS["payments"].one + " ON CONFLICT DO NOTHING",\n'
               '            hot.INSERTS["payments"].many + " ON CONFLICT DO NOTHING",\n'
               "        ), plan.payments)"),
    )),
    _one("replay without write", "both", BOOKING,
         "self._attempts[key] = self._attempts.get(key, 0) + 1", "pass"),
    _one("replay without write", "status", "src/kvit/services/tellings.py",
         "    payment, void = book.tell(key)\n",
         "    case = book.payment_case(key)\n    payment, void = case.payment, case.void\n"),
    _one("final code on exception", "lane", ISOLATION, 'TryLater("failed")]\n', 'NoSuchTxn("failed")]\n'),
    _one("final code on exception", "database", ISOLATION, 'TryLater("database")]', 'NoSuchTxn("database")]'),
    _one("cancelled commit is a success", "postgres", POSTGRES,
         "if self._own.standby_was_given_up:", "if False:"),
    _one("cancelled commit is a success", "voids", ENGINE,
         "if connection.info.get(_STANDBY_GIVEN_UP):", "if False:"),
    _one("float in a sum", "parsing", MONEY,
         'return int(whole + rest.ljust(exponent, "0"))', "return int(float(text) * 10**exponent)"),
    _one("float in a sum", "posting", BOOKING,
         "debit, credit, row.amount_minor,", "debit, credit, int(row.amount_minor / 100 * 100),"),
    _one("float in a sum", "entries", "src/kvit/domain/ledger.py",
         "credit, -amount_minor, currency", "credit, -int(float(amount_minor)), currency"),
    _one("balance without entry", "both", BOOKING, "plan.entries.extend(", "list("),
    _one("balance without entry", "sqlite", SQLITE, 'self._send(_INSERTS["entries"], plan.entries)', "pass"),
    Fault("balance without entry", "postgres", (
        Change(POSTGRES, "if hot.is_lone(plan):", "if False:"),
        Change(POSTGRES, 'self._send(hot.INSERTS["entries"], plan.entries)', "pass"),
    )),
    _one("expired idempotency key", "both", PAYMENTS, "        known = payment or hold\n",
         "        if payment and self._now_us - payment.received_at_us >= 86_400_000_000:\n"
         "            payment = None\n        known = payment or hold\n"),
    _one("a hold outlives its end", "services", "src/kvit/services/results.py",
         "and now_us >= hold.expires_at_us", "and now_us > hold.expires_at_us"),
    _one("the end of a hold is not written", "services", PAYMENTS,
         "            self._end(key, hold, EXPIRED)\n", "            hold.state = EXPIRED\n"),
    _one("a released hold is posted", "services", PAYMENTS, "        if hold.state != HELD:\n",
         "        if hold.state == EXPIRED:\n"),
    _one("an invoice is held for two", "services", "src/kvit/services/places.py",
         "if any(stands(", "if all(stands("),
    _one("money of nobody is refused", "services", PAYMENTS, "and command.taken:", "and not command:"),
    _one("batch order reversed", "services", PAYMENTS,
         "results = [desk.take(agreement, command) for agreement, command in demands]",
         "results = [desk.take(agreement, command) for agreement, command in reversed(demands)][::-1]"),
    _one("batch order reversed", "lane", LANE, "queue.popleft()", "queue.pop()"),
    _one("poison takes its neighbours along", "lane", ISOLATION,
         "return [isolated(work, [demand])[0] for demand in demands]",
         'return [TryLater("failed")] * len(demands)'),
)  # fmt: skip


def planted(fault: Fault, text_of: dict[str, str]) -> dict[str, str]:
    """The files as the fault leaves them. Raises ``Misplaced``."""
    changed = dict(text_of)
    for file, old, new in fault.changes:
        found = changed[file].count(old)
        if found != 1:
            raise Misplaced(f"{fault.name} ({fault.where}): {old!r} stands {found} times in {file}")
        changed[file] = changed[file].replace(old, new)
        if "NoSuchTxn(" in new:
            changed[file] = changed[file].replace("import Result", "import NoSuchTxn, Result")
    return changed


@contextmanager
def copied() -> Iterator[Path]:
    """Source and tests somewhere else, where they may be spoilt."""
    with tempfile.TemporaryDirectory(prefix="kvit-mutations-") as name:
        folder = Path(name)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        yield folder


def environment(folder: Path) -> dict[str, str]:
    """The copy's source comes before the one that is installed."""
    own = {"PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    return {name: value for name, value in os.environ.items() if name != "KVIT_FAULTS"} | own


def check_copy(folder: Path) -> None:
    """Raises ``Misplaced`` where a process of the tests would load another source than the copy."""
    command = [sys.executable, "-c", "import kvit; print(kvit.__file__)"]
    told = subprocess.run(
        command, env=environment(folder), cwd=folder, capture_output=True, text=True, check=True
    )
    if not Path(told.stdout.strip()).is_relative_to(folder):
        raise Misplaced(f"kvit is loaded from {told.stdout.strip()}, and not from the copy")


def first_red(folder: Path, tests: Sequence[str] = TESTS) -> tuple[str, float]:
    """The first test that fails on the copy, and when; ``""`` when none does within the limit."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider", *tests]
    began_s = time.monotonic()
    try:
        told = subprocess.run(
            command, env=environment(folder), cwd=folder, capture_output=True, text=True, check=False,
            timeout=LIMIT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "", LIMIT_S
    found = _RED.search(told.stdout)
    if told.returncode != 0 and found is None:
        raise Misplaced(f"the tests did not run: {told.stdout[-2000:]}{told.stderr[-2000:]}")
    return (found.group(1) if found else ""), time.monotonic() - began_s


def run(faults: Sequence[Fault]) -> Iterator[Caught]:
    """Plant one after another, after a run with none."""
    with copied() as folder:
        check_copy(folder)
        files = {change.file for fault in faults for change in fault.changes}
        text_of = {file: (folder / file).read_text(encoding="utf-8") for file in files}
        spoilt = [
            (fault, planted(fault, text_of)) for fault in faults
        ]  # all of them first: none is misplaced
        sound, seconds = first_red(folder)
        if sound or seconds >= LIMIT_S:
            raise Misplaced(
                f"without any fault the tests are red, or too slow: {sound} after {seconds:.0f} s"
            )
        for fault, texts in spoilt:
            for file, text in texts.items():
                (folder / file).write_text(text, encoding="utf-8")
            test, seconds = first_red(folder)
            for file, text in text_of.items():
                (folder / file).write_text(text, encoding="utf-8")
            if test and first_red(folder, [test])[0]:
                raise Misplaced(f"{test} is red without any fault, too")
            yield Caught(fault, test, seconds)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make mutations", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("names", nargs="*", help="only faults whose name or place holds one of these words")
    wish = parser.parse_args(arguments)
    faults = [
        fault
        for fault in FAULTS
        if not wish.names or any(word in f"{fault.name} {fault.where}" for word in wish.names)
    ]
    caught: list[Caught] = []
    try:
        for one in run(faults):
            caught.append(one)
            if not wish.json:
                verdict = one.test or "NOT CAUGHT"
                print(f"{one.fault.name:34} {one.fault.where:9} {one.seconds:6.1f} s  {verdict}", flush=True)  # noqa: T201
    except Misplaced as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    if wish.json:
        rows = [
            {"fault": one.fault.name, "where": one.fault.where, "test": one.test, "seconds": one.seconds}
            for one in caught
        ]
        print(json.dumps(rows, indent=2))  # noqa: T201
    return 0 if all(one.test for one in caught) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
