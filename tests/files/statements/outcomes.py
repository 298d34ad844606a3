"""What the tests ask of a reading, gathered."""

from __future__ import annotations

from dataclasses import dataclass

from kvit.domain.lines import IN, BadLine, FileFacts, LineIds, MoneyLine
from kvit.files.base import ByteSource, ReadOptions, source_of_bytes
from kvit.files.recognising import read_file


@dataclass(frozen=True)
class Outcome:
    """All of one file."""

    lines: list[MoneyLine]
    bad: list[BadLine]
    facts: FileFacts
    ids: list[str]

    @property
    def moved(self) -> list[int]:
        """Sums in the order of the file, money out below zero."""
        return [line.amount_minor if line.direction == IN else -line.amount_minor for line in self.lines]

    @property
    def only(self) -> MoneyLine:
        (line,) = self.lines
        assert self.bad == []
        return line


def read(data: bytes | ByteSource, form: str = "", *, currency: str = "", encoding: str = "") -> Outcome:
    """The one file in ``data``, read as the format it is recognised as."""
    source = data if isinstance(data, ByteSource) else source_of_bytes(data, "statement")
    ((_, reading),) = read_file(source, ReadOptions(currency, encoding), form)
    lines: list[MoneyLine] = []
    bad: list[BadLine] = []
    for batch in reading.batches():
        lines += batch.lines
        bad += batch.bad
    ids = LineIds()
    return Outcome(lines, bad, reading.facts, [ids.of(line) for line in lines])
