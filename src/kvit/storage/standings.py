"""How accounts stand, for the simulator: what a trial terminal suggests to its visitor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from kvit.domain.model import ACTIVE, CLOSED
from kvit.storage.schema import accounts, charges, payments


class Standing(NamedTuple):
    """``balance_minor`` > 0 is owed by the client, < 0 is paid in advance."""

    number: str
    name: str
    status: str
    balance_minor: int


class Sizes(NamedTuple):
    accounts: int
    charges: int
    payments: int


_COLUMNS = (accounts.c.number, accounts.c.name, accounts.c.status, accounts.c.balance_minor)


def standings(connection: Connection, biller_id: str, numbers: Sequence[str]) -> list[Standing]:
    """In the order asked for; numbers that nobody has are left out."""
    rows = connection.execute(
        select(*_COLUMNS).where(accounts.c.biller_id == biller_id, accounts.c.number.in_(numbers))
    )
    found = {row.number: Standing(*row) for row in rows}
    return [found[number] for number in numbers if number in found]


def examples(connection: Connection, biller_id: str) -> list[Standing]:
    """One account of each kind, as far as there are such: owing, owing nothing, paid in advance, closed."""
    balance_minor = accounts.c.balance_minor
    kinds = (
        (accounts.c.status == ACTIVE, balance_minor > 0),
        (accounts.c.status == ACTIVE, balance_minor == 0),
        (accounts.c.status == ACTIVE, balance_minor < 0),
        (accounts.c.status == CLOSED,),
    )
    found = []
    for kind in kinds:
        query = select(*_COLUMNS).where(accounts.c.biller_id == biller_id, *kind)
        row = connection.execute(query.order_by(accounts.c.account_id).limit(1)).one_or_none()
        found += [] if row is None else [Standing(*row)]
    return found


def sizes(connection: Connection, biller_id: str) -> Sizes:
    """How many rows of each kind the biller has."""
    return Sizes(
        *(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.biller_id == biller_id)
            ).scalar_one()
            for table in (accounts, charges, payments)
        )
    )
