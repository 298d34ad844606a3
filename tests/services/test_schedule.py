"""Times in a zone, clock changes, holidays; and what is due, given what was run."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest

from kvit.domain import days
from kvit.domain.errors import DatabaseUnavailable, KvitError
from kvit.domain.file_rows import DueRunRow
from kvit.domain.file_terms import FileTerms, ScheduleTerms
from kvit.domain.model import Agreement
from kvit.services.schedule.runs import Applied, Due, Ended, RunKey, Runner, run_due
from kvit.services.schedule.times import (
    cron_problem,
    is_holiday,
    last_due,
    schedule_problems,
    working_day_before,
)

NINE = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # a Monday


def due_all(cron: str, zone: str, start: str, end: str) -> list[str]:
    """Every time that a look each minute finds due, as local text with its offset."""
    here = days.zone(zone)
    at = datetime.fromisoformat(start).replace(tzinfo=here).astimezone(UTC)
    until = datetime.fromisoformat(end).replace(tzinfo=here).astimezone(UTC)
    last = last_due(cron, zone, at)
    found = []
    while at < until:
        at += timedelta(minutes=1)
        due = last_due(cron, zone, at)
        if due is not None and due != last:
            assert due <= at
            found.append(due.astimezone(here).strftime("%d %H:%M%z"))
            last = due
    return found


@pytest.mark.parametrize(
    ("cron", "now", "expected"),
    [
        ("0 9 * * *", NINE, NINE),
        ("0 9 * * *", NINE - timedelta(microseconds=1), NINE - timedelta(days=1)),
        ("0 9 * * *", NINE + timedelta(hours=23), NINE),
        ("*/20 8-9 * * mon", NINE + timedelta(minutes=59), NINE + timedelta(minutes=40)),
        ("30 8,10 23 nov *", NINE, NINE - timedelta(minutes=30)),
        ("0 0 29 2 *", NINE, datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_the_latest_time(cron: str, now: datetime, expected: datetime) -> None:
    assert last_due(cron, "UTC", now) == expected


def test_times_are_those_of_the_zone() -> None:
    assert last_due("0 9 * * *", "Asia/Almaty", NINE) == datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


def test_a_skipped_time_is_due_right_after_and_a_doubled_one_once() -> None:
    """Berlin: 2026-03-29 02:00 became 03:00, 2026-10-25 03:00 became 02:00."""
    assert due_all("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00") == [
        "29 03:00+0200", "30 02:30+0200",
    ]  # fmt: skip
    assert due_all("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00") == [
        "25 02:30+0200", "26 02:30+0100",
    ]  # fmt: skip


def test_what_is_due_each_quarter_stays_so_when_clocks_change() -> None:
    found = due_all("*/15 * * * *", "Europe/Berlin", "2026-10-25T01:50", "2026-10-25T03:10")
    assert len(found) == len(set(found)) == 9  # eighty minutes by the wall, and the hour that came twice


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "* * * *",
        "61 * * * *",
        "* * * * * *",
        "0 0 30 2 *",
        "@daily",
        "0 9 * * fri-mon",
        "x" * 300,
        "٣ * * * *",
    ],
)
def test_what_is_no_time_is_said(cron: str) -> None:
    assert cron_problem(cron)


def test_settings_are_checked() -> None:
    good = ScheduleTerms("0 6 * * mon-fri", "*/15 * * * *", "0 12 * * *", ("2027-01-01", "sat", "sun"))
    assert schedule_problems(good) == {}
    bad = ScheduleTerms("noon", "", "0 12 * *", ("2027-1-1",))
    assert set(schedule_problems(bad)) == {"send", "expect", "holidays"}
    every = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    assert "no day" in schedule_problems(ScheduleTerms(holidays=every))["holidays"]


def test_working_days() -> None:
    holidays = ("sat", "sun", "2026-11-20")
    assert is_holiday(date(2026, 11, 21), holidays)
    assert working_day_before(date(2026, 11, 23), holidays) == date(2026, 11, 19)
    assert working_day_before(date(2026, 11, 23), ()) == date(2026, 11, 22)


class Book:
    """The rows in memory, with the rules of the table."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str, int], DueRunRow] = {}

    def newest(self, keys: Iterable[RunKey]) -> dict[RunKey, DueRunRow]:
        found = {key[:3]: self.rows[key] for key in sorted(self.rows)}
        return {key: found[key] for key in keys if key in found}

    def claim(self, row: DueRunRow) -> bool:
        return self.rows.setdefault(row[:4], row) is row

    def change(self, row: DueRunRow, ended: Ended, ended_at_us: int | None) -> bool:
        stored = self.rows[row[:4]]
        if (stored.state, stored.detail) != (row.state, row.detail):
            return False
        self.rows[row[:4]] = stored._replace(state=ended.state, detail=ended.detail, ended_at_us=ended_at_us)
        return True


