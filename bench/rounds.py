"""Interleaved runs: A B C A B C …, so that a slow minute of the machine falls on all of them."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from typing import NamedTuple

Measure = Callable[[], float]


class Target(NamedTuple):
    """A ratio by name: which figure is divided by which, and what it should come to."""

    name: str
    of: str
    by: str
    target: float
    at_most: bool = False


def interleaved(measures: Mapping[str, Measure], rounds: int) -> dict[str, list[float]]:
    """Every measure ``rounds`` times, in turn."""
    seen: dict[str, list[float]] = {name: [] for name in measures}
    for place in range(1, rounds + 1):
        for name, measure in measures.items():
            seen[name].append(measure())
            say(f"  round {place}/{rounds}  {name:24} {seen[name][-1]:10,.1f}")
    return seen


def median(values: list[float]) -> float:
    return statistics.median(values)


def ratio(target: Target, figures: Mapping[str, list[float]]) -> dict[str, object] | None:
    """The ratio of the medians, and whether it is what it should be; ``None`` if it was not measured."""
    if not figures.get(target.of) or not figures.get(target.by):
        return None
    value = median(figures[target.of]) / median(figures[target.by])
    is_met = value <= target.target if target.at_most else value >= target.target
    return {"value": round(value, 3), "target": target.target, "at_most": target.at_most, "is_met": is_met}


def say(text: str) -> None:
    """Progress goes where it does not mix with what programs read."""
    print(text, file=sys.stderr, flush=True)
