"""``kvit payment list``, ``void``, ``move``, ``allocate`` and ``holds``."""

from __future__ import annotations

import typer

from kvit.cli.agreement_choice import agreements_of
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.days import from_us, to_us
from kvit.domain.money import exponent_of, format_amount
from kvit.services.corrections import void_payment
from kvit.services.intake import hands
from kvit.services.intake.matching import OFF, RULES
from kvit.services.intake.rules import set_rule
from kvit.services.intake.undoing import Act
from kvit.services.reallocation import Wish, reallocate
from kvit.storage.corrections import SqlCorrections
from kvit.storage.intake import SqlIntake
from kvit.storage.reports import hold_list, payment_list

#: A table for people shows the newest so many; ``--json`` gives all.
_SHOWN_MAX = 50


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="What was paid.", no_args_is_help=True)
    room.command("list")(list_payments)
    room.command("void")(void)
    room.command("move")(move)
    room.command("allocate")(allocate)
    room.command("holds")(list_holds)
    app.add_typer(room, name="payment")


@guarded
def list_payments(
    account: str = typer.Option("", "--account", help="Only payments of this account number."),
    agreement: str = typer.Option("", "--agreement", help="Only payments that came by this agreement."),
    limit: int = typer.Option(
        0, "--limit", help="Only the newest N; 0: all (for people: the newest 50).", min=0
    ),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """List payments, oldest first."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        most = limit or (None if json_output else _SHOWN_MAX)
        with opened.database.read() as connection:
            rows = payment_list(connection, owner, account=account, agreement=agreement, most=most)
    if json_output:
        print_json(rows)
        return
    exponent = exponent_of(owner.currency)
    print_table(
        f"Payments of {owner.name}",
        ("receipt", "received", "account", "sum", "state", "by", "txn"),
        [
            (
                row["receipt"], _minute(row["received_at"]),
                f"? {row['typed']}" if row["in_suspense"] else row["account"],
                format_amount(row["amount_minor"], exponent), row["state"], row["agreement"], row["txn"],
            )
            for row in rows
        ],
        right=("receipt", "sum"),
    )  # fmt: skip
    if most is not None and len(rows) == most:
        say(f"The newest {most}; --limit N shows more, --json all.")


@guarded
def list_holds(
    every: bool = typer.Option(False, "--all", help="Also those that were posted, released or expired."),
    limit: int = typer.Option(0, "--limit", help="Only the newest N; 0: all.", min=0),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """List payments that are announced and not yet posted: nothing is booked for them."""
    with house() as opened:
        owner, now_us = choose_biller(opened, biller), to_us(opened.clock.now())
        with opened.database.read() as connection:
            rows = hold_list(connection, owner, now_us, every=every, most=limit or None)
    if json_output:
        print_json(rows)
        return
    exponent = exponent_of(owner.currency)
    print_table(
        f"Held for {owner.name}",
        ("receipt", "held", "until", "account", "sum", "state", "by", "txn"),
        [
            (
                row["receipt"], _minute(row["held_at"]), _minute(row["expires_at"]) or "no end",
                row["typed"] or row["account"], format_amount(row["amount_minor"], exponent), row["state"],
                row["agreement"], row["txn"],
            )
            for row in rows
        ],
        right=("receipt", "sum"),
    )  # fmt: skip


def _minute(iso: str) -> str:
    return iso[:16].replace("T", " ")


@guarded
def void(
    receipt: int = typer.Argument(..., help="The receipt number of the payment.", min=1),
    reason: str = typer.Option(..., "--reason", help="Why; it stays in the books."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Take a payment back: a reversing entry with your name and reason; what it had settled is owed again."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        who, now = author(), opened.clock.now()
        done = SqlCorrections(opened.database).run(
            lambda book: void_payment(book, owner.biller_id, receipt, reason, who, now)
        )
    at = from_us(done.voided_at_us, owner.timezone).isoformat()
    if json_output:
        print_json(
            {"receipt": receipt, "state": "voided", "transaction": done.transaction_id, "voided_at": at,
             "reason": done.reason, "author": done.author}
        )  # fmt: skip
        return
    say(f"Payment {receipt} was voided by {done.author}: {done.reason}. What it had settled is owed again.")


@guarded
def move(
    receipt: int = typer.Argument(..., help="The receipt number of the payment.", min=1),
    account: str = typer.Option(..., "--account", help="The account that it belongs to."),
    rule_off: bool = typer.Option(
        False, "--rule-off", help="Also switch off the rule that found the wrong one."
    ),
    reason: str = typer.Option(..., "--reason", help="Why; it stays in the books."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Move a payment that came by a file to the account that it belongs to."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        agreements = {one.agreement_id: one for one in agreements_of(opened, owner)}
        act = Act(reason.strip(), author(), opened.clock.now())
        store = SqlIntake(opened.database, owner.biller_id)
        before = store.read(lambda book: book.line_of(receipt))
        done = store.write(lambda book: hands.move(book, receipt, account, agreements, act))
        rule = "" if before is None else before.rule
        is_off = rule_off and rule in RULES
        if is_off:
            store.write(lambda book: set_rule(book, rule, OFF, act.author, act.now))
    if json_output:
        print_json({**done._asdict(), "moved_from": receipt, "rule": rule, "rule_off": is_off})
        return
    say(f"Payment {receipt} was taken back; account {account} has it as payment {done.receipt}.")
    if rule:
        say(f"The rule {rule} had found the wrong account" + (", and is off now." if is_off else "."))


@guarded
def allocate(
    receipt: int = typer.Argument(..., help="The receipt number of the payment.", min=1),
    charge: list[int] = typer.Option(
        [], "--charge", help="Settle this charge first (its id in `kvit account show`); may be repeated."
    ),
    service: str = typer.Option("", "--service", help="Then the charges of this service."),
    reason: str = typer.Option(..., "--reason", help="Why; it stays in the journal."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Decide anew what a payment settles: the charges named, then a service, then the oldest due."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        who, now, wish = author(), opened.clock.now(), Wish(charge, service)
        place = (owner.biller_id, receipt)
        done = SqlCorrections(opened.database).run(
            lambda book: reallocate(book, place, wish, reason, who, now)
        )
    if json_output:
        shares = [{"charge": charge_id, "amount_minor": part} for charge_id, part in done.shares]
        print_json(
            {
                "receipt": receipt,
                "changed": done.changed,
                "shares": shares,
                "advance_minor": done.advance_minor,
            }
        )
        return
    exponent = exponent_of(owner.currency)
    rows = [(charge_id, format_amount(part, exponent)) for charge_id, part in done.shares]
    print_table(f"Payment {receipt} settles", ("charge", "sum"), rows, right=("charge", "sum"))
    rest = format_amount(done.advance_minor, exponent)
    say(f"{rest} of it is an advance." if done.changed else "Nothing had to be changed.")
