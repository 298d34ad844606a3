"""``kvit register send``, ``again``, ``list``, ``show`` and ``accept``: debts told to banks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

import typer

from kvit.cli.channels import deliver
from kvit.cli.register_formats import formats
from kvit.cli.registers_refused import reject
from kvit.cli.registers_shown import (
    AGREEMENT,
    NUMBER,
    as_json,
    money,
    office_of,
    print_rejects,
    reject_json,
    told_json,
)
from kvit.cli.shared import BILLER, JSON, guarded, print_json, print_table, say
from kvit.cli.writing import place_of, write_whole
from kvit.domain.days import from_us
from kvit.domain.errors import NotAllowed
from kvit.domain.file_terms import BY_ACCOUNT, BY_INVOICE_ROW, CHANGES, FULL, DebtTerms, FileTerms
from kvit.main.debts import debt_terms
from kvit.services.debts.deciding import accept as accept_register
from kvit.services.debts.deciding import find_register
from kvit.services.debts.making import Made, make_register
from kvit.services.debts.ports import DebtOffice
from kvit.services.debts.told import lines_of
from kvit.services.travel.outgoing import SENT, Departure

#: Rows of a register that a table for people shows.
_SHOWN_MAX = 50
#: For an agreement that says nothing about registers of debts.
_PLAIN = FileTerms(debts=DebtTerms("csv"))
_NO_SETTINGS = (
    "The agreement says nothing about registers of debts, so this is the plain table (csv); "
    "[agreement.debts] in its file says how the bank wants it."
)


class Kind(StrEnum):
    """What the rows are about."""

    invoices = BY_INVOICE_ROW
    accounts = BY_ACCOUNT


def register(room: typer.Typer) -> None:
    for name, command in (
        ("send", send), ("again", again), ("list", list_registers), ("show", show), ("accept", accept),
        ("reject", reject), ("formats", formats),
    ):  # fmt: skip
        room.command(name)(command)


@guarded
def send(
    agreement: str = AGREEMENT,
    out: Path | None = typer.Option(
        None, "--out", help="Write the file there; in a folder it gets the bank's name."
    ),
    kind: Kind | None = typer.Option(
        None, "--kind", help="Rows by invoice or by account; else as the agreement says."
    ),
    full: bool | None = typer.Option(
        None, "--full/--changes", help="All debts, or only what the bank does not know; else as agreed."
    ),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Make the next register of debts for a bank, keep it, and send it by the agreement's channel.

    With --out, or where there is no channel, it is for you to carry.
    """
    with office_of(agreement, biller) as office:
        contents = "" if full is None else FULL if full else CHANGES
        is_plain = office.agreement.files.debts is None
        agreed = replace(office.agreement, files=_PLAIN) if is_plain else office.agreement
        terms = debt_terms(agreed, kind.value if kind else "", contents)
        if out is not None:
            place_of(out, "register")  # before anything is made
        made = make_register(office, terms)
        if is_plain:
            made = made._replace(notes=[_NO_SETTINGS, *made.notes])
        path = None if out is None else place_of(out, made.register.file_name)
        if path is not None:
            try:
                write_whole(path, office.store.read(made.register.file_digest))
            except NotAllowed as error:
                number = made.register.register_number
                kept = f"register {number} is kept: kvit register again --number {number} --out FILE"
                raise NotAllowed(f"{error}; {kept}") from error
        goes = out is None and office.agreement.files.channel is not None
        departures = deliver(agreement, biller, made.register.register_number) if goes else []
        _report(office, made, path, departures, json_output=json_output)
    if any(one.verdict != SENT for one in departures):
        raise typer.Exit(1)


