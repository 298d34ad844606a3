"""What channels lead to: the import of what comes, the registers of debts that go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from kvit.domain import days
from kvit.domain.debts import WRITTEN
from kvit.domain.errors import NotFound
from kvit.domain.lines import REGISTER, STATEMENT
from kvit.domain.model import Agreement, Biller
from kvit.files.base import ByteSource, ReadOptions
from kvit.files.errors import FileRefused
from kvit.files.formats import FORMATS
from kvit.files.recognising import read_file
from kvit.main import House
from kvit.main.debts import debt_office, debt_terms
from kvit.main.intake import Hearing, Taken, Wish, take
from kvit.main.travel import Ends, Travel
from kvit.services.debts.deciding import mark_sent
from kvit.services.debts.making import make_register
from kvit.services.travel.ports import OUT, Outcome, Parcel, Take
from kvit.storage import arrivals, billers
from kvit.storage.channel_files import SqlChannelBook

#: Who books what comes, and makes the registers that the schedule sends.
AUTHOR = "channel"


def make_travel(house: House) -> Travel:
    """Fetching and sending with the real ends."""

    def owner(agreement: Agreement) -> Biller:
        with house.database.read() as connection:
            biller = billers.find_biller(connection, agreement.biller_id)
        if biller is None:
            raise NotFound(f"there is no biller {agreement.biller_id}")
        return biller

    def take_for(agreement: Agreement) -> Take:
        return lambda name, place: _take(house, owner(agreement), agreement, name, place)

    def prepare(agreement: Agreement, due_at_us: int) -> None:
        """One register for one time: a run that is tried again sends the one that it has made."""
        office = debt_office(house, owner(agreement), agreement, AUTHOR)
        known = office.store.registers(agreement.agreement_id)
        if not any(row.author == AUTHOR and row.made_at_us >= due_at_us for row in known):
            make_register(office, debt_terms(agreement))

    def has_register(agreement: Agreement, day: str) -> bool:
        after = date.fromisoformat(day) + timedelta(days=1)
        over = datetime(after.year, after.month, after.day, tzinfo=days.zone(agreement.timezone))
        key = (agreement.biller_id, agreement.agreement_id)
        with house.database.read() as connection:
            return arrivals.has_register(connection, key, day, days.to_us(over))

    return Travel(
        house,
        Ends(
            take_for,
            prepare,
            lambda agreement, number: DebtOutbox(house, owner(agreement), agreement, number),
            has_register,
        ),
    )


def _take(house: House, biller: Biller, agreement: Agreement, name: str, place: str) -> Outcome:
    path = Path(place)
    file = ByteSource(name, path.stat().st_size, lambda: path.open("rb"))
    kind = _kind(file, biller)
    of_whom = agreement.agreement_id if kind == REGISTER else ""
    taken = take(house, biller, AUTHOR, Wish(file, kind, of_whom), Hearing())
    return Outcome(is_taken=True, detail="; ".join(_told(one, kind) for one in taken))


def _kind(file: ByteSource, biller: Biller) -> str:
    """A statement is known by its content; everything else is for the agreement's own format to read."""
    try:
        readings = read_file(file, ReadOptions(biller.currency))
    except FileRefused:
        return REGISTER
    kinds = {FORMATS[reading.facts.format].kind for _, reading in readings}
    return STATEMENT if kinds == {STATEMENT} else REGISTER


def _told(taken: Taken, kind: str) -> str:
    counts = taken.outcome.counts
    parts = [f"{count} {verdict}" for verdict, count in counts.as_texts().items() if count]
    lines = f"{kind}, {counts.rows} lines" if counts.rows else f"{kind} without lines"
    return ", ".join([lines, *parts]) + f" (import {taken.outcome.import_id})"


@dataclass(frozen=True, slots=True)
class DebtOutbox:
    """Registers that were made for the channel and have not gone: those of the schedule, those that set out
    once, and number ``wanted``. One that a person carries to the bank as a file does not wait here."""

    house: House
    biller: Biller
    agreement: Agreement
    wanted: int = 0

    def waiting(self) -> list[Parcel]:
        office = debt_office(self.house, self.biller, self.agreement, AUTHOR)
        key = (self.agreement.biller_id, self.agreement.agreement_id)
        book = SqlChannelBook(self.house.database, key, lambda: 0)
        parcels = []
        for row in office.store.registers(self.agreement.agreement_id):
            if row.state != WRITTEN or row.sent_at_us is not None:
                continue
            out = book.find(OUT, row.file_name, row.file_digest)
            if row.author == AUTHOR or out is not None or row.register_number == self.wanted:
                chunks = office.store.read(row.file_digest)
                parcels.append(Parcel(row.register_number, row.file_name, chunks))
        return parcels

    def sent(self, number: int) -> None:
        mark_sent(debt_office(self.house, self.biller, self.agreement, AUTHOR), number)
