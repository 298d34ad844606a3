"""``kvit register reject``: what the bank refused, as a whole or by its own file of rows."""

from __future__ import annotations

from pathlib import Path

import typer

from kvit.cli.registers_shown import AGREEMENT, NUMBER, as_json, office_of, print_rejects, reject_json
from kvit.cli.shared import BILLER, JSON, guarded, print_json, print_table, say
from kvit.domain.debts import ACCEPTED
from kvit.domain.errors import SettingsError
from kvit.domain.file_rows import DebtRegisterRow
from kvit.services.debts.deciding import Refusal, Unplaced, find_register, placed, refuse_rows
from kvit.services.debts.deciding import reject as reject_register
from kvit.services.debts.ports import DebtOffice


@guarded
def reject(
    agreement: str = AGREEMENT,
    number: int = NUMBER,
    rejects: Path | None = typer.Option(
        None, "--rejects", help="The bank's file with the rows that it refused: CSV, text or XLSX."
    ),
    reason: str = typer.Option("", "--reason", help="Why; needed where there is no file."),
    column: list[str] = typer.Option(
        [], "--column", metavar="FIELD=HEADER", help="Which column is the row, number, document or reason."
    ),
    first_row: int = typer.Option(
        1, "--first-row", help="The number that the bank gives the first row.", min=0
    ),
    skip_unknown: bool = typer.Option(False, "--skip-unknown", help="Pass over lines that fit no row."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """The bank refused the register, or with --rejects some of its rows: these are told again."""
    with office_of(agreement, biller) as office:
        row = find_register(office, number)
        refusal = Refusal((), ())
        if rejects is not None:
            refusal = _refusal(office, row, rejects, (chosen_columns(column), first_row), reason)
        elif not reason:
            raise SettingsError("add --reason with the bank's words, or --rejects with its file")
        is_mixed = bool(refusal.unplaced) and not skip_unknown
        changed = False
        if not is_mixed:
            decision = (
                reject_register(office, number, reason)
                if rejects is None
                else refuse_rows(office, number, refusal, reason)
            )
            changed = bool(decision.states or decision.rejects)
        _say_refused(office, number, refusal, (is_mixed, changed), json_output)
        if is_mixed:
            raise typer.Exit(1)


def chosen_columns(column: list[str]) -> dict[str, str]:
    """``["row=N"]`` -> ``{"row": "N"}``. Raises ``SettingsError``."""
    pairs = [one.partition("=") for one in column]
    for field, equals, header in pairs:
        if not (field and equals and header):
            raise SettingsError(f"--column {field}{equals}{header}: write FIELD=HEADER")
    return {field.strip(): header.strip() for field, _, header in pairs}


def _refusal(
    office: DebtOffice, row: DebtRegisterRow, file: Path, how: tuple[dict[str, str], int], reason: str
) -> Refusal:
    """The bank's file against the register's rows."""
    from kvit.files.debts.rejects import read_rejects

    columns, first_row = how
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror or error}") from error
    found = read_rejects(data, file.name, columns, first_row=first_row)
    refused = placed(office, row, [one._replace(reason=one.reason or reason) for one in found.rejects])
    unread = [Unplaced(error.line, error.value, error.reason) for error in found.errors]
    return Refusal(refused.rows, sorted([*refused.unplaced, *unread]))


def _say_refused(
    office: DebtOffice, number: int, refusal: Refusal, how: tuple[bool, bool], json_output: bool
) -> None:
    is_mixed, changed = how
    row = find_register(office, number)
    if json_output:
        print_json(
            {**as_json(office, row), "changed": changed,
             "rejects": [reject_json(one) for one in refusal.rows],
             "unplaced": [one._asdict() for one in refusal.unplaced]}
        )  # fmt: skip
        return
    print_rejects(list(refusal.rows))
    if refusal.unplaced:
        print_table("Lines that fit no row", ("line", "text", "reason"), refusal.unplaced, right=("line",))
    if is_mixed:
        say("Nothing was changed. Is it the right register? --skip-unknown passes over these lines.")
        return
    but = f", but for {len(refusal.rows)} rows" if refusal.rows and row.state == ACCEPTED else ""
    say(f"Register {number} is {row.state}{but}{' now' if changed else ' already; nothing was changed'}.")
