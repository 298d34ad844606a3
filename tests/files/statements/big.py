"""Reads a large generated statement and tells how much memory that took; run as a program of its own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from kvit.files.base import ReadOptions, source_of_path
from kvit.files.recognising import read_file
from tests.files.statements.writing import WRITERS, Paid


class Payments:
    """So many payments of 1.00 over the month; made anew whenever they are asked for."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[Paid]:
        for number in range(self._count):
            yield Paid(
                1 + number * 28 // self._count, 100, f"Клиент {number}", f"Счет {number:07}", f"R{number}"
            )


def peak_mb() -> float:
    """The most memory that this program had resident; what its parent had is not counted."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the system does not tell it")


def main(form: str, count: int, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(WRITERS[form](Payments(count)))
    began = time.perf_counter()
    lines = moved = 0
    ((_, reading),) = read_file(source_of_path(path), ReadOptions("RUB"))
    for batch in reading.batches():
        lines += len(batch.lines)
        moved += sum(line.amount_minor for line in batch.lines)
    took_s = time.perf_counter() - began
    told = {"lines": lines, "moved": moved, "peak_mb": peak_mb(), "took_s": took_s}
    sys.stdout.write(json.dumps({**told, "problems": reading.facts.problems, "bytes": path.stat().st_size}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
