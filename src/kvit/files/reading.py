"""The walk through a table that all readers share: cell by cell, errors aside, progress told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kvit.files.cells import Unreadable
from kvit.files.records import Record, Rows
from kvit.files.tables import Table

#: ``progress`` is told after so many rows, and once at the end.
PROGRESS_ROWS = 1_000

#: Called with the number of rows read so far.
Progress = Callable[[int], None]

#: One cell's text -> its value, or ``Unreadable``.
CellReader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Column:
    """How one value is had: ``read`` of the cell at ``place``, or ``absent`` where the file has no such."""

    header: str
    place: int | None
    read: CellReader
    absent: str | None = ""


def plan_columns(
    table: Table, places: Mapping[str, int], readers: Mapping[str, CellReader], absent: str | None
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


def readable_rows(
    table: Table, plan: list[Column], rows: Rows[Record], progress: Progress | None
) -> Iterator[tuple[int, list[Any]]]:
    """(line, values in the order of ``plan``) of every row whose cells can all be read.

    The errors of the other rows, all cells of a row at once, and the count of rows go into ``rows``.
    """
    width = len(table.header)
    ways = [(column.place, column.read, column.absent) for column in plan]
    count = 0
    for line, cells in table.rows():
        count += 1
        if progress and count % PROGRESS_ROWS == 0:
            progress(count)
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
            yield line, values
    rows.row_count = count
    if progress:
        progress(count)


def _surplus_reason(cells: int, columns: int) -> str:
    return (
        f"the row has {cells} cells, the header only {columns}; put a text or an amount that holds the"
        " delimiter in quotation marks, or name the column"
    )
