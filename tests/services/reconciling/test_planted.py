"""Among very many payments every planted difference is found, once, and nothing else."""

from __future__ import annotations

import time

import pytest

from tests.daybooks import DAY, PAID_OUT, DayBook, day_after, daybook
from tests.gateway import Gateway, opened
from tests.services.reconciling.planted import PLANTED, Plan

DIFFERENCES = 50


def planted(gateway: Gateway, count: int, seed: int) -> Plan:
    plan = Plan(daybook(gateway, files=PAID_OUT), count, seed)
    plan.fill()
    plan.plant_whole_days()
    assert len(plan.expected) == sum(PLANTED.values()) + 5 == DIFFERENCES
    return plan


def found_in(book: DayBook) -> list[tuple[str, str, str]]:
    report = book.report(day_after(DAY, -6), DAY)
    assert not report.is_ok
    return sorted((finding.kind, finding.day, finding.txn) for finding in report.findings)


@pytest.mark.parametrize("seed", [1, 20261123])
def test_among_five_thousand(gateway: Gateway, seed: int) -> None:
    plan = planted(gateway, 5_000, seed)
    assert found_in(plan.book) == sorted(plan.expected)


@pytest.mark.slow
def test_among_a_hundred_thousand_within_a_minute(sqlite_books_url: str) -> None:
    with opened(sqlite_books_url) as gateway:
        plan = planted(gateway, 100_000, 7)
        began = time.monotonic()
        found = found_in(plan.book)
        seconds = time.monotonic() - began
    assert found == sorted(plan.expected)
    assert seconds < 60
