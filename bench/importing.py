"""A file of 100,000 accounts: `kvit account import` beside `csv.reader` alone."""

from __future__ import annotations

import csv
import os
import subprocess
import time
from pathlib import Path

from bench.serving import KVIT

ROWS = 100_000


def write_file(path: Path, rows: int = ROWS) -> None:
    """A file as an office would have it: number, name, address, phone."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "name", "address", "phone"])
        writer.writerows(
            [
                f"{place:08}",
                f"Иванова{place % 5000} Анна Петровна",
                f"ул. Садовая, {place % 200}",
                f"+7{place:010}",
            ]
            for place in range(1, rows + 1)
        )


def read_alone(path: Path) -> float:
    """Seconds that the standard library needs to read it."""
    began_s = time.perf_counter()
    with path.open(encoding="utf-8", newline="") as file:
        count = sum(1 for _ in csv.reader(file))
    assert count > 1
    return time.perf_counter() - began_s


def import_all(path: Path, url: str, data: Path) -> float:
    """Seconds of the whole command on an empty database, from its start to its end."""
    environment = os.environ | {"KVIT_DATABASE": url, "KVIT_DATA": str(data)}
    made = [KVIT, "init", "--biller", "bench", "--name", "Водоканал", "--currency", "RUB",
            "--timezone", "Europe/Moscow"]  # fmt: skip
    subprocess.run(made, env=environment, check=True, capture_output=True)
    began_s = time.perf_counter()
    command = [KVIT, "account", "import", str(path), "--biller", "bench"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - began_s
