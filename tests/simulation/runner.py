"""Many histories on all cores, with progress, and with a state that a later run goes on from."""

from __future__ import annotations

import gc
import itertools
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.history import Theatre
from tests.simulation.score import Range, Score, pieces, raise_to, seeds_in

#: Seeds that a worker plays before it reports.
_PIECE = 50
_CLEAN_EVERY = 20
_SAVE_EVERY_S = 10.0
_SAY_EVERY_S = (0.5, 15.0)  # on a terminal, elsewhere
#: After so many failing seeds there is no point in going on.
FAILED_MAX = 50
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder in memory, where there is one


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Histories crash nothing but themselves, so their files need not outlive the machine."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="kvit-simulation-", dir=place) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Wish:
    """What is to be played; ``state`` is where results are kept, if they are."""

    seeds: Range
    workers: int
    state: Path | None = None
    digests: bool = False


@contextmanager
def broken_off() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end nothing by themselves: ask whether one came. An exception in the middle of
    ending processes would leave some behind."""
    came: list[int] = []
    before = [
        (each, signal.signal(each, lambda number, _: came.append(number)))
        for each in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield lambda: bool(came)
    finally:
        for each, handler in before:
            signal.signal(each, handler)


def run(wish: Wish, score: Score) -> bool:
    """Play what ``score`` has not got yet, and add it. False: it was broken off, with everything saved."""
    left = score.left(wish.seeds)
    progress = _Progress(seeds_in(left), score)
    play = _one_by_one if wish.workers == 1 else _at_once
    with broken_off() as is_broken_off, folder_in_memory() as folder:
        parts = itertools.takewhile(lambda _: not is_broken_off(), pieces(left, _PIECE))
        scores = play(wish, parts, folder)
        try:
            for played in scores:
                score.add(played)
                progress.say()
                if progress.is_time_to_save() and wish.state is not None:
                    score.save(wish.state)
                if len(score.failed) >= FAILED_MAX:
                    break
        finally:
            scores.close()  # in front of the folder: whoever still plays is waited for
            progress.end()
            if wish.state is not None:
                score.save(wish.state)
        return not is_broken_off()


def _one_by_one(wish: Wish, parts: Iterator[Range], folder: Path) -> Generator[Score, None, None]:
    """Here, without the seconds that another process takes to begin."""
    theatre = Theatre(folder)
    try:
        for part in parts:
            yield _play(theatre, part, digests=wish.digests)
    finally:
        theatre.close()


def _at_once(wish: Wish, parts: Iterator[Range], folder: Path) -> Generator[Score, None, None]:
    """In processes of their own; each has always one more part to go on with."""
    context = multiprocessing.get_context("spawn")
    running: set[Future[Score]] = set()
    with ProcessPoolExecutor(wish.workers, context, _begin, (folder,)) as pool:
        try:
            while True:
                while len(running) < 2 * wish.workers and (part := next(parts, None)) is not None:
                    running.add(pool.submit(_play_there, part, wish.digests))
                if not running:
                    return
                ended, running = wait(running, return_when=FIRST_COMPLETED)
                for each in ended:
                    yield each.result()
        finally:
            for each in running:
                each.cancel()


_folder = Path()
_theatre: Theatre | None = None


def _begin(folder: Path) -> None:
    global _folder  # noqa: PLW0603 - a worker has one, for as long as it lives
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is at the keyboard speaks to the parent
    logging.disable(logging.CRITICAL)
    gc.disable()  # a history is thrown away whole: cleaning up between them is cheaper
    _folder = folder / str(os.getpid())
    _folder.mkdir()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _play_there(part: Range, digests: bool) -> Score:
    global _theatre  # noqa: PLW0603
    _theatre = _theatre or Theatre(_folder)
    return _play(_theatre, part, digests=digests)


def _play(theatre: Theatre, part: Range, *, digests: bool) -> Score:
    began_s, score = time.process_time(), Score([part])
    for seed in range(part[0], part[1] + 1):
        told = theatre.play(seed)
        score.counts.update(told.counts)
        raise_to(score.highest, told.highest)
        if told.failures:
            score.failed[seed] = told.failures
        if seed % _CLEAN_EVERY == 0:
            gc.collect()
        if digests:
            score.digests[seed] = told.trace.digest()
    score.took_s = time.process_time() - began_s
    return score


class _Progress:
    """A line on standard error: how many, how fast, how long still."""

    def __init__(self, wanted: int, score: Score) -> None:
        self._wanted = wanted
        self._score = score
        self._had = seeds_in(score.done)
        self._began_s = self._said_s = time.monotonic()
        self._saved_s = 0.0
        self._live = sys.stderr.isatty()

    def say(self, *, last: bool = False) -> None:
        now_s = time.monotonic()
        if not last and now_s - self._said_s < _SAY_EVERY_S[not self._live]:
            return
        self._said_s = now_s
        played = seeds_in(self._score.done) - self._had
        rate = played / max(now_s - self._began_s, 0.001)
        text = (
            f"{played:,} of {self._wanted:,} histories, {rate * 60:,.0f} a minute, "
            f"{_span(self._wanted - played, rate)} left, {len(self._score.failed)} failed"
        )
        sys.stderr.write(f"\r\x1b[K{text}" if self._live else text + "\n")
        sys.stderr.flush()

    def is_time_to_save(self) -> bool:
        if time.monotonic() - self._saved_s < _SAVE_EVERY_S:
            return False
        self._saved_s = time.monotonic()
        return True

    def end(self) -> None:
        self.say(last=True)
        if self._live:
            sys.stderr.write("\n")


def _span(count: int, rate: float) -> str:
    if rate <= 0:
        return "nobody knows how long"
    minutes, seconds = divmod(round(count / rate), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes}:{seconds:02} min"
