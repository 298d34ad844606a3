"""``kvit quarantine``: lines of files that could not simply be booked, each to be decided by a person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial

import typer

from kvit.cli.agreement_choice import agreements_of
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.errors import SettingsError
from kvit.domain.file_rows import QUARANTINE, LineRow
from kvit.domain.model import Agreement, Biller, JsonObject
from kvit.domain.money import exponent_of, format_amount, parse_amount
from kvit.services.intake import hands, rules
from kvit.services.intake.hands import Handled, Mending
from kvit.services.intake.ports import IntakeBook
from kvit.services.intake.run import Source
from kvit.services.intake.undoing import Act
from kvit.storage.intake import SqlIntake

LINE = typer.Argument(..., help="The line as IMPORT:LINE, for example 1204:17.", show_default=False)
REASON = typer.Option(..., "--reason", help="Why; it stays in the books.")
_MOST = 10_000

#: One act on one line.
Work = Callable[[IntakeBook, tuple[int, int], dict[str, Agreement], Act], Handled]


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Lines of files that wait for your decision.", no_args_is_help=True)
    for name, command in (
        ("list", list_lines), ("retry", retry), ("mend", mend), ("post", post), ("confirm", confirm),
        ("drop", drop),
    ):  # fmt: skip
        room.command(name)(command)
    app.add_typer(room, name="quarantine")


@guarded
def list_lines(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the lines that wait, oldest import first, each with what is wrong."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        store = SqlIntake(opened.database, owner.biller_id)
        rows = store.read(lambda book: book.waiting([QUARANTINE], _MOST))
    if json_output:
        print_json([line_told(row) for row in rows])
        return
    exponent = exponent_of(owner.currency)
    print_table(
        f"In quarantine at {owner.name}",
        ("line", "from", "day", "account", "sum", "what is wrong"),
        [
            (
                f"{row.import_id}:{row.line}", row.source, row.day, row.file_number,
                format_amount(row.amount_minor, exponent) if row.amount_minor else "",
                row.reason if row.day else f"{row.reason}: {row.raw[:80]}",
            )
            for row in rows
        ],
        right=("sum",),
    )  # fmt: skip
    if not rows:
        say("Nothing waits.")


def line_told(row: LineRow) -> JsonObject:
    """A kept line for programs."""
    return {
        "place": f"{row.import_id}:{row.line}", "import_id": row.import_id, "line": row.line,
        "source": row.source, "id": row.line_key, "date": row.day, "account": row.file_number,
        "amount_minor": row.amount_minor, "currency": row.currency, "payer": row.payer, "text": row.text,
        "state": row.state, "number": row.number, "rule": row.rule, "reason": row.reason,
        "receipt": row.receipt, "raw": row.raw,
    }  # fmt: skip


@guarded
def retry(
    line: str = typer.Argument("", help="IMPORT:LINE; without it all lines that wait."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Decide anew: meanwhile the account may be there, or the payment that the line confirms."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        store = SqlIntake(opened.database, owner.biller_id)
        agreements = {one.agreement_id: one for one in agreements_of(opened, owner)}
        settings = store.read(rules.settings)
        rows = store.read(lambda book: book.waiting([QUARANTINE], _MOST))
        places = [_place(line)] if line else [(row.import_id, row.line) for row in rows if row.day]

        def source_of(row: LineRow) -> Source:
            return hands.source_for(row, owner, agreements, settings)

        act = Act("tried again", author(), opened.clock.now())
        done = [
            store.write(partial(hands.retry, place=place, source_of=source_of, act=act)) for place in places
        ]
    _report(done, owner, json_output)


@guarded
def mend(
    line: str = LINE,
    account: str = typer.Option("", "--account", help="The client's account number."),
    amount: str = typer.Option("", "--amount", help="The sum, for example 1500.00."),
    day: str = typer.Option("", "--day", help="The day, for example 2026-11-20."),
    payer: str = typer.Option("", "--payer", help="Who paid."),
    reason: str = REASON,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Say what a line should have said, and book it."""
    _handle(line, biller, reason, json_output, lambda owner: _mending(owner, account, amount, day, payer))


@guarded
def post(
    line: str = LINE,
    account: str = typer.Option("", "--account", help="The client's account; else the one in the file."),
    reason: str = REASON,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Book the line as a payment of its own."""
    _handle(line, biller, reason, json_output, lambda owner: _mending(owner, account, "", "", ""))


@guarded
def confirm(
    line: str = LINE,
    receipt: int = typer.Option(..., "--receipt", help="The payment that the line is about.", min=1),
    reason: str = REASON,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Say that the line is about a payment that is in the books."""
    _handle(
        line, biller, reason, json_output,
        lambda _owner: lambda book, place, _agreements, act: hands.confirm(book, place, receipt, act),
    )  # fmt: skip


@guarded
def drop(line: str = LINE, reason: str = REASON, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Say that the line is no payment of yours."""
    _handle(
        line, biller, reason, json_output,
        lambda _owner: lambda book, place, _agreements, act: hands.drop(book, place, act),
    )  # fmt: skip


def _mending(owner: Biller, account: str, amount: str, day: str, payer: str) -> Work:
    amount_minor = 0
    if amount:
        parsed = parse_amount(amount.replace(",", "."), exponent_of(owner.currency))
        if not parsed:
            raise SettingsError(f"--amount {amount}: write a sum like 1500.00")
        amount_minor = parsed
    if day:
        try:
            date.fromisoformat(day)
        except ValueError as error:
            raise SettingsError(f"--day {day}: write a day like 2026-11-20") from error
    mending = Mending(account, amount_minor, day, payer)
    return lambda book, place, agreements, act: hands.post(book, place, agreements, mending, act)


def _handle(
    line: str, biller: str, reason: str, json_output: bool, work_of: Callable[[Biller], Work]
) -> None:
    place = _place(line)
    with house() as opened:
        owner = choose_biller(opened, biller)
        work = work_of(owner)
        agreements = {one.agreement_id: one for one in agreements_of(opened, owner)}
        act = Act(reason.strip(), author(), opened.clock.now())
        store = SqlIntake(opened.database, owner.biller_id)
        done = store.write(lambda book: work(book, place, agreements, act))
    _report([done], owner, json_output)


def _place(text: str) -> tuple[int, int]:
    import_id, colon, line = text.partition(":")
    if not colon or not import_id.isdecimal() or not line.isdecimal():
        raise SettingsError(f"{text}: write IMPORT:LINE, as `kvit quarantine list` shows it")
    return int(import_id), int(line)


def _report(done: list[Handled], owner: Biller, json_output: bool) -> None:
    if json_output:
        print_json([one._asdict() for one in done])
        return
    for one in done:
        receipt = f", receipt {one.receipt}" if one.receipt else ""
        account = f" to account {one.number}" if one.number else ""
        say(f"line {one.import_id}:{one.line}: {one.state}{account}{receipt}. {one.reason}")
    if not done:
        say(f"Nothing waits at {owner.name}.")
