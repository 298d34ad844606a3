"""The made-up utility: the same for everybody, plausible, and with an account for every story."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from kvit.domain.money import format_amount
from kvit.domain.numbers import is_valid
from kvit.simulator.clients import STORIES, UNKNOWN
from kvit.simulator.names import languages
from kvit.simulator.utility import (
    ACCOUNTS,
    BILLER,
    LEAST_MINOR,
    MONTHS,
    MOST_MINOR,
    Payment,
    Utility,
    make_utility,
)

TODAY = date(2026, 11, 23)
#: Days at which months begin, end, are short or turn the year.
DAYS = (date(2026, 1, 1), date(2026, 3, 1), date(2028, 2, 29), date(2026, 12, 31), date(2027, 3, 30))


@pytest.fixture(scope="module")
def utility() -> Utility:
    return make_utility(TODAY)


def payments(utility: Utility) -> Iterator[Payment]:
    for month in utility.months:
        yield from month.payments


def standings(utility: Utility) -> Counter[str]:
    """What each number owes in the end; below zero is paid in advance."""
    owed: Counter[str] = Counter({account.number: 0 for account in utility.accounts})
    for month in utility.months:
        for charge in month.charges:
            owed[charge.number] += charge.amount_minor
        for payment in month.payments:
            owed[payment.post.number] -= payment.post.amount_minor
    return owed


def story_standings(utility: Utility) -> dict[str, int]:
    owed = standings(utility)
    return {story.key: owed[row.number] for story, row in zip(STORIES, utility.accounts, strict=False)}


def test_it_is_as_large_as_promised(utility: Utility) -> None:
    assert len(utility.accounts) == ACCOUNTS == 2000
    assert len(utility.months) == MONTHS == 14
    assert [month.period for month in utility.months][::13] == ["2025-09", "2026-10"]
    paid_by = {payment.post.number for payment in payments(utility)}
    assert len(paid_by) > 0.9 * ACCOUNTS
    for month in utility.months:
        assert len(month.charges) >= 0.95 * ACCOUNTS


def test_the_same_day_gives_the_same_records(utility: Utility) -> None:
    assert make_utility(TODAY) == utility
    assert make_utility(TODAY, seed=21).accounts != utility.accounts


def test_the_day_changes_no_bill_and_no_story(utility: Utility) -> None:
    later = make_utility(TODAY + timedelta(days=40))
    assert later.accounts == utility.accounts
    for mine, theirs in zip(utility.months, later.months, strict=True):
        bills = [
            [(one.number, one.service, one.amount_minor) for one in each.charges] for each in (mine, theirs)
        ]
        assert bills[0] == bills[1]
    assert story_standings(later) == story_standings(utility)


def test_numbers_have_check_digits_and_nobody_has_the_unknown_one(utility: Utility) -> None:
    numbers = [account.number for account in utility.accounts]
    assert len(set(numbers)) == ACCOUNTS
    assert all(is_valid(number, BILLER.number_scheme) for number in [*numbers, UNKNOWN])
    assert UNKNOWN not in numbers


def test_people_have_whole_names_in_two_languages(utility: Utility) -> None:
    people = [account.name or "" for account in utility.accounts]
    assert all(re.fullmatch(r"[\w-]+ \w+ \w+", name) for name in people), "family, given, patronymic"
    kazakh = sum(name.endswith(("ұлы", "қызы")) for name in people)
    russian = sum(bool(re.search(r"(?:ич|на)$", name)) for name in people)
    assert kazakh + russian == ACCOUNTS
    assert 0.3 < kazakh / ACCOUNTS < 0.5
    assert sum(bool(re.search("[ӘәҒғҚқҢңӨөҰұҮүІі]", name.rpartition(" ")[0])) for name in people) > 500
    assert len(set(people)) > 1900


def test_a_mans_name_has_a_mans_endings() -> None:
    for language in languages().values():
        for man, woman in language.families:
            assert man == woman or woman.endswith(("ва", "на", "ая")), (man, woman)
        for given in language.men:
            assert given.son.endswith(("ич", "ұлы"))
            assert given.daughter.endswith(("на", "қызы"))
            assert given.son[:2] == given.daughter[:2] == given.name[:2] or given.name == "Пётр"


def test_addresses_are_one_town_and_no_telephone_rings(utility: Utility) -> None:
    addresses = [account.address for account in utility.accounts]
    assert len(set(addresses)) == ACCOUNTS
    assert all(address and address.startswith("г. Светлореченск, ") for address in addresses)
    assert all(re.fullmatch(r"|\+7000[0-9]{7}", account.phone or "") for account in utility.accounts)


@pytest.mark.parametrize("today", DAYS, ids=str)
def test_time_runs_forward_and_stops_the_evening_before(today: date) -> None:
    utility = make_utility(today, accounts_count=60)
    last = utility.months[-1]
    assert last.period == f"{today.replace(day=1) - timedelta(days=1):%Y-%m}"
    at = utility.began_at
    for month in utility.months:
        assert at < month.issued_at
        assert f"{month.issued_at:%Y-%m}" == month.period
        at = month.issued_at
        for payment in month.payments:
            assert at <= payment.at
            at = payment.at
            assert payment.at.date() < today
            assert payment.post.network_time == payment.at.replace(tzinfo=None).isoformat()
            raw = payment.at.isoformat() if payment.agreement_id == "app" else f"{payment.at:%Y%m%d%H%M%S}"
            assert payment.post.network_time_raw == raw
    periods = [month.period for month in utility.months]
    assert periods == sorted(set(periods))
    assert len(periods) == MONTHS


@pytest.mark.parametrize("today", [TODAY, *DAYS], ids=str)
def test_there_is_an_account_for_every_story_whatever_day_it_is(today: date) -> None:
    owed = story_standings(make_utility(today, accounts_count=40))
    assert 10_000 < owed["debt"] < 200_000
    assert 500_000 < owed["old-debt"] <= MOST_MINOR, "it can be paid at once"
    assert owed["partly"] > 2 * LEAST_MINOR
    assert owed["no-debt"] == 0
    assert -100_000 < owed["advance"] < 0
    assert owed["closed"] == 0


def test_the_handbook_names_the_accounts_and_sums_that_there_are(utility: Utility) -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "demo.md").read_text(encoding="utf-8")
    rows = {row[0]: row[1] for row in re.findall(r"^\| ([0-9]{7}) \| ([^|]+) \|", page, re.MULTILINE)}
    owed = standings(utility)
    assert list(rows) == [account.number for account in utility.accounts[: len(STORIES)]] + [UNKNOWN]
    for number, told in rows.items():
        balance_minor = abs(owed[number])
        sums = re.findall(r"[0-9]+\.[0-9]{2}", told)
        assert sums == ([format_amount(balance_minor)] if balance_minor else []), number


def test_every_sum_can_be_taken_by_a_terminal(utility: Utility) -> None:
    assert all(LEAST_MINOR <= payment.post.amount_minor <= MOST_MINOR for payment in payments(utility))
    assert all(charge.amount_minor > 0 for month in utility.months for charge in month.charges)


def test_a_payment_has_an_id_of_its_own_in_its_networks_series(utility: Utility) -> None:
    seen: dict[str, int] = {}
    for payment in payments(utility):
        assert int(payment.post.txn) > seen.get(payment.agreement_id, 0)
        seen[payment.agreement_id] = int(payment.post.txn)
    assert set(seen) == {"qiwi", "ibox", "app"}


def test_a_bill_is_known_by_what_it_is_for(utility: Utility) -> None:
    kinds = Counter(
        (charge.number, charge.service, charge.period, charge.document)
        for month in utility.months
        for charge in month.charges
    )
    assert kinds.most_common(1)[0][1] == 1
    assert all(charge.document for month in utility.months for charge in month.charges)


def test_who_has_moved_away_gets_no_more_bills(utility: Utility) -> None:
    assert len(utility.closed) > 5
    last = {charge.number for charge in utility.months[-1].charges}
    assert last.isdisjoint(utility.closed)
    assert utility.accounts[[story.key for story in STORIES].index("closed")].number in utility.closed


def test_some_owe_and_some_are_ahead(utility: Utility) -> None:
    owed = standings(utility).values()
    assert sum(each > 0 for each in owed) > 300
    assert sum(each == 0 for each in owed) > 300
    assert sum(each < 0 for each in owed) > 100
