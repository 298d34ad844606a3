"""A biller whose payments come by a relay: books, the relay in them, and rows as a node would send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kvit.domain import days
from kvit.domain.model import Agreement
from kvit.domain.relay_rows import RelayRow
from kvit.relay import receipts
from kvit.relay.office.genuine import receipt_problems
from kvit.services.relaying.ports import Inbox
from kvit.services.relaying.taking import Taking, take_rows
from kvit.services.relaying.words import Envelope, read_row
from kvit.storage.relay_intake import SqlRelayIntake
from kvit.storage.relays import SqlRelays
from tests.bureau import BILLER, Bureau, bureau_at

RELAY = "main"
NUMBER = 7
EPOCH = "e" * 32
KEY = b"receipt key of a test"
AGREEMENT = Agreement("qiwi", BILLER.biller_id, "qiwi", "test", "RUB", 2, "Europe/Moscow")


@dataclass
class Relayed:
    """An office with one relay."""

    bureau: Bureau
    epoch: str = EPOCH
    agreements: dict[str, Agreement] = field(default_factory=lambda: {"qiwi": AGREEMENT})

    def __post_init__(self) -> None:
        self.relays = SqlRelays(self.bureau.database, BILLER.biller_id)
        self.intake = SqlRelayIntake(self.bureau.database, BILLER.biller_id)
        if not self.relays.all():
            self.relays.save(
                RelayRow(BILLER.biller_id, RELAY, NUMBER, "http://x", b"", "o", 1, "{}", 0, None, None, 0)
            )
            self.relays.meet_epoch(RELAY, self.epoch, 1)

    def row(
        self,
        sequence: int,
        txn: str,
        number: str = "1",
        amount_minor: int = 100,
        *,
        more: Mapping[str, Any] | None = None,
        **others: object,
    ) -> Envelope:
        """A row as a node's JSON becomes one."""
        written = {
            "sequence": sequence, "agreement": "qiwi", "txn": txn, "kind": "pay", "number": number,
            "amount_minor": amount_minor, "currency": "RUB", "service": "", "network_time": "",
            "network_time_raw": "", "fields": {}, "received_at_us": days.to_us(self.bureau.clock.at),
            "receipt": receipts.make(NUMBER, sequence, self.epoch, KEY),
        } | others | dict(more or {})  # fmt: skip
        read = read_row(written)
        assert read is not None
        return read

    def take(self, *rows: Envelope) -> Taking:
        inbox = Inbox(
            BILLER.biller_id, RELAY, self.epoch, self.agreements, receipt_problems(NUMBER, self.epoch, KEY)
        )
        return take_rows(self.intake, inbox, rows, self.bureau.clock.now())

    def payments(self) -> dict[str, tuple[int, int, int]]:
        """txn -> (receipt, account, sum) of every payment in the books."""
        return {
            row["txn"]: (row["receipt"], row["account_id"], row["amount_minor"])
            for row in self.table("payments")
        }

    def table(self, name: str) -> Sequence[Any]:
        from sqlalchemy import select

        from kvit.storage.schema import metadata

        with self.bureau.database.read() as connection:
            return list(connection.execute(select(metadata.tables[name])).mappings())


@contextmanager
def relayed_at(url: str) -> Iterator[Relayed]:
    """The books are checked when it closes in peace."""
    with bureau_at(url) as bureau:
        bureau.clients("1", "2", "3")
        yield Relayed(bureau)
