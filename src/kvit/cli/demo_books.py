"""The demo's folder: a made-up utility's books, made once by the same services that real books are made by.

Books are made under another name and get their own at the very end, so what a crash leaves behind is never
taken for them. Nothing is deleted that the demo has not made.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

from kvit.cli.agreements import save
from kvit.config import Settings
from kvit.domain import days
from kvit.domain.errors import NotAllowed
from kvit.domain.messages import Posted
from kvit.domain.model import CLOSED, Agreement
from kvit.main import House, RegistryCatalogue, SystemClock, open_house
from kvit.services.agreements import read_file
from kvit.services.billers import make_biller
from kvit.services.payments import post_batch
from kvit.services.ports import PostingBook
from kvit.services.receivables import run as imports
from kvit.services.receivables.office import accounts_job, charges_job, set_status
from kvit.simulator.clients import APP, IBOX, QIWI, STORIES, UNKNOWN
from kvit.simulator.utility import BILLER, SEED, Payment, Utility, make_utility
from kvit.storage import migrate
from kvit.storage.billers import SqlBillerBook
from kvit.storage.posting_sqlite import SqlitePostings
from kvit.storage.receivables import SqlReceivables
from kvit.storage.sealing import seal_all

AUTHOR = "demo"
BOOKS = "kvit.sqlite"
#: The demo's own note of what it has made; a folder with books and without it belongs to somebody else.
NOTE = "demo.json"
AGREEMENTS = "agreements.toml"
_UNDER_WORK = "kvit.seeding"
_SIDE_FILES = ("", "-wal", "-shm", "-journal")


AGREEMENTS_TOML = f"""\
# The agreements of the demo. Change them as you like, then: kvit agreement apply {AGREEMENTS}

[[agreement]]
id = "{QIWI}"
title = "QIWI"
protocol = "qiwi"
mode = "test"
basic = {{ login = "osmp", password = "demo-qiwi" }}
min_sum = "10.00"
max_sum = "15000.00"
fee = {{ percent = "1.2" }}

[[agreement]]
id = "{IBOX}"
title = "iBox"
protocol = "qiwi"
mode = "test"
basic = {{ login = "ibox", password = "demo-ibox" }}
min_sum = "10.00"
max_sum = "15000.00"
fee = {{ percent = "0.8", min = "3.00" }}
[agreement.dialect]
response_txn_tag = "ibox_txn_id"
prv_txn_date = "on"

[[agreement]]
id = "{APP}"
title = "Городской банк"
protocol = "native"
mode = "test"
secret = "demo-app"
min_sum = "10.00"
max_sum = "15000.00"
fee = {{ percent = "0.5" }}
"""


@dataclass(slots=True)
class Progress:
    """Whom the making of books tells what it is at: ``begin(rows)`` once, then ``step(what, rows)``."""

    begin: Callable[[int], None]
    step: Callable[[str, int], None]


class VirtualClock:
    """Stands where it was set: the books of past months are made as if they were being lived."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


class _Quick(SqlReceivables):
    """Nobody else is waiting for books that are not there yet."""

    def rest(self) -> None:
        return


def are_made(folder: Path) -> bool:
    """Are there books of the demo in the folder? Raises ``NotAllowed`` where somebody else's are."""
    if not (folder / BOOKS).exists():
        return False
    if not (folder / NOTE).exists():
        raise NotAllowed(
            f"{folder} holds books that the demo has not made, and it will not touch them; "
            "choose another folder with --data"
        )
    return True


def remove(folder: Path) -> None:
    """Take the demo's books away; what else lies in the folder stays."""
    are_made(folder)
    # The books go first: without them the rest is what a crash leaves behind.
    for name in (BOOKS, _UNDER_WORK):
        for side in _SIDE_FILES:
            (folder / (name + side)).unlink(missing_ok=True)
    for name in (NOTE, AGREEMENTS):
        (folder / name).unlink(missing_ok=True)


