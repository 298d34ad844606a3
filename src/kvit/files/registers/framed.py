"""Registers of plain lines between a header and a trailer that are not like the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol

from kvit.domain.lines import BadLine, Batch, FileFacts, MoneyLine
from kvit.files.base import ByteSource, ReadOptions
from kvit.files.cells import Unreadable
from kvit.files.errors import FileRefused
from kvit.files.registers.kit import Register, Tally, split_columns, split_proven
from kvit.files.registers.rows import Layout, RowReader
from kvit.files.registers.sums import SumStyle, read_sum
from kvit.files.texts import TextBlock, find_encoding, shown, text_blocks


class Frame(Protocol):
    """The header and the trailer of one file, while it is read."""

    @property
    def is_closed(self) -> bool:
        """Whether the trailer has been seen."""
        ...

    def takes(self, line: int, text: str) -> bool:
        """Whether a line that is not empty belongs to the frame; then its facts are noted."""
        ...

    def close(self, tally: Tally) -> None:
        """All is read: what the trailer says is compared, what is missing is said."""
        ...


class FrameMaker(Protocol):
    """Makes the frame of one walk."""

    def __call__(self, facts: FileFacts, style: SumStyle) -> Frame: ...


def framed(
    name: str,
    source: ByteSource,
    options: ReadOptions,
    layout: Layout,
    shape: tuple[str, str],
    make: FrameMaker,
) -> Register:
    """A ``Reading`` of such a file. ``shape``: the delimiter, and the codec that the format's documents name.

    Raises ``FileRefused`` for an encoding that is not known.
    """
    delimiter, declared = shape
    encoding = find_encoding(source, wanted=options.encoding, declared=declared)

    def walk(facts: FileFacts) -> Iterator[Batch]:
        rows = RowReader(layout)
        frame = make(facts, layout.sums)
        plain = layout.line_pattern(layout.width, delimiter)
        for block in text_blocks(source, encoding):
            lines = None if frame.is_closed else _at_once(block, delimiter, rows, plain)
            yield Batch(lines, []) if lines else _line_by_line(block, delimiter, rows, frame)
        rows.tally.close(facts)
        frame.close(rows.tally)

    return Register(FileFacts(name, shown(encoding)), walk)


def _at_once(
    block: TextBlock, delimiter: str, rows: RowReader, plain: re.Pattern[str]
) -> list[MoneyLine] | None:
    """``None`` where a line is not a plain row; a line of the frame never is."""
    lines = range(block.first, block.first + block.text.count("\n"))
    if plain.fullmatch(block.text):
        return rows.proven(lines, split_proven(block.text, delimiter, rows.layout.width))
    columns = split_columns(block.text, delimiter, rows.layout.width)
    return None if columns is None else rows.at_once(lines, columns)


def _line_by_line(block: TextBlock, delimiter: str, rows: RowReader, frame: Frame) -> Batch:
    batch = Batch([], [])
    for number, text in enumerate(block.text[:-1].split("\n"), block.first):
        if not text.strip() or frame.takes(number, text):
            continue
        line = rows.one(number, text.split(delimiter), text)
        if isinstance(line, BadLine):
            batch.bad.append(line)
        else:
            batch.lines.append(line)
    return batch


def sums_of(texts: list[str], style: SumStyle) -> list[int] | None:
    """What a trailer's cells say; ``None`` where one is no sum."""
    values = [read_sum(text, style) for text in texts]
    sums = [value for value in values if not isinstance(value, Unreadable)]
    return sums if len(sums) == len(values) else None


def count_option(options: ReadOptions, name: str, default: str) -> int:
    """A switch that is a small number. Raises ``FileRefused``."""
    text = options.options.get(name) or default
    if not re.fullmatch("[0-9]{1,2}", text):
        raise FileRefused(f"The option {name} cannot be {text!r}.", "Write a number from 0 to 99.")
    return int(text)
