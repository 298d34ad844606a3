"""Files of a million rows: a register of debts out, one of payments in, each in a process of its own.

`python -m bench.files debts|cursor|match|reader FOLDER` prints rows a second and the most memory in MB.
"""

from __future__ import annotations

import csv
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.books import AGREEMENT, BILLER, DAY, PAID_MINOR, Size, make
from kvit.config import Settings
from kvit.domain.file_terms import DebtTerms
from kvit.domain.model import Agreement, Biller
from kvit.files.base import source_of_path
from kvit.main import House, load_agreements, open_house
from kvit.main.debts import debt_office
from kvit.main.intake import Hearing, Wish, take
from kvit.services.debts.making import make_register
from kvit.storage import sqlite
from kvit.storage.billers import find_biller

REGISTER = "register.csv"
#: What a plain program would send the bank: the same columns, as the database has them.
_OWED = (
    "SELECT number, name, address, balance_minor FROM accounts "
    "WHERE biller_id = ? AND balance_minor > 0 ORDER BY number"
)


def make_books(folder: Path, rows: int) -> None:
    """Books with so many debtors, each of whom has paid once, and the agent's register of those payments."""
    make(url_of(folder), folder, Size(rows, 1, rows))
    day = ".".join(reversed(DAY.split("-")))
    amount = f"{PAID_MINOR // 100}.{PAID_MINOR % 100:02}"
    with (folder / REGISTER).open("w", encoding="ascii") as file:
        file.writelines(
            f"{1_000_000_000 + place}\t{day}\t12:00:00\t{place:08}\t{amount}\n"
            for place in range(1, rows + 1)
        )
        file.write(f"Total: {rows}\t{PAID_MINOR * rows // 100}.{PAID_MINOR * rows % 100:02}\n")


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'kvit.sqlite'}"


def debts(folder: Path) -> int:
    """A whole register by account, made, numbered and kept as the product does it."""
    house, biller, agreement = _opened(folder)
    office = debt_office(house, biller, agreement, "bench")
    made = make_register(office, DebtTerms("csv"))
    house.close()
    return made.register.row_count


def cursor(folder: Path) -> int:
    """The same columns written row by row with the standard library."""
    count = 0
    connection = sqlite.connect(str(folder / "kvit.sqlite"))
    with (folder / "raw.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        for row in connection.execute(_OWED, (BILLER,)):
            writer.writerow(row)
            count += 1
    connection.close()
    return count


def match(folder: Path) -> int:
    """Read the register, and hold every line against the books: a look, as before an import."""
    house, biller, _ = _opened(folder)
    source = source_of_path(folder / REGISTER)
    wish = Wish(source, "register", AGREEMENT, "qiwi", dry_run=True)
    (taken,) = take(house, biller, "bench", wish, Hearing())
    house.close()
    counts = taken.outcome.counts
    assert counts.by_verdict["confirmed"] == counts.rows, counts
    return counts.rows


def reader(folder: Path) -> int:
    """What the standard library needs only to read it."""
    with (folder / REGISTER).open(encoding="ascii", newline="") as file:
        return sum(1 for _ in csv.reader(file, delimiter="\t")) - 1


_WORKS: dict[str, Callable[[Path], int]] = {
    "debts": debts, "cursor": cursor, "match": match, "reader": reader,
}  # fmt: skip


def _opened(folder: Path) -> tuple[House, Biller, Agreement]:
    house = open_house(Settings(database=url_of(folder), data=str(folder)))
    (agreement,) = load_agreements(house)
    with house.database.read() as connection:
        biller = find_biller(connection, BILLER)
    assert biller is not None
    return house, biller, agreement


def measure(work: str, folder: Path) -> tuple[float, float]:
    """(rows a second, MB at most) of one work in a process of its own."""
    command = [sys.executable, "-m", "bench.files", work, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    rate, memory_mb = done.stdout.split()
    return float(rate), float(memory_mb)


def main() -> None:
    work, folder = sys.argv[1], Path(sys.argv[2])
    began_s = time.perf_counter()
    rows = _WORKS[work](folder)
    rate = rows / (time.perf_counter() - began_s)
    print(rate, _peak_mb())


def _peak_mb() -> float:
    """Of this program alone: what the operating system tells of a process goes back to before it was one."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    (line,) = [one for one in status.read_text(encoding="ascii").splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
