"""What a bank was told before, read along with the books; neither is ever held as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from kvit.domain.debts import ACCEPTED, OPEN_STATES
from kvit.domain.errors import NotAllowed
from kvit.domain.file_rows import DebtRegisterRow
from kvit.domain.file_terms import FULL
from kvit.services.debts.ports import DebtStore


class Chain(NamedTuple):
    """The registers that make up what the bank was told.

    ``accepted``: the last full one and the changes after it. ``open``: later ones that it has not answered;
    it may or may not have taken them.
    """

    accepted: Sequence[DebtRegisterRow]
    open: Sequence[DebtRegisterRow]

    @property
    def base_number(self) -> int:
        return self.accepted[-1].register_number if self.accepted else 0


def chain_of(registers: Sequence[DebtRegisterRow], rows_kind: str) -> Chain:
    """Raises ``NotAllowed`` where the bank was last told debts of the other kind."""
    accepted = [row for row in registers if row.state == ACCEPTED]
    fulls = [place for place, row in enumerate(accepted) if row.contents == FULL]
    accepted = accepted[fulls[-1] :] if fulls else accepted
    first = accepted[0].register_number if accepted else 0
    waiting = [row for row in registers if row.state in OPEN_STATES and row.register_number > first]
    for row in (*accepted, *waiting):
        if row.rows_kind != rows_kind:
            raise NotAllowed(
                f"register {row.register_number} told debts by {row.rows_kind}, so a register of changes by "
                f"{rows_kind} would mix the two; send a full register first, with --full"
            )
    return Chain(accepted, waiting)


class Rows:
    """The neutral rows of one register, taken in the order of the clients' numbers."""

    def __init__(self, chunks: Iterable[bytes], but: Collection[str] = ()) -> None:
        """``but``: keys of rows that do not count."""
        self._lines = lines_of(chunks)
        self._but = but
        self._next = next(self._lines, None)

    def through(self, number: str | None) -> dict[str, int]:
        """Key -> sum of the rows of clients up to ``number``; of all that are left for ``None``."""
        found: dict[str, int] = {}
        while self._next is not None:
            key, amount_minor = self._next
            if number is not None and key.partition("\t")[0] > number:
                break
            if key not in self._but:
                found[key] = amount_minor
            self._next = next(self._lines, None)
        return found


def lines_of(chunks: Iterable[bytes]) -> Iterator[tuple[str, int]]:
    """``key TAB sum`` lines of kept rows -> (key, sum)."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            key, _, amount = line.decode().rpartition("\t")
            yield key, int(amount)


class Told:
    """All that the bank was told, or may have been told."""

    def __init__(self, store: DebtStore, chain: Chain) -> None:
        self._accepted = [(row.contents == FULL, _rows(store, row)) for row in chain.accepted]
        self._open = [(row.contents == FULL, _rows(store, row)) for row in chain.open]

    def through(self, number: str | None) -> tuple[dict[str, int], list[tuple[bool, dict[str, int]]]]:
        """Of clients up to ``number``: what holds, and what each register without an answer says.

        The latter with True where it is a full one: what it does not name, it takes away.
        """
        holds: dict[str, int] = {}
        for _, rows in self._accepted:
            holds.update(rows.through(number))
        return holds, [(is_full, rows.through(number)) for is_full, rows in self._open]


def _rows(store: DebtStore, row: DebtRegisterRow) -> Rows:
    refused = store.rejects(row.agreement_id, row.register_number) if row.state == ACCEPTED else []
    return Rows(store.read(row.rows_digest), frozenset(one.row_key for one in refused))


def needs_telling(
    key: str, now_minor: int | None, holds: dict[str, int], doubts: Sequence[tuple[bool, dict[str, int]]]
) -> bool:
    """Might the bank hold anything but ``now_minor`` (``None``: nothing is told of it now)?

    Nothing, and 0 where nothing is owed, are the same only where nothing is told now.
    """
    if now_minor is None:
        return bool(holds.get(key)) or any(rows.get(key) for _, rows in doubts)
    if holds.get(key) != now_minor:
        return True
    return any(rows.get(key, None if is_full else now_minor) != now_minor for is_full, rows in doubts)
