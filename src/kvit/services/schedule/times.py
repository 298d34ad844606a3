"""Times as five fields of cron, in a zone, and days on which nothing happens.

A time that a clock change skips is due at once after it; one that comes twice is due once (so does Debian's
cron; both only for times that are further apart than an hour).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from cronsim import CronSim, CronSimError

from kvit.domain import days
from kvit.domain.file_terms import ScheduleTerms

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FIELDS = 5
_HOW = "write five fields: minute hour day month weekday, like 30 6 * * mon-fri"
#: A working day is looked for so far back; a longer row of holidays is a mistake.
_WORKING_DAY_BACK_MAX = 60
_HOLIDAYS_MAX = 1_000
_CRON_LENGTH_MAX = 200


def last_due(cron: str, timezone: str, now: datetime) -> datetime | None:
    """The latest time at or before ``now`` (aware) that ``cron`` means in ``timezone``, in UTC.

    ``None`` where there is none within fifty years. Raises ``ValueError`` for what ``cron_problem`` names.
    """
    local = now.astimezone(days.zone(timezone))
    found = _last(cron, local)
    if local.fold:
        # By the wall it was later once already: what was due then, before clocks went back, was due.
        earlier = _last(cron, _before_the_change(local))
        found = max((at for at in (found, earlier) if at is not None), default=None)
    return found


def _before_the_change(local: datetime) -> datetime:
    """The last minute before the clocks went back to the hour that ``local`` is in."""
    while local.fold:
        local = (local.astimezone(UTC) - timedelta(minutes=1)).astimezone(local.tzinfo)
    return local


def _last(cron: str, local: datetime) -> datetime | None:
    # The minute that has just begun is due, too: looked for backwards from a moment after it.
    start = (local.astimezone(UTC) + timedelta(microseconds=1)).astimezone(local.tzinfo)
    try:
        found = next(CronSim(cron, start, reverse=True), None)
    except CronSimError as error:
        raise ValueError(str(error)) from error
    return None if found is None else found.astimezone(UTC)


def cron_problem(cron: str) -> str:
    """What is wrong with five fields of cron; empty when nothing is."""
    if len(cron.split()) != _FIELDS or len(cron) > _CRON_LENGTH_MAX:
        return _HOW
    try:
        first = next(CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)), None)
    except (CronSimError, ValueError, OverflowError) as error:
        return f"{str(error).lower()}; {_HOW}"
    return "" if first else "that time never comes"


def schedule_problems(terms: ScheduleTerms) -> dict[str, str]:
    """Setting -> what is wrong with it; empty when nothing is."""
    problems = {}
    for name in ("send", "fetch", "expect"):
        cron = getattr(terms, name)
        reason = cron_problem(cron) if cron else ""
        if reason:
            problems[name] = reason
    reason = _holidays_problem(terms.holidays)
    if reason:
        problems["holidays"] = reason
    return problems


def _holidays_problem(holidays: tuple[str, ...]) -> str:
    if len(holidays) > _HOLIDAYS_MAX:
        return f"more than {_HOLIDAYS_MAX} days"
    for text in holidays:
        if text not in WEEKDAYS and not _is_day(text):
            return f"{text} is neither a day like 2027-01-01 nor one of {', '.join(WEEKDAYS)}"
    if set(WEEKDAYS) <= set(holidays):
        return "no day of the week is left"
    return ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_holiday(day: date, holidays: tuple[str, ...]) -> bool:
    return day.isoformat() in holidays or WEEKDAYS[day.weekday()] in holidays


def working_day_before(day: date, holidays: tuple[str, ...]) -> date | None:
    """The last day before ``day`` that is no holiday; ``None`` where there was none for two months."""
    for back in range(1, _WORKING_DAY_BACK_MAX + 1):
        earlier = day - timedelta(days=back)
        if not is_holiday(earlier, holidays):
            return earlier
    return None
