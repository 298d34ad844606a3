"""Rows of cells -> lines of money, once the places of the cells are known: whole columns, else row by row.

A column that is plain in every cell is read as a whole; what comes out is what its cells give one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import add, sub
from typing import Any

from kvit.domain.lines import BadLine, MoneyLine
from kvit.files.cells import Unreadable
from kvit.files.registers.fields import REVERSAL_WORDS, NumberRule, Reader, readers
from kvit.files.registers.kit import Columns, Tally, Texts, bad_line, money_lines
from kvit.files.registers.moments import (
    PLAIN_DAY,
    PLAIN_TIME,
    MomentReader,
    ZoneShift,
    moment_reader,
    read_days,
    read_time,
    read_times,
)
from kvit.files.registers.sums import SumStyle

#: What a column of a register may hold; ``parent``: the id of the payment that a reversal takes back.
FIELDS = (
    "id", "number", "amount", "fee", "net", "date", "time", "payer", "text", "service", "document", "period",
    "type", "parent", "currency",
)  # fmt: skip

NO_ID = "the id of the payment is missing"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields stand and how they are written.

    ``places``: field -> place of its cell from 0; ``amount`` is needed. ``width``: cells of a row; 0 for
    any. ``required``: fields that no row may leave empty. ``day``: of all lines where there is no ``date``.
    """

    places: Mapping[str, int]
    sums: SumStyle
    width: int = 0
    required: frozenset[str] = frozenset()
    day: str = ""
    read_moment: MomentReader = field(default_factory=moment_reader)
    shift: ZoneShift = field(default_factory=lambda: ZoneShift("", ""))
    number: NumberRule = field(default_factory=NumberRule)
    reversal_words: tuple[str, ...] = REVERSAL_WORDS

    def line_pattern(self, width: int, delimiter: str) -> re.Pattern[str]:
        """What matches whole lines of ``width`` cells whose values need no look at each."""
        known = readers(self.sums, self.number, self.reversal_words)
        patterns = {place: known[name].pattern for name, place in self.places.items() if name in known}
        patterns |= {self.places[name]: pattern for name, pattern in _MOMENTS if name in self.places}
        mark = re.escape(delimiter)
        other = rf'[^{mark}\n"]*+'
        cells = [patterns.get(place) or other for place in range(width)]
        return re.compile(f"(?:{mark.join(cells)}\n)++")


_MOMENTS = (("date", PLAIN_DAY), ("time", PLAIN_TIME))


