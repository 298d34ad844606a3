"""What happened in a history, in order; written out only when somebody wants to read it."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator

from kvit.domain.messages import ListPosted, Lookup, Post, Status, Void
from kvit.domain.money import format_amount


class Trace:
    """Lines of one history, what went wrong in it, and how often what happened."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lines: list[tuple[float, str, str, tuple[object, ...]]] = []
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()
        self.highest: dict[str, int] = {}
        #: Done when something went wrong: the rest of such a history is of no use.
        self.stop: asyncio.Future[None] = loop.create_future()

    def note(self, who: str, text: str, *values: object) -> None:
        """``text`` with its ``{}`` is put together later, so the values must not change."""
        self._lines.append((self._loop.time(), who, text, values))

    def most(self, name: str, value: int) -> None:
        """Keep the highest ``value`` of ``name``."""
        self.highest[name] = max(value, self.highest.get(name, 0))

    def fail(self, text: str) -> None:
        """An invariant is broken."""
        self.failures.append(text)
        self.note("BROKEN", "{}", text)
        if not self.stop.done():
            self.stop.set_result(None)

    def lines(self) -> Iterator[str]:
        for at_s, who, text, values in self._lines:
            yield f"{at_s:9.3f}  {who:9}  {text.format(*(_said(value) for value in values))}"

    def digest(self) -> str:
        """Equal for equal histories."""
        return hashlib.sha256("\n".join(self.lines()).encode()).hexdigest()


def _said(value: object) -> object:
    """A command as a person would say it; anything else as it is."""
    if isinstance(value, Post):
        service = f" for service {value.service}" if value.service else ""
        return f"pay {value.txn}, {format_amount(value.amount_minor)} to {value.number}{service}"
    if isinstance(value, Lookup):
        return f"check {value.number} ({value.txn})"
    if isinstance(value, Void):
        return f"cancel {value.txn or value.receipt}"
    if isinstance(value, Status):
        return f"status of {value.txn}"
    if isinstance(value, ListPosted):
        return f"list {value.since}"
    return value
