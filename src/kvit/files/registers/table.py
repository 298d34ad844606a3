"""Registers that are tables: CSV, fixed widths, DBF, XLSX, by a map of columns or by the words of the header.

What a bank's own layout wants beyond that is options, saved as a preset. Facts: the fields that a profile
needs are those of two open billing systems' import settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kvit.domain.lines import REGISTER, FileFacts
from kvit.files.base import ByteSource, Format, Reading, ReadOptions
from kvit.files.dbf import find_header as find_dbf_header
from kvit.files.registers import carriers
from kvit.files.registers.carriers import DBF_HEAD_BYTES, ZIP, Carrier, TextRows
from kvit.files.registers.kit import Register
from kvit.files.registers.settings import OPTIONS, TableSettings, read_settings
from kvit.files.registers.walk import TableJob, TableWalk
from kvit.files.registers.words import (
    HEADER_ROWS_MAX,
    HEADERS,
    OR,
    Header,
    find_header,
    refuse_unknown_fields,
)
from kvit.files.texts import find_encoding, head_text

#: In this order where two do equally well.
DELIMITERS = (";", "\t", "|", ",")
#: How surely a table is a register: less than by any format of its own.
_LIKELY = 20
_WORKBOOK = 10


@dataclass(frozen=True, slots=True)
class Profile:
    """A ready layout: ``columns`` are headers (several parted by ``|``) that a file need not all have.

    ``encoding``: the codec that the layout's documents name. ``options``: other defaults of options.
    """

    name: str
    columns: Mapping[str, str]
    options: Mapping[str, str]
    encoding: str = ""


ANY = Profile("table", {}, {})


def fits(name: str, head: bytes) -> int:
    """Where a header is found by its words in text, or it is a workbook or DBF, whose header comes later."""
    if head.startswith(ZIP):
        return _WORKBOOK if name.lower().endswith((".xlsx", ".xlsm")) else 0
    if find_dbf_header(head[:DBF_HEAD_BYTES]):
        return _WORKBOOK
    return _LIKELY if find_in_text(head_text(head), {}) else 0


def read(source: ByteSource, options: ReadOptions) -> Reading:
    """Raises ``FileRefused`` for settings that cannot be, and where no header is understood."""
    return read_profile(source, options, ANY)


def read_profile(source: ByteSource, options: ReadOptions, profile: Profile) -> Reading:
    """The same by a ready layout; what ``options`` say goes before it."""
    refuse_unknown_fields(options.columns)
    settings = read_settings(options, profile.options)
    carrier = _carrier(source, options, profile, settings)
    synonyms = {field: words.replace(OR, ",") for field, words in profile.columns.items()} or HEADERS
    job = TableJob(source.name, carrier, settings, options.columns, synonyms)
    return Register(FileFacts(profile.name, carrier.encoding), lambda facts: TableWalk(job, facts).batches())


def find_in_text(text: str, chosen: Mapping[str, str]) -> tuple[str, Header] | None:
    """The delimiter of a text's first lines, and the header that is found with it."""
    lines = text.split("\n")[: HEADER_ROWS_MAX + 1]
    best: tuple[str, Header] | None = None
    for delimiter in DELIMITERS:
        rows = TextRows(1, "\n".join(lines) + "\n", delimiter, quoted=True).rows()
        header = find_header([(row.line, row.cells) for row in rows], chosen)
        if header and (best is None or len(header.places) > len(best[1].places)):
            best = delimiter, header
    return best


def _carrier(source: ByteSource, options: ReadOptions, profile: Profile, settings: TableSettings) -> Carrier:
    head = source.head()
    if head.startswith(ZIP):
        return carriers.workbook(source)
    if find_dbf_header(head[:DBF_HEAD_BYTES]):
        return carriers.dbf(source, options.encoding, profile.encoding)
    encoding = find_encoding(source, wanted=options.encoding, declared=profile.encoding)
    if settings.widths:
        return carriers.of_widths(source, encoding, settings.widths)
    delimiter = settings.delimiter or _delimiter(
        head_text(head), dict(profile.columns) | dict(options.columns)
    )
    return carriers.delimited(source, encoding, delimiter, quoted=settings.quoted)


def _delimiter(text: str, chosen: Mapping[str, str]) -> str:
    found = find_in_text(text, chosen) or find_in_text(text, {})
    if found:
        return found[0]
    counts = {delimiter: text.count(delimiter) for delimiter in DELIMITERS}
    return max(DELIMITERS, key=lambda delimiter: counts[delimiter])


FORMAT = Format("table", "Table of payments (CSV, XLSX, DBF) by its headers", REGISTER, fits, read, OPTIONS)
