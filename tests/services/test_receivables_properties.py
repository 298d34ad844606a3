"""What holds for every file and every order of events: imports, payments, voids, balances."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.bureau import Balance, Bureau, Owed, bureau_at
from tests.conftest import create_books
from tests.postgres import Cluster

NUMBERS = ("1001", "1002", "1003")
DAY = "2026-10-19"

numbers = st.sampled_from(NUMBERS)
sums = st.sampled_from([0, 1, 100, 250, 300, 999, 5000])
charges = st.builds(
    Owed,
    line=st.just(0),
    number=numbers,
    amount_minor=sums,
    service=st.sampled_from(["", "water"]),
    period=st.sampled_from(["", "2026-09"]),
    document=st.sampled_from(["", "", "A"]),
    due=st.sampled_from(["", "2026-10-05"]),
)


def a_file(rows: Sequence[Owed]) -> list[Owed]:
    """Rows as one file may hold them: one row for one document."""
    kept: dict[Any, Owed] = {}
    for place, row in enumerate(rows):
        kept[row[1:2] + row[3:6] if row.document else place] = row
    return [row._replace(line=line) for line, row in enumerate(kept.values(), 2)]


files = st.lists(charges, max_size=12).map(a_file)


@contextmanager
def a_bureau(template: Path) -> Iterator[Bureau]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "books.sqlite"
        shutil.copy(template, path)
        with bureau_at(f"sqlite:///{path}") as bureau:
            bureau.clients(*NUMBERS)
            yield bureau


def picture(bureau: Bureau) -> list[dict[str, Any]]:
    """All accounts as a person sees them; charges without their ids, in no particular order."""
    pages = [bureau.page(number) for number in NUMBERS]
    for page in pages:
        for charge in page["charges"]:
            del charge["id"]
        page["charges"].sort(key=lambda charge: sorted(charge.items(), key=str))
    return pages


def owed_in(rows: Sequence[Owed]) -> dict[str, int]:
    return {number: sum(row.amount_minor for row in rows if row.number == number) for number in NUMBERS}


@settings(max_examples=15)
@given(files, files)
def test_a_file_twice_is_a_file_once(sqlite_template: Path, first: list[Owed], second: list[Owed]) -> None:
    with a_bureau(sqlite_template) as bureau:
        bureau.charges(first)
        bureau.paid("1001", 400)
        bureau.charges(second)
        before = picture(bureau)
        tally = bureau.charges(second).tally
        assert (tally.new, tally.adjusted, tally.unchanged) == (0, 0, len(second))
        assert picture(bureau) == before


@settings(max_examples=15)
@given(files, st.sets(st.tuples(numbers, st.sampled_from(["", "A"]))))
def test_two_halves_are_the_whole(
    sqlite_template: Path, rows: list[Owed], halves: set[tuple[str, str]]
) -> None:
    """However a file is cut, as long as rows that only their occurrence tells apart stay together."""
    parts = [
        [row for row in rows if ((row.number, row.document) in halves) is side] for side in (True, False)
    ]
    with a_bureau(sqlite_template) as whole, a_bureau(sqlite_template) as cut:
        whole.charges(rows)
        for part in parts:
            cut.charges(part)
        assert picture(cut) == picture(whole)
        assert {number: whole.due(number) for number in NUMBERS} == owed_in(rows)


@settings(max_examples=15)
@given(files.flatmap(lambda rows: st.tuples(st.just(rows), st.permutations(rows))))
def test_the_order_of_the_rows_does_not_matter(
    sqlite_template: Path, orders: tuple[list[Owed], list[Owed]]
) -> None:
    rows, shuffled = orders
    with a_bureau(sqlite_template) as bureau:
        bureau.charges(rows)
        before = picture(bureau)
        tally = bureau.charges(shuffled).tally
        assert (tally.new, tally.adjusted) == (0, 0)
        assert picture(bureau) == before


pays = st.tuples(st.just("pay"), numbers, st.integers(1, 3000), st.sampled_from(["", "water"]))
voids = st.tuples(st.just("void"), st.integers(0, 20))
imports = st.tuples(st.just("charge"), files)
balances = st.tuples(st.just("balance"), st.dictionaries(numbers, st.integers(-2000, 6000), min_size=1))
events = st.lists(st.one_of(imports, pays, voids, balances), max_size=12)


class Story:
    """Runs events on real books and adds up beside them what everybody must owe."""

    def __init__(self, bureau: Bureau) -> None:
        self.bureau = bureau
        self.due = dict.fromkeys(NUMBERS, 0)
        self.receipts: list[tuple[int, str, int]] = []
        self.charged: dict[tuple[str, ...], list[int]] = {}
        self.balances = dict.fromkeys(NUMBERS, 0)

    def run(self, event: tuple[Any, ...]) -> None:
        kind, *details = event
        getattr(self, kind)(*details)
        for number in NUMBERS:
            page = self.bureau.page(number)
            open_minor = sum(charge["open_minor"] for charge in page["charges"])
            assert page["due_minor"] - page["advance_minor"] == self.due[number]
            # Money and debt never lie side by side: one settles the other.
            assert open_minor == max(self.due[number], 0)

    def pay(self, number: str, amount_minor: int, service: str) -> None:
        self.receipts.append((self.bureau.paid(number, amount_minor, service=service), number, amount_minor))
        self.due[number] -= amount_minor

    def void(self, place: int) -> None:
        if self.receipts:
            receipt, number, amount_minor = self.receipts.pop(place % len(self.receipts))
            self.bureau.void(receipt)
            self.due[number] += amount_minor

    def charge(self, rows: list[Owed]) -> None:
        self.bureau.charges(rows)
        groups: dict[tuple[str, ...], list[int]] = {}
        for row in rows:
            kind: tuple[str, ...] = (row.number, row.service or "main", row.period, row.document)
            groups.setdefault(kind, []).append(row.amount_minor)
        for group, stated in groups.items():
            known = self.charged.setdefault(group, [])
            before_minor = sum(known)
            take_in(known, stated)
            self.due[group[0]] += sum(known) - before_minor

    def balance(self, wanted: dict[str, int]) -> None:
        """Everything else is booked on a later day, so only earlier balances count against the file."""
        rows = [Balance(line, number, wanted[number]) for line, number in enumerate(sorted(wanted), 2)]
        added_minor = self.bureau.balances(rows, DAY).tally.added_minor
        assert added_minor == sum(wanted.values()) - sum(self.balances[number] for number in wanted)
        for number, amount_minor in wanted.items():
            self.due[number] += amount_minor - self.balances[number]
            self.balances[number] = amount_minor
        assert self.bureau.balances(rows, DAY).tally.unchanged == len(rows)


def take_in(known: list[int], stated: list[int]) -> None:
    """The rule on charges of one kind, said once more: equal ones are there, others change in order."""
    places = list(range(len(known)))
    others = []
    for amount_minor in stated:
        same = next((place for place in places if known[place] == amount_minor), None)
        if same is None:
            others.append(amount_minor)
        else:
            places.remove(same)
    for amount_minor in others:
        if places:
            known[places.pop(0)] = amount_minor
        elif amount_minor:
            known.append(amount_minor)


@settings(max_examples=30)
@given(events)
def test_every_story_keeps_the_books(sqlite_template: Path, events: list[tuple[Any, ...]]) -> None:
    with a_bureau(sqlite_template) as bureau:
        story = Story(bureau)
        for event in events:
            story.run(event)
            bureau.check()


@pytest.fixture(scope="session")
def books_template(postgres_cluster: Cluster) -> str:
    return postgres_cluster.template("books", create_books)


@settings(max_examples=8)
@given(events)
def test_every_story_keeps_the_books_on_postgres(
    postgres_cluster: Cluster, books_template: str, events: list[tuple[Any, ...]]
) -> None:
    with postgres_cluster.database(books_template) as url, bureau_at(url) as bureau:
        bureau.clients(*NUMBERS)
        story = Story(bureau)
        for event in events:
            story.run(event)
        bureau.check()
