"""One server of each kind, and what is stored behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kvit.domain.messages import Post
from tests.conftest import create_books
from tests.postgres import Cluster
from tests.proof.serving import Installation, installed
from tests.proof.terminals import Answer, Terminal, pay_target
from tests.seeding import Client, Due

KINDS = ("sqlite", "postgres", "postgres-2-workers")
CLIENTS = [Client(f"{place:07}", [Due(1_000 * place, "2026-09-30"), Due(500)]) for place in range(1, 201)]


class Sent(NamedTuple):
    """One request."""

    agreement_id: str
    post: Post


@contextmanager
def serving(
    request: pytest.FixtureRequest, folder: Path, clients: Sequence[Client]
) -> Iterator[Installation]:
    """A server of the kind that the fixture ``request`` asks for, with two agreements."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'books.sqlite'}"
            create_books(url)
        else:
            cluster: Cluster = request.getfixturevalue("postgres_cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        installation = stack.enter_context(installed(url, folder, clients, names=("qiwi", "bank")))
        installation.start(*(("--workers", "2") if request.param.endswith("workers") else ()))
        yield installation


def stored(served: Installation, prefix: str) -> dict[tuple[str, str], dict[str, Any]]:
    """The payments of one test by (agreement, txn), account numbers included."""
    numbers = {account_id: number for number, account_id in served.town.account_ids.items()}
    rows = served.gateway.rows("payments", served.town.biller_id)
    found = {(row["agreement_id"], row["txn"]): {**row} for row in rows if row["txn"].startswith(prefix)}
    for row in found.values():
        row["number"] = numbers[row["account_id"]]
    return found


async def ask(terminal: Terminal, sent: Sent) -> Answer:
    return await terminal.ask(pay_target(*sent))
