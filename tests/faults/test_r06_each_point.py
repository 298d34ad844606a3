"""R6: killed at each call of the database's driver, in turn; whatever is repeated then is there once."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, NamedTuple

import pytest

from kvit.domain.messages import (
    Conflict,
    Held,
    Hold,
    NoSuchAccount,
    NoSuchTxn,
    Post,
    Posted,
    Result,
    Void,
    Voided,
)
from kvit.domain.model import Agreement
from tests.conftest import ENGINES, create_books
from tests.faults.audited import audit
from tests.faults.conftest import Seen, load
from tests.gateway import Gateway, opened
from tests.postgres import Cluster
from tests.seeding import Client, Due, agreement_of, seed

#: Every point, or some of them and the last few.
STEP, FEW = load(12, 1), 4
NEVER = 1_000_000
#: So many stories share a database.
SHARE = 12
ROOT = str(Path(__file__).parents[2])
CLIENTS = [Client("a", [Due(500), Due(800)]), Client("b", [Due(400)])]
OWED_MINOR = 1_700


class Story(NamedTuple):
    """``first`` is in the books already when the ``deed`` is done that dies."""

    deed: str
    first: Sequence[Post | Hold]
    posts: Sequence[Post | Hold]
    expected: Sequence[type[Result]]
    #: What is in the books in the end.
    paid_minor: dict[str, int]


STORIES = {
    "payment": Story("post", [], [Post("1", "a", 700)], [Posted], {"1": 700}),
    "batch": Story(
        "post",
        [Post("1", "a", 300)],
        [
            Post("2", "a", 500),
            Post("3", "a", 900),  # a neighbour on the same account
            Post("2", "a", 500),  # a twin
            Post("1", "a", 300),  # a repeat
            Post("1", "a", 301),  # a conflict with what is stored
            Post("4", "b", 50),
            Post("4", "a", 50),  # a conflict within the batch
            Post("5", "nobody", 50),
        ],
        [Posted, Posted, Posted, Posted, Conflict, Posted, Conflict, NoSuchAccount],
        {"1": 300, "2": 500, "3": 900, "4": 50},
    ),
    "void": Story(
        "void", [Post("1", "a", 700), Post("2", "a", 900)], [Post("1", "a", 700)], [Voided], {"2": 900}
    ),
    "holds": Story(
        "post",
        [Hold("h1", "a", 300), Hold("h2", "b", 40)],
        [
            Post("h1", "", 0, held=True),
            Hold("2", "b", 60),
            Hold("2", "b", 60),  # a twin
            Post("h2", "", 41, held=True),  # a conflict
            Post("9", "", 0, held=True),  # nothing was held
        ],
        [Posted, Held, Held, Conflict, NoSuchTxn],
        {"h1": 300},
    ),
    "release": Story(
        "void", [Hold("1", "a", 700), Post("2", "a", 900)], [Hold("1", "a", 700)], [Voided], {"2": 900}
    ),
    "sealing": Story("seal", [Post("1", "a", 700), Post("2", "b", 90)], [], [], {"1": 700, "2": 90}),
}


class Doer:
    """A process of its own that does deeds in children, each dying at the point that is asked for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin
        assert process.stdout
        self._said: IO[str] = process.stdin
        self._heard: IO[str] = process.stdout

    def points_of(self, **wish: Any) -> int:  # noqa: ANN401 - as JSON
        """How many points the deed had; 0 if it died at one of them."""
        self._said.write(json.dumps(wish) + "\n")
        self._said.flush()
        told = json.loads(self._heard.readline())
        points = told["points"] if isinstance(told, dict) else 0
        code = json.loads(self._heard.readline()) if points else told
        assert code == (0 if points else -signal.SIGKILL), "the deed failed, and not for its point"
        return int(points)


@contextmanager
def doing() -> Iterator[Doer]:
    program = f"import sys; sys.path.insert(0, {ROOT!r}); from tests.faults.dying import deeds; deeds()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Doer(process)
        assert process.stdin
        process.stdin.close()


@pytest.fixture(scope="module")
def doer() -> Iterator[Doer]:
    with doing() as doer:
        yield doer


