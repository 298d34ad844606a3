"""What the office side needs of the books; storage is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from kvit.domain.relay_rows import RelayDoorRow, RelayEpochRow


class Copy(Protocol):
    """One snapshot of the books."""

    def pulled_through(self, epoch: str) -> int: ...

    def accounts(self) -> Iterator[tuple[str, str, int, str, str | None]]:
        """(number, name, balance in minor units, status, what was told last) of every account."""
        ...

    def gone(self) -> list[str]:
        """Numbers that the relay was told of and that are no more."""
        ...


class Relays(Protocol):
    """What the office keeps of its relays; each call is a transaction of its own."""

    def epochs(self, relay_id: str) -> list[RelayEpochRow]: ...

    def epoch(self, relay_id: str) -> RelayEpochRow | None: ...

    def meet_epoch(self, relay_id: str, epoch: str, now_us: int) -> RelayEpochRow: ...

    def note_epoch(self, relay_id: str, epoch: str, **values: int) -> None: ...

    def note_pull(self, relay_id: str, at_us: int, clock_offset_us: int | None, queue_rows: int) -> None: ...

    def raise_alarm(self, relay_id: str, alarm: str, detail: str, now_us: int) -> bool: ...

    def clear_alarm(self, relay_id: str, alarm: str, now_us: int) -> bool: ...

    def doors(self) -> list[RelayDoorRow]: ...

    def copy(self, relay_id: str, agreement_id: str) -> AbstractContextManager[Copy]: ...

    def note_told(
        self,
        relay_id: str,
        agreement_id: str,
        told: Iterable[tuple[str, str]],
        gone: Iterable[str],
        *,
        anew: bool,
    ) -> None: ...

    def note_copy(self, agreement_id: str, version: int, as_of_us: int) -> None: ...
