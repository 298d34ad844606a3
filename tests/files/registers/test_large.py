"""Registers of any size take little memory: measured in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_READ = """
import re, sys
from pathlib import Path
from kvit.files.base import ReadOptions, source_of_path
from kvit.files.formats import FORMATS

reading = FORMATS[sys.argv[1]].read(source_of_path(Path(sys.argv[2])), ReadOptions("RUB"))
count = bad = 0
for batch in reading.batches():
    count += len(batch.lines)
    bad += len(batch.bad)
assert not reading.facts.problems, reading.facts.problems
# Of this program alone: ru_maxrss goes back to before it was one.
(peak_kb,) = re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(count, bad, int(peak_kb) // 1024)
"""
MEGABYTES_MAX = 200

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells a program's largest memory"
)

#: Format -> the line before the rows, one row, the line after them.
SHAPES = {
    "qiwi": ("", "{id}\t18.03.2026\t09:15:02\t{number}\t1500.00\n", "Total: {count}\t{total}.00\n"),
    "table": (
        "Id;Лицевой счет;Плательщик;Сумма;Дата и время\n",
        "A-{id};{number};Тестов Т.;1500.00;18.03.2026 09:15:02\n",
        "Итого;;;{total}.00;\n",
    ),
    "sberbank-b": (
        "18.03.2026|1\n", "18.03.2026|001{number}|1500.00|0.00|1500.00|044525225\n",
        "{total}.00|0.00|{total}.00\n",
    ),
    "sberbank-c": (
        "", "18-03-2026;09-15-02;1;УС;{id};{number};Тестов;ул. Мира;0226;1500,00;1500,00;0,00\n",
        "={count};{total},00;{total},00;0,00;1;19-03-2026\n",
    ),
}  # fmt: skip


def _read(folder: Path, form: str, count: int) -> tuple[int, int, int]:
    """Payments, lines that cannot be read, and the most memory in megabytes."""
    before, row, after = SHAPES[form]
    path = folder / "register"
    with path.open("w", encoding="utf-8") as file:
        file.write(before)
        file.writelines(row.format(id=3_000_000_000 + at, number=1_000_000 + at) for at in range(count))
        file.write(after.format(count=count, total=1500 * count))
    done = subprocess.run(
        [sys.executable, "-c", _READ, form, str(path)],
        check=True,
        capture_output=True,
        text=True,
        timeout=150,
    )
    payments, bad, megabytes = map(int, done.stdout.split())
    return payments, bad, megabytes


@pytest.mark.parametrize("form", SHAPES)
def test_a_hundred_thousand_lines(tmp_path: Path, form: str) -> None:
    payments, bad, megabytes = _read(tmp_path, form, 100_000)
    assert (payments, bad) == (100_000, 0)
    assert megabytes < MEGABYTES_MAX


@pytest.mark.slow
@pytest.mark.parametrize("form", ["qiwi", "table"])
def test_a_million_lines(tmp_path: Path, form: str) -> None:
    payments, bad, megabytes = _read(tmp_path, form, 1_000_000)
    assert (payments, bad) == (1_000_000, 0)
    assert megabytes < MEGABYTES_MAX
