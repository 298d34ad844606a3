"""What an agreement file may say about files, and what it becomes. Formats know their own options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from kvit.domain.file_terms import (
    ChannelTerms,
    DebtTerms,
    FileTerms,
    Pairs,
    RegisterTerms,
    ScheduleTerms,
    SettlementTerms,
)

Value = str | int | bool


class DebtsSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The register of debts that goes out."""

    format: str
    rows: Literal["accounts", "invoices"] = "accounts"
    contents: Literal["full", "changes"] = "full"
    paid: Literal["leave", "zero"] = "leave"
    advance: Literal["zero", "negative"] = "zero"
    options: dict[str, Value] = {}
    columns: dict[str, str] = {}


class RegisterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The registers of payments that come in."""

    format: str = ""
    preset: str = ""
    amount: Literal["paid", "net"] = "paid"
    options: dict[str, Value] = {}
    columns: dict[str, str] = {}


class SettlementSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the agent's lump sum is known on the statement."""

    payer_accounts: list[str] = []
    words: list[str] = []
    rounding: Literal["row", "total"] = "row"
    withheld: bool = True


class ChannelSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How files travel."""

    kind: str
    options: dict[str, Value] = {}
    secret: str = ""
    private_key: str = ""


class ScheduleSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When, as five fields of cron."""

    send: str = ""
    fetch: str = ""
    expect: str = ""
    holidays: list[str] = []


class HasFiles(Protocol):
    """The part of an agreement's file that is about files."""

    @property
    def debts(self) -> DebtsSpec | None: ...
    @property
    def register(self) -> RegisterSpec | None: ...
    @property
    def settlement(self) -> SettlementSpec | None: ...
    @property
    def channel(self) -> ChannelSpec | None: ...
    @property
    def schedule(self) -> ScheduleSpec | None: ...


def file_terms(spec: HasFiles) -> FileTerms:
    """The same as terms; whether formats, options and times exist is for others to say."""
    return FileTerms(
        None if spec.debts is None else _debts(spec.debts),
        None if spec.register is None else _register(spec.register),
        None if spec.settlement is None else _settlement(spec.settlement),
        None if spec.channel is None else _channel(spec.channel),
        None if spec.schedule is None else _schedule(spec.schedule),
    )


def _debts(spec: DebtsSpec) -> DebtTerms:
    return DebtTerms(
        spec.format, spec.rows, spec.contents, spec.paid, spec.advance, _pairs(spec.options),
        tuple(spec.columns.items()),
    )  # fmt: skip


def _register(spec: RegisterSpec) -> RegisterTerms:
    return RegisterTerms(
        spec.format, spec.preset, spec.amount, _pairs(spec.options), tuple(spec.columns.items())
    )


def _settlement(spec: SettlementSpec) -> SettlementTerms:
    accounts = tuple(one.replace(" ", "") for one in spec.payer_accounts)
    return SettlementTerms(accounts, tuple(spec.words), spec.rounding, spec.withheld)


def _channel(spec: ChannelSpec) -> ChannelTerms:
    return ChannelTerms(spec.kind, _pairs(spec.options), spec.secret, spec.private_key)


def _schedule(spec: ScheduleSpec) -> ScheduleTerms:
    return ScheduleTerms(spec.send, spec.fetch, spec.expect, tuple(spec.holidays))


def _pairs(values: Mapping[str, Value]) -> Pairs:
    """TOML's ``true`` is ``on``, a number its digits; in the order of the file."""
    texts = {True: "on", False: "off"}
    return tuple(
        (name, texts[value] if isinstance(value, bool) else str(value)) for name, value in values.items()
    )
