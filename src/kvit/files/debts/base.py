"""What a format of debt registers is: columns of debts -> bytes, slice by slice.

The body is written as the debts come; head and foot once all of them are known, since many formats begin
with the totals. Nothing here looks at a clock: the same debts give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from kvit.domain.debts import DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.errors import KvitError
from kvit.domain.file_terms import BY_ACCOUNT, BY_INVOICE_ROW, CHANGES, FULL, DebtTerms, Pairs
from kvit.files.base import Option

#: Settings of a format that are checked together: its options, every one filled in, and its columns.
Check = Callable[[Mapping[str, str], Pairs], Mapping[str, str]]


class RegisterRefused(KvitError):
    """These debts cannot be written in this format."""


class DebtWriter(Protocol):
    """One register being written."""

    @property
    def replaced(self) -> Replaced:
        """What could not stand in the file as it was."""
        ...

    @property
    def notes(self) -> Sequence[str]:
        """What a person should know; whole after ``foot``."""
        ...

    def rows(self, debts: DebtSlice) -> bytes:
        """The next bytes of the body. Raises ``RegisterRefused``."""
        ...

    def head(self, totals: Totals) -> bytes:
        """What stands before the body; asked for after all rows."""
        ...

    def foot(self, totals: Totals) -> bytes:
        """What stands after the body."""
        ...


def _no_problems(_options: Mapping[str, str], _columns: Pairs) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class DebtFormat:
    """A format of registers that go out.

    ``file_name``: the bank's own name of the file, where it has one. ``details``: which of name,
    address and attributes it prints. ``contents``, ``rows_kinds``: what it can tell. ``has_columns``: a
    table by column map. ``skips``: whether rows of this sum cannot stand in it (a request for nothing).
    """

    name: str
    title: str
    options: Mapping[str, Option]
    open: Callable[[RegisterHead], DebtWriter]
    file_name: Callable[[RegisterHead], str]
    details: Callable[[Mapping[str, str], Pairs], frozenset[str]]
    check: Check = _no_problems
    has_columns: bool = False
    contents: Sequence[str] = (FULL, CHANGES)
    rows_kinds: Sequence[str] = (BY_ACCOUNT, BY_INVOICE_ROW)
    only_positive: bool = False
    required: Sequence[str] = field(default_factory=tuple)


#: Options that are about the debts, whatever the format.
COMMON: Mapping[str, Option] = {
    "undocumented": Option(
        "In registers by invoice, debts without an invoice: one row a month, or left out.", "period",
        ("period", "leave"),
    ),
}  # fmt: skip


def options_of(form: DebtFormat) -> dict[str, Option]:
    """The format's own options and those of all."""
    return {**form.options, **COMMON}


def filled(form: DebtFormat, chosen: Mapping[str, str]) -> dict[str, str]:
    """Every option of a format with its value."""
    return {name: chosen.get(name, option.default) for name, option in options_of(form).items()}


def problems_of(form: DebtFormat, terms: DebtTerms) -> dict[str, str]:
    """Place below ``debts`` (``options.encoding``, ``columns``, ``contents``) -> what is wrong there."""
    chosen = dict(terms.options)
    options = options_of(form)
    found: dict[str, str] = {}
    for name, value in chosen.items():
        option = options.get(name)
        if option is None:
            known = ", ".join(options)
            found[f"options.{name}"] = f"the format {form.name} has no such option; it has: {known}"
        elif option.choices and value not in option.choices:
            found[f"options.{name}"] = f"must be one of: {', '.join(option.choices)}"
        elif not value.isprintable():
            found[f"options.{name}"] = "must be one line of plain text"
    for name in form.required:
        if not chosen.get(name):
            found.setdefault(f"options.{name}", f"the format {form.name} needs it: {options[name].meaning}")
    if terms.columns and not form.has_columns:
        found["columns"] = f"the format {form.name} has its own columns"
    if terms.contents not in form.contents:
        found["contents"] = f"the format {form.name} can only tell: {', '.join(form.contents)}"
    if terms.rows not in form.rows_kinds:
        found["rows"] = f"the format {form.name} can only have rows by: {', '.join(form.rows_kinds)}"
    if not found:
        found.update(form.check(filled(form, chosen), terms.columns))
    return found


#: What a file's name may be made of: ``{number:03}`` is the number with zeros in front.
NAME_PARTS = ("agreement", "number", "date", "time", "day", "month", "year", "mmyy", "ddmmyy")
_PLACE = re.compile(r"\{([a-z_]+)(?::0([1-9]))?\}")
_NAME = re.compile(r"[A-Za-z0-9А-Яа-яЁё_.,@#+=() {}:-]{1,120}")


def name_values(head: RegisterHead) -> dict[str, str]:
    """The values of ``NAME_PARTS``."""
    at = head.as_of
    days = (f"{at:%Y%m%d}", f"{at:%H%M}", f"{at:%d}", f"{at:%m}", f"{at:%Y}", f"{at:%m%y}", f"{at:%d%m%y}")
    return dict(zip(NAME_PARTS, (head.agreement_id, str(head.number), *days), strict=True))


def put_in(template: str, values: Mapping[str, str]) -> str:
    """``debts_{number:03}.csv`` with the values in the places of the braces."""
    return _PLACE.sub(lambda found: values[found[1]].rjust(int(found[2] or 0), "0"), template)


def template_problem(template: str, known: Sequence[str]) -> str:
    """What is wrong with the braces of a template; empty when nothing is."""
    for name, _ in _PLACE.findall(template):
        if name not in known:
            return f"there is no {{{name}}}; known: {', '.join(known)}"
    rest = _PLACE.sub("", template)
    return "a brace does not fit; write {number} or {number:03}" if "{" in rest or "}" in rest else ""


def file_name_problem(template: str) -> str:
    """What is wrong with a template of file names; empty when nothing is."""
    if not _NAME.fullmatch(template) or template.startswith("."):
        return "a plain name of a file, without folders"
    if "{number" not in template:
        return "needs {number}, or two registers would have one name"
    return template_problem(template, NAME_PARTS)
