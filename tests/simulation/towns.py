"""The billers that histories begin with, made once and copied: few, since nothing has happened in them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from kvit.storage.engine import open_database
from kvit.storage.migrate import upgrade
from tests.seeding import Client, Due, seed

TOWNS = 48
SERVICES = ("1", "2")
_DAYS = ("2026-08-31", "2026-09-30", "2026-10-31", "2026-11-30")
_CLOSED_THROUGH = ("", "", "", "2026-10-31", "2026-11-23")


@dataclass(frozen=True)
class Biller:
    """``numbers`` are those of its clients; ``closed`` of those whose account takes no payments."""

    biller_id: str
    clients: tuple[Client, ...]
    closed_through: str

    @property
    def numbers(self) -> list[str]:
        return [client.number for client in self.clients]


def billers_of(town: int) -> list[Biller]:
    """Always the same for the same town."""
    chance = Random(f"town/{town}")  # noqa: S311
    billers = []
    for place in range(chance.choice((1, 1, 2))):
        clients = [
            Client(
                str(1001 + number),
                [
                    Due(chance.randint(1, 40) * 500, chance.choice(_DAYS), chance.choice(SERVICES))
                    for _ in range(chance.randint(0, 4))
                ],
                "closed" if number and chance.random() < 0.1 else "active",
            )
            for number in range(chance.randint(2, 4))
        ]
        billers.append(Biller(f"b{place + 1}", tuple(clients), chance.choice(_CLOSED_THROUGH)))
    return billers


class Towns:
    """Files with the towns' books, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._empty = folder / "empty.sqlite"

    def file(self, town: int) -> Path:
        path = self._folder / f"town{town}.sqlite"
        if not path.exists():
            if not self._empty.exists():
                _work_on(self._empty, None)
            shutil.copyfile(self._empty, path)
            _work_on(path, town)
        return path


def _work_on(path: Path, town: int | None) -> None:
    database = open_database(f"sqlite:///{path}")
    try:
        if town is None:
            upgrade(database)
            return
        for biller in billers_of(town):
            seed(database, biller.clients, biller_id=biller.biller_id, closed_through=biller.closed_through)
    finally:
        database.close()
