"""What banks are told of debts: registers that go out, their rows, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from kvit.domain.file_terms import Pairs

#: What a register may be. Only what is accepted counts as told; a later accepted full one supersedes it.
WRITTEN = "written"
SENT = "sent"
ACCEPTED = "accepted"
REJECTED = "rejected"
SUPERSEDED = "superseded"
REGISTER_STATES = (WRITTEN, SENT, ACCEPTED, REJECTED, SUPERSEDED)
#: The bank has not answered these yet.
OPEN_STATES = (WRITTEN, SENT)

#: What may be told of a debt beside its number and sum. ``attributes``: the JSON of other columns.
NAME = "name"
ADDRESS = "address"
ATTRIBUTES = "attributes"
#: Examples of replaced texts that are kept.
EXAMPLES_MAX = 5


class DebtSlice(NamedTuple):
    """Some debts one after another, as columns of one length, by client's number.

    ``keys``: what each row is known by, for ever: the number; of invoices number, document and (where
    there is no document) period, with TABs between. ``amounts_minor``: owed if above zero, an advance if
    below. ``names``: as the agent may see them. ``due_on``: ISO days. Texts that nobody asked for, or that
    are not known, are empty.
    """

    keys: Sequence[str]
    numbers: Sequence[str]
    amounts_minor: Sequence[int]
    names: Sequence[str]
    addresses: Sequence[str]
    attributes: Sequence[str]
    services: Sequence[str]
    periods: Sequence[str]
    documents: Sequence[str]
    due_on: Sequence[str]


class Totals(NamedTuple):
    """What a register holds, counted over the rows as they are printed."""

    row_count: int
    sum_minor: int


@dataclass(frozen=True, slots=True)
class RegisterHead:
    """What a format has to know of the register as a whole.

    ``as_of``: the instant of the books, in the agreement's zone. ``options``: the format's switches, every
    one filled in; ``columns``: (header, field) of table formats.
    """

    agreement_id: str
    number: int
    biller: str
    currency: str
    exponent: int
    as_of: datetime
    rows_kind: str
    contents: str
    options: Mapping[str, str] = field(default_factory=dict)
    columns: Pairs = ()


@dataclass(slots=True)
class Replaced:
    """Texts that could not stand in the file as they are: how many, and the first of them."""

    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)

    def note(self, before: str, after: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES_MAX:
            self.examples.append((before, after))


class Reject(NamedTuple):
    """A row that the bank refused, as its file says it: by ``row`` (from 1; 0: not told) or by number.

    ``line``: where it stands in the bank's file.
    """

    line: int
    row: int
    number: str
    document: str
    reason: str
