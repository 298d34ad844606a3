"""How tests read a register from a text."""

from __future__ import annotations

from kvit.domain.lines import BadLine, FileFacts, MoneyLine
from kvit.files.base import Format, Reading, ReadOptions, source_of_bytes


def reading_of(
    format_: Format,
    content: str | bytes,
    *,
    columns: dict[str, str] | None = None,
    encoding: str = "",
    currency: str = "RUB",
    **options: str,
) -> Reading:
    data = content.encode() if isinstance(content, str) else content
    assert set(options) <= set(format_.options)
    return format_.read(
        source_of_bytes(data, "register"), ReadOptions(currency, encoding, columns or {}, options)
    )


def read_lines(
    format_: Format,
    content: str | bytes,
    *,
    columns: dict[str, str] | None = None,
    encoding: str = "",
    currency: str = "RUB",
    **options: str,
) -> tuple[list[MoneyLine], list[BadLine], FileFacts]:
    """All lines, all that cannot be read, and what the file says about itself."""
    reading = reading_of(format_, content, columns=columns, encoding=encoding, currency=currency, **options)
    lines: list[MoneyLine] = []
    bad: list[BadLine] = []
    for batch in reading.batches():
        lines += batch.lines
        bad += batch.bad
    return lines, bad, reading.facts
