"""``kvit suspense list``, ``assign``, ``split`` and ``return``: money that has no owner yet."""

from __future__ import annotations

import typer

from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.days import to_us
from kvit.domain.errors import SettingsError
from kvit.domain.model import Biller, JsonObject
from kvit.domain.money import exponent_of, format_amount, parse_amount
from kvit.services.intake import rules
from kvit.services.intake.matching import Hit
from kvit.services.intake.ports import IntakeBook
from kvit.services.intake.suspense import Act, Assigned, Part, assign, send_back
from kvit.storage.intake import SqlIntake
from kvit.storage.reports import suspense_list

RECEIPT = typer.Argument(..., help="The receipt number of the payment.", min=1, show_default=False)
REASON = typer.Option(..., "--reason", help="Why; it stays in the books.")
AMOUNT = typer.Option("", "--amount", help="A part of it, for example 500.00; else all that is left.")


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Money that has no owner yet.", no_args_is_help=True)
    for name, command in (
        ("list", list_suspense), ("assign", assign_one), ("split", split), ("return", return_one),
    ):  # fmt: skip
        room.command(name)(command)
    app.add_typer(room, name="suspense")


@guarded
def list_suspense(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List money in suspense, oldest first, with its age and the accounts that it may be of."""
    with house() as opened:
        owner, now_us = choose_biller(opened, biller), to_us(opened.clock.now())
        with opened.database.read() as connection:
            rows = suspense_list(connection, owner, now_us)
        near = SqlIntake(opened.database, owner.biller_id).read(lambda book: _proposed(book, owner, rows))
    for row in rows:
        row["proposals"] = [
            {"account": hit.number, "rule": hit.rule, "why": hit.why} for hit in near.get(row["receipt"], ())
        ]
    if json_output:
        print_json(rows)
        return
    exponent = exponent_of(owner.currency)
    print_table(
        f"In suspense at {owner.name}",
        ("receipt", "received", "days", "number typed", "left", "by", "what is known", "perhaps"),
        [
            (
                row["receipt"], row["received_at"][:16].replace("T", " "), row["age_days"], row["typed"],
                format_amount(row["left_minor"], exponent), row["agreement"], _known(row),
                ", ".join(one["account"] for one in row["proposals"]),
            )
            for row in rows
        ],
        right=("receipt", "days", "left"),
    )  # fmt: skip
    if rows:
        total = format_amount(sum(row["left_minor"] for row in rows), exponent)
        say(f"{total} {owner.currency} in all. Give it with `kvit suspense assign` or `split`.")
    else:
        say("No money is in suspense.")


def _known(row: JsonObject) -> str:
    fields = row["fields"]
    return "; ".join(filter(None, (fields.get("payer", ""), fields.get("text", ""))))


def _proposed(book: IntakeBook, owner: Biller, rows: list[JsonObject]) -> dict[int, list[Hit]]:
    """By the rules for statement lines; by nearly right numbers for what was typed."""
    lines = [row for row in rules.in_suspense(book) if row.receipt is not None]
    found = rules.proposals(book, lines, owner, rules.settings(book))
    for row in rows:
        if row["receipt"] not in found and row["typed"]:
            found[row["receipt"]] = rules.near_hits(book, row["typed"])
    return found


@guarded
def assign_one(
    receipt: int = RECEIPT,
    account: str = typer.Option(..., "--account", help="The client's account number."),
    amount: str = AMOUNT,
    reason: str = REASON,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Give the money, or a part of it, to a client."""
    _do(receipt, [(account, amount)], reason, biller, json_output)


@guarded
def split(
    receipt: int = RECEIPT,
    part: list[str] = typer.Option(
        ..., "--part", help="NUMBER=SUM, once for each client; SUM may be left out once."
    ),
    reason: str = REASON,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Give the money to several clients."""
    parts = []
    for text in part:
        number, _, amount = text.partition("=")
        if not number:
            raise SettingsError(f"--part {text}: write NUMBER=SUM, for example 1002344=500.00")
        parts.append((number.strip(), amount.strip()))
    rest = [number for number, amount in parts if not amount]
    if len(rest) > 1:
        raise SettingsError("--part: the sum may be left out once, for what is left")
    _do(receipt, sorted(parts, key=lambda one: not one[1]), reason, biller, json_output)


@guarded
def return_one(
    receipt: int = RECEIPT, amount: str = AMOUNT, reason: str = REASON, biller: str = BILLER,
    json_output: bool = JSON,
) -> None:  # fmt: skip
    """Send the money, or a part of it, back: it is owed to its payer until your bank has paid it out."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        act = Act(reason.strip(), author(), opened.clock.now())
        amount_minor = _minor(amount, owner)
        store = SqlIntake(opened.database, owner.biller_id)
        done = store.write(lambda book: send_back(book, receipt, amount_minor, act))
    _report(done, owner, "returned", json_output)


def _do(receipt: int, parts: list[tuple[str, str]], reason: str, biller: str, json_output: bool) -> None:
    with house() as opened:
        owner = choose_biller(opened, biller)
        act = Act(reason.strip(), author(), opened.clock.now())
        wanted = [Part(number, _minor(amount, owner)) for number, amount in parts]
        store = SqlIntake(opened.database, owner.biller_id)
        done = store.write(lambda book: assign(book, receipt, wanted, act))
    _report(done, owner, "assigned", json_output)


def _minor(text: str, owner: Biller) -> int:
    if not text:
        return 0
    amount_minor = parse_amount(text.replace(",", "."), exponent_of(owner.currency))
    if not amount_minor:
        raise SettingsError(f"{text}: write a sum like 500.00")
    return amount_minor


def _report(done: Assigned, owner: Biller, state: str, json_output: bool) -> None:
    if json_output:
        parts = [{"account": part.number, "amount_minor": part.amount_minor} for part in done.parts]
        print_json({"receipt": done.receipt, "state": state, "parts": parts, "left_minor": done.left_minor})
        return
    exponent = exponent_of(owner.currency)
    for part in done.parts:
        where = f"given to account {part.number}" if part.number else "owed to its payer"
        say(f"{format_amount(part.amount_minor, exponent)} of payment {done.receipt} is {where}.")
    say(f"{format_amount(done.left_minor, exponent)} of it is still in suspense.")