@contextmanager
def fresh(engine: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """New books: the auditor looks at every biller there is, so few stories share one database."""
    with ExitStack() as stack:
        if engine == "sqlite":
            template: Path = request.getfixturevalue("sqlite_template")
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
            url = f"sqlite:///{shutil.copy(template, place / 'books.sqlite')}"
        else:
            cluster: Cluster = request.getfixturevalue("postgres_cluster")
            url = stack.enter_context(cluster.database(cluster.template("books", create_books)))
        yield stack.enter_context(opened(url))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STORIES)
@pytest.mark.parametrize("engine", ENGINES)
def test_killed_at_each_call_of_the_driver(
    engine: str, name: str, tmp_path: Path, doer: Doer, request: pytest.FixtureRequest, seen: Seen
) -> None:
    story, told = STORIES[name], list[bool]()
    with fresh(engine, tmp_path, request) as gateway:
        most = tell(gateway, doer, story, NEVER)[0]
    ats, points = chosen(most), 0
    while not points and (some := list(itertools.islice(ats, SHARE))):
        with fresh(engine, tmp_path, request) as gateway:
            for at in some:
                points, is_done = tell(gateway, doer, story, at)
                if points:  # it came to its end: there is no such point
                    assert at > most - FEW
                    break
                told.append(is_done)
    assert len(told) >= most // STEP > 1
    assert 0 < sum(told) < len(told), "no kill came before the commit, or none after it"
    seen(kills=len(told), of_points=most, done_all_the_same=sum(told))


def chosen(most: int) -> Iterator[int]:
    """The points to die at: all of them, until there are no more, or some and those around the commit."""
    if STEP == 1:
        return itertools.count(1)
    return iter(sorted({*range(1, most, STEP), *range(most - FEW, most + 1)}))


def tell(gateway: Gateway, doer: Doer, story: Story, at: int) -> tuple[int, bool]:
    """One kill and all that is asked afterwards: the deed's points if it did not die, and was it done?"""
    town = seed(gateway.database, CLIENTS)
    agreement = agreement_of(town.biller_id, may_hold=True)
    if story.first:
        gateway.post([(agreement, post) for post in story.first])
    points = doer.points_of(
        url=gateway.database.url.render_as_string(hide_password=False), biller_id=town.biller_id,
        deed=story.deed, posts=[(type(post).__name__, asdict(post)) for post in story.posts], at=at,
    )  # fmt: skip
    assert gateway.findings(town.biller_id) == [], f"half done at point {at}"
    is_done = _ASK_AGAIN[story.deed](gateway, agreement, story)
    assert is_done or not points
    assert gateway.findings(town.biller_id) == []
    assert audit(gateway.database, town.biller_id) == []
    rows = gateway.rows("payments", town.biller_id)
    assert {row["txn"]: row["amount_minor"] for row in rows if row["state"] == "posted"} == story.paid_minor
    owed_minor = sum(row["balance_minor"] for row in gateway.rows("accounts", town.biller_id))
    assert owed_minor == OWED_MINOR - sum(story.paid_minor.values())
    return points, is_done


def post_again(gateway: Gateway, agreement: Agreement, story: Story) -> bool:
    """As networks do; was the batch done when its process died?"""
    results = gateway.post([(agreement, post) for post in story.posts])
    assert [type(result) for result in results] == story.expected
    was_there: dict[str, bool] = {}
    paid_before = {post.txn for post in story.first if isinstance(post, Post)}
    for result in results:
        if isinstance(result, Posted | Held) and result.txn not in paid_before:
            was_there.setdefault(result.txn, result.repeat)
    assert len(set(was_there.values())) == 1, f"a part of the batch was there: {was_there}"
    return was_there.popitem()[1]


def void_again(gateway: Gateway, agreement: Agreement, story: Story) -> bool:
    result = gateway.ask(agreement, Void(txn=story.posts[0].txn))
    assert isinstance(result, Voided)
    return result.repeat


def seal_again(gateway: Gateway, agreement: Agreement, _story: Story) -> bool:
    """All records have their places, or none; the auditor's own sealing gives them what they lack."""
    sealed = {row["position"] is not None for row in gateway.rows("journal", agreement.biller_id)}
    assert len(sealed) == 1, "some records were sealed"
    return sealed.pop()


_ASK_AGAIN = {"post": post_again, "void": void_again, "seal": seal_again}
