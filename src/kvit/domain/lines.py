"""Money as bank files name it: lines of payment registers and of statements, before anything is decided.

A file format gives these records whatever its bytes look like. Sums are integers of minor units and above
zero; ``direction`` says which way the money went.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

IN = "in"
OUT = "out"

#: Kinds of files that hold such lines.
REGISTER = "register"
STATEMENT = "statement"

#: So much of a line's raw text is kept.
RAW_LENGTH_MAX = 1_000


class MoneyLine(NamedTuple):
    """One payment as a file names it.

    ``line``: where it begins in the file, from 1 (a record's number where the file has no lines).
    ``key``: the network's own id of the payment, the one it would have used online; empty where the format
    has none that can be trusted. ``known_by``: all that tells this line from others where there is no key,
    as one text, the day included: the same line gives the same text in any file. ``day``: ISO, of booking
    (the bank's operating day). ``at``: ISO local time of the payer's payment, ``""`` if not told.
    ``number``: the client's number as the file has it. ``payer_account``: an account number or IBAN.
    ``fee_minor``: kept by the agent; ``net_minor``: paid out to the biller; ``None`` where not told.
    ``own_account``: the biller's account that a statement is about. ``is_final``: False for pending and
    informational entries, which are no money. ``is_reversal``: takes an earlier payment back.
    ``more``: (name, text) of what else the file says. ``raw``: the line's text, at most
    ``RAW_LENGTH_MAX`` characters, empty where it is too costly to keep.
    """

    line: int
    key: str
    known_by: str
    amount_minor: int
    direction: str
    day: str
    at: str = ""
    number: str = ""
    payer: str = ""
    payer_account: str = ""
    text: str = ""
    currency: str = ""
    own_account: str = ""
    service: str = ""
    document: str = ""
    fee_minor: int | None = None
    net_minor: int | None = None
    is_final: bool = True
    is_reversal: bool = False
    more: tuple[tuple[str, str], ...] = ()
    raw: str = ""


class BadLine(NamedTuple):
    """A line that cannot be read: why, and its text as it stands (never longer than ``RAW_LENGTH_MAX``)."""

    line: int
    reason: str
    raw: str


class Batch(NamedTuple):
    """Some lines one after another, each readable or not."""

    lines: list[MoneyLine]
    bad: list[BadLine]


@dataclass(slots=True)
class FileFacts:
    """What a file says about itself; whole once all of it is read.

    ``currency`` and ``own_account`` are empty, and the balances ``None``, where the file names none or
    several. ``order_number``, ``order_date``: the bank's payment order that the money comes with.
    ``problems``: control totals that do not hold, in whole sentences; such a file was cut off or altered.
    ``notes``: what a person should know, and nothing is wrong with.
    """

    format: str
    encoding: str = ""
    currency: str = ""
    own_account: str = ""
    opening_minor: int | None = None
    closing_minor: int | None = None
    first_day: str = ""
    last_day: str = ""
    order_number: str = ""
    order_date: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class LineIds:
    """Ids of a file's lines, given in the order of the file.

    A line with a key of its own has that as its id. Any other is known by what it says, and by its
    occurrence among equal lines of the file: so equal lines are payments of their own, and the same file,
    or a longer one, gives the same ids again.
    """

    def __init__(self) -> None:
        # By the bytes of a digest: a file may have a million lines, and the digest's text is twice as large.
        self._seen: dict[bytes, int] = {}

    def of(self, line: MoneyLine) -> str:
        """The id, at most 64 characters unless the key is longer."""
        if line.key:
            return line.key
        return self._counted("f:", line.known_by)

    def of_bad(self, line: BadLine) -> str:
        """The same for a line that cannot be read."""
        return self._counted("bad:", line.raw)

    def _counted(self, kind: str, text: str) -> str:
        digest = sha256(text.encode()).digest()[:16]
        key = kind[:1].encode() + digest
        occurrence = self._seen[key] = self._seen.get(key, 0) + 1
        return f"{kind}{digest.hex()}:{occurrence}"


def span(days: Iterable[str]) -> tuple[str, str]:
    """The first and the last of ISO days; empty texts for none."""
    known = sorted(day for day in days if day)
    return (known[0], known[-1]) if known else ("", "")
