"""The walk through a table that all readers share: errors aside, progress told.

A stretch of rows is first read column by column, each as a whole. What cannot be read so is read cell by
cell, and a stretch where that fails row by row; a column read as a whole gives what its cells give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from kvit.files.cells import Unreadable
from kvit.files.records import Record, Rows
from kvit.files.source import Stretch
from kvit.files.tables import Table

#: Called with the number of rows read so far.
Progress = Callable[[int], None]

#: One cell's text -> its value, or ``Unreadable``.
CellReader = Callable[[str], Any]


#: A whole column's texts -> its values, or ``None`` where a cell must be looked at by itself.
ColumnReader = Callable[[list[str]], "list[Any] | None"]


class Reader(NamedTuple):
    """How the texts of one column are read."""

    cell: CellReader
    column: ColumnReader = lambda _cells: None


@dataclass(frozen=True, slots=True)
class Column:
    """How one value is had: ``read`` of the cell at ``place``, or ``absent`` where the file has no such."""

    header: str
    place: int | None
    read: Reader
    absent: str | None = ""


class Values(NamedTuple):
    """The rows of a stretch that can be read: their lines, and their values column by column."""

    lines: Sequence[int]
    columns: Sequence[Sequence[Any]]


def plan_columns(
    table: Table, places: Mapping[str, int], readers: Mapping[str, Reader], absent: str | None
) -> list[Column]:
    """The columns of the fields in ``readers``, in that order."""
    return [
        Column(table.header[places[field]] if field in places else "", places.get(field), read, absent)
        for field, read in readers.items()
    ]


def empty_rows(table: Table, places: Mapping[str, int]) -> Rows[Any]:
    """``Rows`` that says how the columns of ``table`` are understood, and holds nothing yet."""
    used = tuple((field, table.header[place]) for field, place in places.items())
    taken = set(places.values())
    return Rows(used, tuple(header for place, header in enumerate(table.header) if place not in taken))


def readable(
    table: Table, plan: list[Column], rows: Rows[Record], progress: Progress | None
) -> Iterator[Values]:
    """The values, in the order of ``plan``, of all rows whose cells can all be read; never of no row.

    The errors of the other rows, all cells of a row at once, and the count of rows go into ``rows``.
    ``progress`` is told after each stretch.
    """
    for stretch in table.stretches():
        values = _at_once(table, plan, stretch)
        if values is None:
            values = _row_by_row(table, plan, rows, stretch)
        else:
            rows.row_count += len(values.lines)
        table.refuse_beyond(rows.row_count)
        if values.lines:
            yield values
        if progress:
            progress(rows.row_count)
    rows.errors.sort(key=lambda error: error.line)
    if progress and not rows.row_count:
        progress(0)


def _at_once(table: Table, plan: list[Column], stretch: Stretch) -> Values | None:
    """``None`` where a row has an error, is empty, or is of another length than the header.

    An empty row needs no look of its own: the first column of every plan reads no empty cell.
    """
    texts = table.columns(stretch)
    if texts is None:
        return None
    columns: list[Sequence[Any]] = []
    for column in plan:
        if column.place is None:
            columns.append([column.absent] * len(stretch.lines))
            continue
        cells = texts[column.place]
        values = column.read.column(cells)
        if values is None:
            values = list(map(column.read.cell, cells))
            if Unreadable in set(map(type, values)):
                return None
        columns.append(values)
    return Values(stretch.lines, columns)


def _row_by_row(table: Table, plan: list[Column], rows: Rows[Record], stretch: Stretch) -> Values:
    width = len(table.header)
    ways = [(column.place, column.read.cell, column.absent) for column in plan]
    lines: list[int] = []
    read_rows: list[list[Any]] = []
    for line, cells in table.filled(stretch):
        rows.row_count += 1
        if len(cells) > width:
            surplus = next(cell for cell in cells[width:] if cell)
            rows.add_error(line, "", surplus, _surplus_reason(len(cells), width))
            continue
        values = [absent if place is None else read(cells[place]) for place, read, absent in ways]
        if Unreadable in map(type, values):
            for column, value in zip(plan, values, strict=True):
                if isinstance(value, Unreadable):
                    rows.add_error(line, column.header, cells[column.place or 0], value.reason)
        else:
            lines.append(line)
            read_rows.append(values)
    return Values(lines, list(zip(*read_rows, strict=True)))


def _surplus_reason(cells: int, columns: int) -> str:
    return (
        f"the row has {cells} cells, the header only {columns}; put a text or an amount that holds the"
        " delimiter in quotation marks, or name the column"
    )
