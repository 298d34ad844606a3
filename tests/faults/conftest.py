"""Two loads for the same tests, and the table that `make faults` ends with."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from tests.services.conftest import gateway, shared_gateway

__all__ = ["gateway", "shared_gateway"]

T = TypeVar("T")

#: Set by `make faults`: the whole loads, which take half an hour.
FULL = os.environ.get("KVIT_FAULTS") == "full"


def load(fast: T, full: T) -> T:
    """``fast`` in ``make test``, ``full`` in ``make faults``."""
    return full if FULL else fast


@dataclass
class Seen:
    """What one test saw, for the table: numbers and short words under short names."""

    test: str
    figures: dict[str, object] = field(default_factory=dict)
    took_s: float = 0.0
    outcome: str = "failed"

    def __call__(self, **figures: object) -> None:
        self.figures.update(figures)


_seen: list[Seen] = []


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Iterator[Seen]:
    """Call it with what the row's line should say: ``seen(payments=20_000, kills=20)``."""
    line = Seen(request.node.nodeid.rpartition("/")[2])
    _seen.append(line)
    began_s = time.monotonic()
    yield line
    line.took_s = time.monotonic() - began_s
    report = getattr(request.node, "faults_report", None)
    line.outcome = report.outcome if report is not None else "failed"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.faults_report = report  # type: ignore[attr-defined]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not FULL or not _seen:
        return
    terminalreporter.section("faults: what was done, and what was seen")
    for line in sorted(_seen, key=lambda line: line.test):
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in line.figures.items())
        terminalreporter.line(f"{line.outcome:6} {line.took_s:6.1f} s  {line.test}  {said}")