@guarded
def again(
    agreement: str = AGREEMENT,
    number: int = NUMBER,
    out: Path = typer.Option(..., "--out", help="Write the file there; in a folder it gets the bank's name."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Write a register once more: the same bytes as the first time."""
    with office_of(agreement, biller) as office:
        row = find_register(office, number)
        path = place_of(out, row.file_name)
        write_whole(path, office.store.read(row.file_digest))
        if json_output:
            print_json({**as_json(office, row), "out": str(path)})
        else:
            say(f"Register {number} of {row.agreement_id} as it was made: {path}")


@guarded
def list_registers(agreement: str = AGREEMENT, biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the registers that were made, with what became of them."""
    with office_of(agreement, biller) as office:
        rows = office.store.registers(office.agreement.agreement_id)
        found = [as_json(office, row) for row in rows]
        if json_output:
            print_json(found)
            return
        print_table(
            f"Registers for {office.agreement.title}",
            ("number", "as of", "rows by", "contents", "rows", "sum", "state", "file"),
            [
                (
                    row.register_number, one["as_of"][:16].replace("T", " "), row.rows_kind, row.contents,
                    row.row_count, money(office, row.total_minor), row.state, row.file_name,
                )
                for row, one in zip(rows, found, strict=True)
            ],
            right=("number", "rows", "sum"),
        )  # fmt: skip


@guarded
def show(
    agreement: str = AGREEMENT,
    number: int = NUMBER,
    rows: bool = typer.Option(False, "--rows", help="Also its rows, as they were told."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Show one register: what it told, what became of it, and the rows that the bank refused."""
    with office_of(agreement, biller) as office:
        row = find_register(office, number)
        refused = office.store.rejects(row.agreement_id, number)
        told = lines_of(office.store.read(row.rows_digest))
        if json_output:
            found = {**as_json(office, row), "rejects": [reject_json(one) for one in refused]}
            if rows:
                found["told"] = [told_json(at, key, amount) for at, (key, amount) in enumerate(told, 1)]
            print_json(found)
            return
        print_table(
            f"Register {number} for {office.agreement.title}", ("what", "is"),
            [(name, value) for name, value in as_json(office, row).items() if value not in ("", None)],
        )  # fmt: skip
        if rows:
            shown = [
                told_json(at, key, amount) for at, (key, amount) in enumerate(islice(told, _SHOWN_MAX), 1)
            ]
            print_table(
                "Rows", ("row", "account", "document", "period", "sum"),
                [
                    (
                        one["row"], one["account"], one["document"], one["period"],
                        money(office, one["amount_minor"]),
                    )
                    for one in shown
                ],
                right=("row", "sum"),
            )  # fmt: skip
            if row.row_count > len(shown):
                say(f"The first {len(shown)} of {row.row_count}; --json shows all.")
        print_rejects(refused)


@guarded
def accept(
    agreement: str = AGREEMENT,
    number: int = NUMBER,
    reason: str = typer.Option("", "--reason", help="The bank's words, if any."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """The bank took the register: later changes are told against it."""
    with office_of(agreement, biller) as office:
        decision = accept_register(office, number, reason)
        superseded = [one for one, state, _ in decision.states if one != number and state]
        if json_output:
            print_json(
                {**as_json(office, find_register(office, number)), "changed": bool(decision.states),
                 "superseded": superseded}
            )  # fmt: skip
            return
        say(f"Register {number} is accepted{' now' if decision.states else ' already; nothing was changed'}.")
        if superseded:
            say(f"It takes the place of: {', '.join(map(str, superseded))}.")


def _report(
    office: DebtOffice, made: Made, path: Path | None, departures: Sequence[Departure], *, json_output: bool
) -> None:
    row, replaced = made.register, made.replaced
    if departures:
        row = find_register(office, row.register_number)  # it is marked as sent by now
    if json_output:
        examples = [{"from": before, "to": after} for before, after in replaced.examples]
        print_json(
            {**as_json(office, row), "out": "" if path is None else str(path),
             "replaced": {"count": replaced.count, "examples": examples}, "notes": list(made.notes),
             "sent": [one._asdict() for one in departures]}
        )  # fmt: skip
        return
    say(
        f"Register {row.register_number} for {office.agreement.title}: {row.row_count} rows by "
        f"{row.rows_kind}, {money(office, row.total_minor)} {office.agreement.currency}, "
        f"{row.contents}, as of {from_us(row.as_of_us, office.agreement.timezone):%Y-%m-%d %H:%M}"
    )
    if replaced.count:
        say(f"{replaced.count} texts could not stand in the file as they are:")
        for before, after in replaced.examples:
            say(f"  {before}  →  {after}")
    for note in made.notes:
        say(note)
    for one in departures:
        say(f"{one.name}: {one.verdict}{', ' + one.detail if one.detail else ''}.")
    if not departures:
        where = f"written to {path}" if path else "kept; `kvit register again` writes it to a file"
        say(f"{row.file_name}: {where}.")
    say(f"When the bank has taken it: kvit register accept --number {row.register_number}")
