"""What many histories came to, and the file that remembers it, so that a long run may be broken off."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: What a history depends on: where any of it has changed, old results say nothing.
_CODE = ("src/kvit", "tests/simulation", "tests/books_check.py", "tests/model.py", "tests/seeding.py")

Range = tuple[int, int]


@dataclass
class Score:
    """``done``: ranges of seeds, both ends included, in order; ``failed``: seed -> what was broken."""

    done: list[Range] = field(default_factory=list)
    failed: dict[int, list[str]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    highest: dict[str, int] = field(default_factory=dict)
    digests: dict[int, str] = field(default_factory=dict)
    took_s: float = 0.0

    def add(self, other: Score) -> None:
        self.done = joined([*self.done, *other.done])
        self.failed |= other.failed
        self.digests |= other.digests
        self.counts.update(other.counts)
        raise_to(self.highest, other.highest)
        self.took_s += other.took_s

    def left(self, wanted: Range) -> list[Range]:
        """What of ``wanted`` has not been played."""
        found, start = [], wanted[0]
        for first, last in self.done:
            if first > wanted[1]:
                break
            if first > start:
                found.append((start, first - 1))
            start = max(start, last + 1)
        return [*found, (start, wanted[1])] if start <= wanted[1] else found

    def save(self, path: Path) -> None:
        """All or nothing: a run that is killed while it saves leaves the state before."""
        path.parent.mkdir(parents=True, exist_ok=True)
        saved = {
            "code": fingerprint(), "done": self.done, "failed": self.failed, "counts": self.counts,
            "highest": self.highest, "took_s": self.took_s,
        }  # fmt: skip
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(saved), encoding="utf-8")
        fresh.replace(path)


def load(path: Path) -> Score | None:
    """What was played of the code as it is now; ``None``: nothing."""
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        if saved["code"] != fingerprint():
            return None
        return Score(
            done=[(first, last) for first, last in saved["done"]],
            failed={int(seed): lines for seed, lines in saved["failed"].items()},
            counts=Counter(saved["counts"]),
            highest=saved["highest"],
            took_s=saved["took_s"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def raise_to(highest: dict[str, int], others: dict[str, int]) -> None:
    """Let every value of ``highest`` be at least that of ``others``."""
    for name, value in others.items():
        highest[name] = max(value, highest.get(name, value))


def joined(ranges: list[Range]) -> list[Range]:
    """The same seeds in as few ranges as possible."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found


def pieces(ranges: list[Range], size: int) -> Iterator[Range]:
    """Cut into parts of at most ``size`` seeds."""
    for first, last in ranges:
        for start in range(first, last + 1, size):
            yield start, min(start + size - 1, last)


def seeds_in(ranges: list[Range]) -> int:
    return sum(last - first + 1 for first, last in ranges)


def fingerprint() -> str:
    """Of everything that a history depends on."""
    digest = hashlib.sha256()
    for name in _CODE:
        place = ROOT / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
