"""A statement of any size is read in the same little memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kvit.domain.model import JsonObject
from tests.files.statements.writing import WRITERS

CHECKOUT = Path(__file__).parents[3]
PEAK_MB_MAX = 200


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="only Linux tells a program's largest memory"
)


def measured(form: str, count: int, folder: Path) -> JsonObject:
    """What a process of its own tells of reading ``count`` lines."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.files.statements.big", form, str(count), str(folder / "big")],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told: JsonObject = json.loads(done.stdout)
    assert (told["lines"], told["moved"], told["problems"]) == (count, count * 100, [])
    return told


@pytest.mark.parametrize("form", WRITERS)
def test_thirty_thousand_lines(form: str, tmp_path: Path) -> None:
    few, many = measured(form, 3_000, tmp_path), measured(form, 30_000, tmp_path)
    assert many["peak_mb"] < 100
    # Ten times the lines take no more: 5 MB is what the allocator may keep for itself.
    assert many["peak_mb"] - few["peak_mb"] < 5


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("KVIT_FAULTS") != "full", reason="minutes: with KVIT_FAULTS=full, as `make faults` runs it"
)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["1c", "camt.053"])
def test_a_million_lines(form: str, tmp_path: Path) -> None:
    assert measured(form, 1_000_000, tmp_path)["peak_mb"] < PEAK_MB_MAX