class RowReader:
    """Makes lines of the rows of one file, and adds them up."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.tally = Tally(layout.sums.currency)
        known = readers(layout.sums, layout.number, layout.reversal_words)
        self._plan = [(name, layout.places[name], known[name]) for name in known if name in layout.places]

    def proven(self, lines: Sequence[int], columns: Sequence[list[str]]) -> list[MoneyLine] | None:
        """``at_once`` of columns of whole lines that ``Layout.line_pattern`` has matched."""
        return self._columns(lines, columns, _proven)

    def at_once(self, lines: Sequence[int], columns: Sequence[list[str]]) -> list[MoneyLine] | None:
        """``columns``: texts by place, at least to the last place used. ``None`` where a row is not plain."""
        return self._columns(lines, columns, _plain)

    def one(self, line: int, cells: Sequence[str], raw: str) -> MoneyLine | BadLine:
        """One row by itself; where ``cells`` are fewer than the layout's places, the rest is empty."""
        made = self._one(line, cells)
        if isinstance(made, str):
            self.tally.bad += 1
            return bad_line(line, made, raw)
        return made

    def _columns(
        self,
        lines: Sequence[int],
        columns: Sequence[list[str]],
        read: Callable[[Reader, list[str]], list[Any] | None],
    ) -> list[MoneyLine] | None:
        values: dict[str, Sequence[Any]] = {}
        for name, place, reader in self._plan:
            column = read(reader, columns[place])
            if column is None:
                column = list(map(reader.cell, columns[place]))
                if Unreadable in set(map(type, column)):
                    return None
            values[name] = column
        if not all(values["amount"]) or not all(all(values[name]) for name in self.layout.required):
            return None
        moments = self._moments_at_once(lines, columns, read is _proven)
        return None if moments is None else self._made(lines, values, *moments)

    def _one(self, line: int, cells: Sequence[str]) -> MoneyLine | str:
        """The line, or why it is none."""
        layout = self.layout
        if layout.width and len(cells) != layout.width:
            return f"a row has {layout.width} cells, this one {len(cells)}"
        values: dict[str, Sequence[Any]] = {}
        for name, place, reader in self._plan:
            value = reader.cell(cells[place] if place < len(cells) else "")
            if isinstance(value, Unreadable):
                return value.reason
            if not value and name in layout.required:
                return NO_ID if name == "id" else f"the {name} is missing"
            values[name] = [value]
        moment = self._moment(cells)
        if isinstance(moment, Unreadable):
            return moment.reason
        return self._made([line], values, [moment[0]], [moment[1]])[0]

    def _moments_at_once(
        self, lines: Sequence[int], columns: Sequence[list[str]], are_proven: bool
    ) -> tuple[Sequence[str], Texts] | None:
        places = self.layout.places
        days: Sequence[str] = [self.layout.day] * len(lines)
        times: Texts = ""
        if "date" in places:
            moments = read_days(columns[places["date"]], self.layout.read_moment)
            if moments is None:
                return None
            days, times = moments
        if "time" in places:
            own = columns[places["time"]] if are_proven else read_times(columns[places["time"]])
            if own is None:
                return None
            times = own if isinstance(times, str) else list(map(_either, own, times))
        return days, times

    def _moment(self, cells: Sequence[str]) -> tuple[str, str] | Unreadable:
        places = self.layout.places
        day, time = self.layout.day, ""
        if "date" in places:
            moment = self.layout.read_moment(cells[places["date"]] if places["date"] < len(cells) else "")
            if isinstance(moment, Unreadable):
                return moment
            day, time = moment
        if "time" in places and places["time"] < len(cells):
            own = read_time(cells[places["time"]].strip())
            if isinstance(own, Unreadable):
                return own
            time = own or time
        return day, time

    def _made(
        self, lines: Sequence[int], values: Mapping[str, Sequence[Any]], days: Sequence[str], times: Texts
    ) -> list[MoneyLine]:
        layout = self.layout
        ats: Texts = "" if isinstance(times, str) else _moments(days, times)
        written = ats
        if layout.shift.is_needed and not isinstance(ats, str):
            ats = [layout.shift.shifted(at) if at else "" for at in ats]
            days = [at[:10] or day for at, day in zip(ats, days, strict=True)]
        fees, nets = _fees_and_nets(values)
        periods = values.get("period")
        columns = Columns(
            lines, values["amount"], days, ats, values.get("number", ""), values.get("id", ""),
            payers=values.get("payer", ""), texts=values.get("text", ""),
            currencies=values.get("currency", layout.sums.currency),
            services=values.get("service", ""), documents=values.get("document", ""),
            fees=fees, nets=nets, reversals=values.get("type"), parents=values.get("parent", ""),
            more=[(("period", period),) if period else () for period in periods] if periods else None,
            written=written,
        )  # fmt: skip
        made = money_lines(columns)
        self.tally.add(columns, made)
        return made


def _proven(reader: Reader, texts: list[str]) -> list[Any] | None:
    return reader.proven(texts) if reader.pattern else reader.column(texts)


def _plain(reader: Reader, texts: list[str]) -> list[Any] | None:
    return reader.column(texts)


def _moments(days: Sequence[str], times: Sequence[str]) -> list[str]:
    """Days and times put together; empty where there is no time."""
    if not all(times):
        return [f"{day}T{time}" if time else "" for day, time in zip(days, times, strict=True)]
    before = {day: day + "T" for day in set(days)}
    if len(before) == 1:
        return list(map(before[days[0]].__add__, times))
    return list(map(add, map(before.__getitem__, days), times))


def _either(first: str, second: str) -> str:
    return first or second


def _fees_and_nets(
    values: Mapping[str, Sequence[Any]],
) -> tuple[Sequence[int | None] | None, Sequence[int | None] | None]:
    """Never below zero; where only one of them is told, the other is what remains of the amount."""
    fees, nets = values.get("fee"), values.get("net")
    if fees is None and nets is None:
        return None, None
    amounts = values["amount"]
    if nets is None and fees is not None and None not in fees and min(fees) >= 0 and min(amounts) > 0:
        return fees, list(map(sub, amounts, fees))
    nothing: Sequence[None] = [None] * len(amounts)
    rows = list(
        map(_fee_and_net, amounts, nothing if fees is None else fees, nothing if nets is None else nets)
    )
    return [fee for fee, _ in rows], [net for _, net in rows]


def _fee_and_net(amount: int, fee: int | None, net: int | None) -> tuple[int | None, int | None]:
    paid = abs(amount)
    if fee is None:
        return (None, None) if net is None else (paid - abs(net), abs(net))
    return abs(fee), paid - abs(fee) if net is None else abs(net)