def make(folder: Path, progress: Progress) -> None:
    """Make the books, from the first client to the evening before today; a crash leaves none."""
    remove(folder)
    today = SystemClock().now().astimezone(ZoneInfo(BILLER.timezone)).date()
    utility = make_utility(today)
    under_work = folder / _UNDER_WORK
    settings = Settings(data=str(folder), database=f"sqlite:///{under_work.absolute()}")
    clock = VirtualClock(utility.began_at)
    house = open_house(settings, clock=clock, checked=False)
    try:
        with _no_pauses():
            _Making(house, clock, utility, progress).run()
    finally:
        house.close()
    left_over = [side for side in _SIDE_FILES[1:] if Path(f"{under_work}{side}").exists()]
    assert not left_over, f"the books are not whole in one file: {left_over}"
    (folder / AGREEMENTS).write_text(AGREEMENTS_TOML, encoding="utf-8")
    numbers = {account.number: story.key for account, story in zip(utility.accounts, STORIES, strict=False)}
    note = {"seed": SEED, "made_on": today.isoformat(), "numbers": numbers | {UNKNOWN: "unknown"}}
    (folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    under_work.rename(folder / BOOKS)


def stories(folder: Path) -> dict[str, str]:
    """The numbers worth trying -> their story; empty for a folder that the demo has not made."""
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return dict(note["numbers"])


@contextmanager
def _no_pauses() -> Iterator[None]:
    """Half a million small tuples and no cycles: looking for garbage takes a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Making:
    """Lives through the months: clients, agreements, then charges and payments in turn."""

    def __init__(self, house: House, clock: VirtualClock, utility: Utility, progress: Progress) -> None:
        self._house = house
        self._clock = clock
        self._utility = utility
        self._progress = progress
        self._store = _Quick(house.database, BILLER.biller_id)
        self._postings = SqlitePostings(house.database.path)
        self._agreements: dict[str, Agreement] = {}

    def run(self) -> None:
        """Raises whatever goes wrong; the books are worth nothing then."""
        months = self._utility.months
        rows = len(self._utility.accounts) + sum(len(one.charges) + len(one.payments) for one in months)
        self._progress.begin(rows)
        try:
            self._begin()
            for month in months:
                self._clock.at = month.issued_at
                self._import(charges_job(self._store, month.charges), f"charges-{month.period}.csv")
                self._pay(month.period, month.payments)
            for number in self._utility.closed:
                self._store.write(
                    lambda book, number=number: set_status(book, number, CLOSED, AUTHOR, self._clock.now())  # type: ignore[misc]
                )
            while seal_all(self._house.database):
                pass
        finally:
            self._postings.close()

    def _begin(self) -> None:
        database, now_us = self._house.database, days.to_us(self._clock.now())
        migrate.upgrade(database)
        with database.write() as connection:
            make_biller(SqlBillerBook(connection), BILLER._replace(created_at_us=now_us), AUTHOR)
        agreements = read_file(AGREEMENTS_TOML.encode(), BILLER, RegistryCatalogue())
        save(self._house, agreements)
        self._agreements = {agreement.agreement_id: agreement for agreement in agreements}
        self._import(accounts_job(self._store, BILLER, self._utility.accounts), "clients.csv")

    def _import(self, job: imports.Job, name: str) -> None:
        done = 0

        def tell(rows: int) -> None:
            nonlocal done
            self._progress.step(name.removesuffix(".csv").replace("-", " ", 1), rows - done)
            done = rows

        digest = sha256(f"{SEED} {name}".encode()).hexdigest()
        imports.run(imports.Office(self._store, self._clock, AUTHOR, tell), job, imports.File(name, digest))

    def _pay(self, period: str, payments: list[Payment]) -> None:
        def book_all(book: PostingBook) -> None:
            # Those of an hour are booked together, as a server under load does: it is quicker.
            for _, group in groupby(payments, key=lambda payment: (payment.at.date(), payment.at.hour)):
                together = list(group)
                demands = [(self._agreements[one.agreement_id], one.post) for one in together]
                results = post_batch(book, demands, together[-1].at + timedelta(seconds=2))
                assert all(isinstance(result, Posted) for result in results), results
                self._progress.step(f"payments {period}", len(together))

        self._postings.run(book_all)
