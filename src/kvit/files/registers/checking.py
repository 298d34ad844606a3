"""Whether a column map and switches can be for a format, before any file is there."""

from __future__ import annotations

from collections.abc import Mapping

from kvit.files.base import Format, ReadOptions
from kvit.files.delimited import ENCODINGS
from kvit.files.errors import FileRefused
from kvit.files.registers import layouts, table
from kvit.files.registers.settings import OPTIONS, read_settings
from kvit.files.registers.words import HEADERS

#: Formats that a preset may start from: what is set comes on top of what they know.
READY: dict[str, Format] = {form.name: form for form in (*layouts.FORMATS, table.FORMAT)}


def problems_of(format_: str, options: ReadOptions) -> dict[str, str]:
    """Place (``columns.numbr``) -> what is wrong there; empty when nothing is."""
    if format_ not in READY:
        return {"format": f"there is no table format {format_}; known: {', '.join(READY)}"}
    found: dict[str, str] = {}
    if options.encoding and options.encoding.lower() not in ENCODINGS:
        found["encoding"] = f"it is one of {', '.join(ENCODINGS)}"
    for field in options.columns:
        if field not in HEADERS:
            found[f"columns.{field}"] = f"there is no such field; the fields are {', '.join(HEADERS)}"
    for name, value in options.options.items():
        if name not in OPTIONS:
            found[f"options.{name}"] = f"there is no such option; the options are {', '.join(OPTIONS)}"
        else:
            found |= _option_problem(name, value)
    return found or _together(options)


def _option_problem(name: str, value: str) -> Mapping[str, str]:
    try:
        read_settings(ReadOptions("", options={name: value}), {})
    except FileRefused as refused:
        return {f"options.{name}": f"{refused.what} {refused.advice}"}
    return {}


def _together(options: ReadOptions) -> dict[str, str]:
    if options.options.get("header") == "no":
        for field, text in options.columns.items():
            if text and not text.isdigit():
                return {f"columns.{field}": "where header = no, a column is named by its number from 1"}
        if not options.columns.get("amount"):
            return {"columns.amount": "where header = no, the column of the amount must be named"}
    return {}
