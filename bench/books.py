"""Books of any size in a short time: what the product would have written, made by the database itself.

Clients 00000001 … with one agreement, ``charges_each`` open charges and ``payments`` payments, all of
them balanced. Ids are given like the product's: one series for everything.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import psycopg
from sqlalchemy import Connection, text

from bench.wrk import LOGIN, PASSWORD
from kvit.domain import days
from kvit.domain.model import Agreement, Biller, Fee
from kvit.storage import agreements as agreement_storage
from kvit.storage.billers import add_biller
from kvit.storage.engine import Database, open_database
from kvit.storage.migrate import upgrade
from kvit.storage.secretbox import open_box

BILLER, AGREEMENT = "bench", "bench"
OWED_MINOR, PAID_MINOR = 10_000_000, 100
MADE_AT_US = 1_790_000_000_000_000
DAY = "2026-10-01"


class Size(NamedTuple):
    """How much is in the books."""

    accounts: int
    charges_each: int
    payments: int

    @property
    def charges(self) -> int:
        return self.accounts * self.charges_each

    @property
    def first_payment(self) -> int:
        return self.accounts + self.charges + 2


def make(url: str, data: Path, size: Size) -> None:
    """Fill the empty database at ``url``; ``data`` gets the key of the agreement's secrets."""
    database = open_database(url)
    try:
        upgrade(database)
        box = open_box(data)
        agreement = Agreement(
            agreement_id=AGREEMENT, biller_id=BILLER, protocol="qiwi", mode="live", currency="RUB",
            exponent=2, timezone="Europe/Moscow", networks=("127.0.0.0/8",), basic_login=LOGIN,
            basic_password=PASSWORD, fee=Fee(percent_millionths=12_000),
        )  # fmt: skip
        with database.write() as connection:
            biller = Biller(BILLER, "Водоканал", "RUB", "Europe/Moscow", "none", "", MADE_AT_US)
            add_biller(connection, biller)
            agreement_storage.save(connection, agreement, box, days.to_us(days.from_us(MADE_AT_US, "UTC")))
            _fill(connection, size)
        _look_at(database)
    finally:
        database.close()


def _fill(connection: Connection, size: Size) -> None:
    is_postgres = connection.dialect.name == "postgresql"
    values = {
        "biller": BILLER, "agreement": AGREEMENT, "at": MADE_AT_US, "day": DAY, "owed": OWED_MINOR,
        "paid": PAID_MINOR, "accounts": size.accounts, "charges": size.charges, "each": size.charges_each,
        "payments": size.payments, "act": size.accounts + size.charges + 1, "first": size.first_payment,
        "next": size.first_payment + size.payments,
    }  # fmt: skip
    for statement in _STATEMENTS:
        ready = statement.replace("{number}", _NUMBER[is_postgres]).replace("{bytes}", _BYTES[is_postgres])
        for name in ("accounts", "charges", "payments"):
            ready = ready.replace(f"{{each of {name}}}", _SERIES[is_postgres].replace("{last}", f":{name}"))
        names = {name for name in values if f":{name}" in ready}
        connection.execute(text(ready), {name: values[name] for name in names})
    series = "SELECT setval('book_ids', :next)" if is_postgres else "UPDATE ids SET next_id = :next"
    connection.execute(text(series), {"next": values["next"]})


def _look_at(database: Database) -> None:
    """As the database's own maintenance would in the night after."""
    if database.is_postgres:
        address = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


_SERIES = {
    True: "generate_series(1, CAST({last} AS bigint)) AS s (n)",
    False: (
        "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {last}) "
        "SELECT n FROM s WHERE {last} > 0)"
    ),
}
_NUMBER = {True: "lpad(CAST(n AS text), 8, '0')", False: "printf('%08d', n)"}
_BYTES = {True: "CAST('\\x00' AS bytea)", False: "x'00'"}
_STATEMENTS = [
    part
    for part in Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").split(";\n")
    if part.strip()
]