class Town:
    """A runner with a clock that is set, and jobs that note when they ran."""

    def __init__(self, **schedule: object) -> None:
        self.now_at = NINE
        self.ran: list[tuple[str, str]] = []
        self.book = Book()
        self.is_busy = False
        self.fault: Exception | None = None
        terms = ScheduleTerms(**schedule)  # type: ignore[arg-type]
        agreement = Agreement(
            "bank", "water", "files", "test", "RUB", 2, "UTC", files=FileTerms(schedule=terms)
        )
        self.known = [Applied(agreement, days.to_us(NINE - timedelta(days=10)))]

    def now(self) -> datetime:
        return self.now_at

    def _job(self, due: Due) -> Ended:
        at = days.from_us(due.due_at_us)
        self.ran.append((due.job, at.strftime("%d %H:%M")))
        if self.fault is not None:
            raise self.fault
        return Ended("done", "well")

    def look(self, **later: float) -> list[DueRunRow]:
        self.now_at += timedelta(**later)
        jobs = dict.fromkeys(("fetch", "send", "expect"), self._job)
        return run_due(
            Runner("me", self.book, lambda *_: nullcontext(not self.is_busy), self, jobs), self.known
        )


def test_each_time_is_run_once_and_what_was_missed_once_for_all() -> None:
    town = Town(fetch="0 * * * *")
    town.look()
    town.look()
    town.look(seconds=30)
    assert town.ran == [("fetch", "23 09:00")]
    town.look(hours=30)  # the machine was off
    town.look()
    assert town.ran == [("fetch", "23 09:00"), ("fetch", "24 15:00")]


def test_times_before_the_agreement_was_applied_do_not_count() -> None:
    town = Town(send="0 6 * * *")
    town.known = [town.known[0]._replace(applied_at_us=days.to_us(NINE - timedelta(hours=1)))]
    assert town.look() == []
    assert town.look(hours=20) == []
    town.look(hours=1)
    assert town.ran == [("send", "24 06:00")]


def test_what_has_come_is_looked_at_before_it_is_missed() -> None:
    town = Town(send="0 9 * * *", fetch="0 9 * * *", expect="0 9 * * *")
    town.look()
    assert [job for job, _ in town.ran] == ["fetch", "expect", "send"]


def test_on_a_holiday_nothing_is_sent_or_expected_but_files_are_fetched() -> None:
    town = Town(send="0 9 * * *", fetch="0 9 * * *", expect="0 9 * * *", holidays=("mon",))
    rows = town.look()
    assert [(row.job, row.state) for row in rows] == [
        ("fetch", "done"), ("expect", "skipped"), ("send", "skipped"),
    ]  # fmt: skip
    assert town.ran == [("fetch", "23 09:00")]


def test_while_somebody_is_at_it_what_is_due_stays_due() -> None:
    town = Town(fetch="0 * * * *")
    town.is_busy = True
    assert town.look() == []
    town.is_busy = False
    assert [row.state for row in town.look(minutes=5)] == ["done"]


def test_a_failed_run_is_tried_again_for_some_hours() -> None:
    town = Town(send="0 9 * * *")
    town.fault = KvitError("the line broke")
    assert [row.state for row in town.look()] == ["failed"]
    assert town.look(minutes=9) == []
    assert [(row.state, row.detail) for row in town.look(minutes=1)] == [("failed", "the line broke")]
    town.fault = None
    assert [row.state for row in town.look(minutes=10)] == ["done"]
    assert town.look(minutes=10) == []
    assert len(town.book.rows) == 1
    town.fault = KvitError("the line broke")
    town.look(days=1)
    tries = sum(len(town.look(minutes=10)) for _ in range(60))
    assert tries == 33  # 20 minutes after nine until six hours after


def test_a_run_that_died_is_taken_over_after_its_lease() -> None:
    town = Town(fetch="0 * * * *")
    town.fault = DatabaseUnavailable()
    with pytest.raises(DatabaseUnavailable):
        town.look()
    town.fault = None
    assert town.look(minutes=9) == []
    (row,) = town.look(minutes=1)
    assert (row.state, row.due_at_us) == ("done", days.to_us(NINE))
    assert row.detail == "well (an earlier run, by me, never ended)"
    assert town.ran == [("fetch", "23 09:00")] * 2


def test_a_job_that_left_the_schedule_is_not_taken_up_again() -> None:
    town = Town(fetch="0 * * * *")
    town.fault = KvitError("the line broke")
    town.look()
    agreement = Agreement("bank", "water", "files", "test", "RUB", 2, "UTC")
    town.known = [Applied(agreement, 0)]
    assert town.look(hours=1) == []
