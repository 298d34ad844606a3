"""``kvit account``, ``kvit charge`` and ``kvit balance``: clients and what they owe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from pathlib import Path

import typer

from kvit.cli.import_report import print_report
from kvit.cli.import_run import Kind, Wish, run_import
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.errors import SettingsError
from kvit.domain.model import ACTIVE, CLOSED, JsonObject
from kvit.domain.money import exponent_of, format_amount
from kvit.files.receivables import read_accounts, read_balances, read_charges
from kvit.services.receivables.office import (
    NUMBERS_MAX,
    account_page,
    accounts_job,
    balances_job,
    charges_job,
    hand_out,
    not_in_file,
    set_status,
)
from kvit.storage.account_pages import SqlAccountPages
from kvit.storage.receivables import SqlReceivables

FILE = typer.Argument(..., help="A CSV or XLSX file with a header row.", show_default=False)
DRY_RUN = typer.Option(False, "--dry-run", help="Only show what would change; write nothing.")
ENCODING = typer.Option(
    "", "--encoding", help="The letters of a CSV file, where guessing fails: cp1251, cp866 …"
)
COLUMNS = typer.Option(
    [], "--column", metavar="FIELD=HEADER", help="Which column is meant, where its header does not say so."
)


class Status(StrEnum):
    """What an account can be."""

    active = ACTIVE
    closed = CLOSED


def register(app: typer.Typer) -> None:
    accounts = typer.Typer(
        help="Clients: their numbers, what they owe, what they paid.", no_args_is_help=True
    )
    accounts.command("import")(import_accounts)
    accounts.command("show")(show)
    accounts.command("set")(set_account)
    accounts.command("numbers")(new_numbers)
    app.add_typer(accounts, name="account")
    charges = typer.Typer(help="What clients owe.", no_args_is_help=True)
    charges.command("import")(import_charges)
    app.add_typer(charges, name="charge")
    balances = typer.Typer(help="What clients owe in all, from books kept elsewhere.", no_args_is_help=True)
    balances.command("import")(import_balances)
    app.add_typer(balances, name="balance")


@guarded
def import_accounts(
    file: Path = FILE,
    dry_run: bool = DRY_RUN,
    encoding: str = ENCODING,
    column: list[str] = COLUMNS,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Add clients, and bring known ones up to date. The same file again changes nothing."""
    kind = Kind(
        lambda table, owner, columns, tell: read_accounts(
            table, columns=columns, check_scheme=owner.number_scheme, progress=tell
        ),
        lambda store, owner, rows, _now: accounts_job(store, owner, rows.records),
    )
    _import(Wish(file, biller, dry_run, json_output, encoding, column), kind)


@guarded
def import_charges(
    file: Path = FILE,
    dry_run: bool = DRY_RUN,
    encoding: str = ENCODING,
    column: list[str] = COLUMNS,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Charge clients. The same file again changes nothing; a changed amount becomes an adjustment."""
    kind = Kind(
        lambda table, owner, columns, tell: read_charges(
            table, owner.currency, columns=columns, progress=tell
        ),
        lambda store, _owner, rows, _now: charges_job(store, rows.records),
    )
    _import(Wish(file, biller, dry_run, json_output, encoding, column), kind)


@guarded
def import_balances(
    file: Path = FILE,
    as_of: str = typer.Option(
        ..., "--as-of", metavar="DATE", help="The day at whose end the balances stood, like 2026-10-31."
    ),
    dry_run: bool = DRY_RUN,
    encoding: str = ENCODING,
    column: list[str] = COLUMNS,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Set what clients owed at the end of a day. Payments booked after that day still count."""
    day = _day(as_of)
    kind = Kind(
        lambda table, owner, columns, tell: read_balances(
            table, owner.currency, columns=columns, progress=tell
        ),
        lambda store, owner, rows, now: balances_job(store, owner, rows.records, day, now),
        lambda store, rows: _left_alone(not_in_file(store, rows.records)),
    )
    _import(Wish(file, biller, dry_run, json_output, encoding, column), kind)


@guarded
def show(
    number: str = typer.Argument(..., help="The account's number."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Show one account: what is owed, its charges and payments."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        with opened.database.read() as connection:
            page = account_page(SqlAccountPages(connection, owner.biller_id), owner, number)
    if json_output:
        print_json(page)
    else:
        _print_page(page)


@guarded
def set_account(
    number: str = typer.Argument(..., help="The account's number."),
    status: Status = typer.Option(..., "--status", help="A closed account takes no more payments."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Close an account, or open it again. What is owed stays owed."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        now, who = opened.clock.now(), author()
        changed = SqlReceivables(opened.database, owner.biller_id).write(
            lambda book: set_status(book, number, status.value, who, now)
        )
    if json_output:
        print_json({"number": number, "status": status.value, "changed": changed})
    else:
        say(f"Account {number} is {status.value}{' now' if changed else ' already; nothing was changed'}.")


@guarded
def new_numbers(
    count: int = typer.Option(..., "--count", min=1, max=NUMBERS_MAX, help="How many."),
    width: int = typer.Option(
        0, "--width", min=0, help="Digits of a number, check digits included; 0: as most numbers have."
    ),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Hand out new account numbers that nobody has, with the biller's check digits; never the same twice."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        now, who = opened.clock.now(), author()
        fresh = SqlReceivables(opened.database, owner.biller_id).write(
            lambda book: hand_out(book, count, width, who, now)
        )
    if json_output:
        print_json({"numbers": fresh, "scheme": owner.number_scheme})
    else:
        typer.echo("\n".join(fresh))


def _import(wish: Wish, kind: Kind) -> None:
    report = run_import(wish, kind)
    if wish.json_output:
        print_json(report)
    else:
        print_report(report)
    if report["errors"]:
        raise typer.Exit(1)


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise SettingsError(f"--as-of {text}: write a day like 2026-10-31")
    return text


def _left_alone(count: int) -> str:
    if not count:
        return ""
    return (
        f"{count} accounts that owe something or paid in advance are not in the file; they stay as they are."
    )


def _print_page(page: JsonObject) -> None:
    exponent = exponent_of(page["currency"])

    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, exponent)

    say(f"Account {page['number']}, {page['name'] or 'without a name'}, {page['status']}")
    if page["advance_minor"]:
        say(f"Paid in advance: {money(page['advance_minor'])} {page['currency']}")
    else:
        say(f"Owed now: {money(page['due_minor'])} {page['currency']}")
    charges = [
        (each["id"], each["due"], each["service"], each["period"], each["document"],
         money(each["amount_minor"]), money(each["open_minor"]))
        for each in page["charges"]
    ]  # fmt: skip
    payments = [
        (each["receipt"], each["received_at"][:16].replace("T", " "), money(each["amount_minor"]),
         each["state"], each["agreement"], each["txn"])
        for each in page["payments"]
    ]  # fmt: skip
    columns: tuple[str, ...] = ("id", "due", "service", "period", "document", "amount", "open")
    _print_rows("Charges", columns, charges, ("amount", "open"))
    columns = ("receipt", "received", "sum", "state", "by", "txn")
    _print_rows("Payments", columns, payments, ("receipt", "sum"))


def _print_rows(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[str]
) -> None:
    if rows:
        print_table(title, columns, rows, right=right)
    else:
        say(f"No {title.lower()} yet.")
