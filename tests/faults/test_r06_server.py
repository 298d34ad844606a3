"""R6, through the door: the real server dies at a call of the driver while it takes a payment or seals."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kvit.domain.messages import Post
from tests.conftest import ENGINES
from tests.faults.conftest import Seen, load
from tests.faults.paying import CLIENTS, YES, books_of, check_all, durable_cluster
from tests.postgres import Cluster
from tests.proof.serving import Installation
from tests.proof.terminals import Answer, Terminal, pay_target

#: Each of so many points; all of them are tried in test_r06_each_point, where no server has to start.
STEP = load(60, 12)
SEALER_POINTS = load([31], [1, 21, 41, 61])
ROOT = str(Path(__file__).parents[2])
DIE_TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with durable_cluster() as cluster:
        yield cluster


def dying(at: int, thread: str) -> tuple[str, ...]:
    """The program of a server that dies at a point of the threads of this name."""
    code = f"import sys; sys.path.insert(0, {ROOT!r}); from tests.faults.dying import serve; serve()"
    return (sys.executable, "-c", code, str(at), thread)


async def pay(installation: Installation, post: Post, tries: int) -> Answer | None:
    """What a terminal hears, or None where its connection is cut."""
    terminal = Terminal(installation.port)
    try:
        for _ in range(tries):
            answer = await terminal.ask(pay_target(installation.agreements[0].agreement_id, post))
            if answer.code == YES:
                return answer
    except (OSError, EOFError):
        pass
    finally:
        await terminal.close()
    return None


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_server_dies_while_it_takes_a_payment(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """At one point after another, until it has come to the end of a payment without dying."""
    with books_of(engine, tmp_path, request) as installation:
        for kills, at in enumerate(range(1, 1_000, STEP)):  # noqa: B007 - told at the end
            if not die_once(installation, at, "lane-write", expects_death=False):
                break
        assert kills > 0
        seen(kills=kills)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", load(ENGINES[:1], ENGINES))
def test_the_server_dies_while_it_seals(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest, seen: Seen
) -> None:
    """A sealer works once a second, so it comes to any point in the end."""
    with books_of(engine, tmp_path, request) as installation:
        for at in SEALER_POINTS:
            assert die_once(installation, at, "sealer", expects_death=True)
        seen(kills=len(SEALER_POINTS))


def die_once(installation: Installation, at: int, thread: str, *, expects_death: bool) -> bool:
    """Pay while the server dies, ask again once it is back, check all books; did it die?"""
    post = Post(f"{at:05}", CLIENTS[at % 50].number, 100 + at)
    known = len(installation.gateway.rows("payments", installation.town.biller_id))
    installation.start(program=dying(at, thread))
    told = asyncio.run(pay(installation, post, 1))
    is_dead = expects_death or told is None
    if is_dead:
        assert installation.process
        assert installation.process.wait(DIE_TIMEOUT_S) == -signal.SIGKILL
    installation.kill()
    installation.start()
    again = asyncio.run(pay(installation, post, 20))
    assert again is not None
    assert again == (told or again), "another answer than before"
    row = installation.gateway.payment(installation.agreements[0], post.txn)
    assert row is not None
    assert (row["amount_minor"], row["state"]) == (100 + at, "posted")
    assert f"<prv_txn>{row['receipt']}</prv_txn>".encode() in again.body
    check_all(installation)
    assert len(installation.gateway.rows("payments", installation.town.biller_id)) == known + 1
    installation.kill()
    return is_dead
