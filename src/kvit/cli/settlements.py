"""``kvit settlement list``, ``make`` and ``undo``: agents' lump sums, and what they are for."""

from __future__ import annotations

import typer

from kvit.cli.agreement_choice import agreements_of
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.file_rows import SettlementRow
from kvit.domain.model import JsonObject
from kvit.domain.money import exponent_of, format_amount, parse_amount
from kvit.services.reconciling.run import check_span
from kvit.services.settling.facts import Lump, Span
from kvit.services.settling.making import By, Wish, settle
from kvit.services.settling.making import undo as undo_settlement
from kvit.services.settling.waiting import Waiting, proposals, settle_as_proposed, settle_certain
from kvit.storage.settlements import SqlSettlements

AGREEMENT = typer.Option("", "--agreement", help="Only this agreement's.")
#: A table for people shows the newest so many; ``--json`` gives all.
_SHOWN_MAX = 50


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="Agents' lump sums, and what they are for.", no_args_is_help=True)
    room.command("list")(list_settlements)
    room.command("make")(make)
    room.command("undo")(undo)
    app.add_typer(room, name="settlement")


@guarded
def list_settlements(agreement: str = AGREEMENT, biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the lump sums that wait, each with what it is for most likely, and the settlements made."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        store = SqlSettlements(opened.database, owner.biller_id, agreements_of(opened, owner))
        waiting = store.read(lambda book: proposals(book, agreement))
        most = None if json_output else _SHOWN_MAX
        made = store.read(lambda book: book.settlements(agreement, most))
    if json_output:
        print_json(
            {
                "waiting": [_waiting_values(one) for one in waiting],
                "settlements": [_values(row) for row in made],
            }
        )
        return
    _print_waiting(waiting, exponent_of(owner.currency))
    _print_made(made, exponent_of(owner.currency))


@guarded
def make(
    line: str = typer.Argument(
        "", help="The statement's line as `list` names it, or the beginning of its name."
    ),
    certain: bool = typer.Option(False, "--certain", help="Settle all that come to the last unit instead."),
    first: str = typer.Option(
        "", "--from", help="The first day that the lump sum is for, if not as proposed."
    ),
    last: str = typer.Option("", "--to", help="The last day."),
    fee: str = typer.Option(
        "", "--fee", help="The fee that the agent kept, if not the agreement's, like 15.20."
    ),
    reason: str = typer.Option("", "--reason", help="Why there is a difference, if there is one."),
    agreement: str = AGREEMENT,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Book a lump sum: the bank has the money, the agent has kept its fee, and owes that much less."""
    if bool(line) == certain:
        raise SettingsError("name the line, or say --certain")
    span = check_span(first or last, last or first) if first or last else None
    with house() as opened:
        owner, by = choose_biller(opened, biller), By(author(), opened.clock.now())
        store = SqlSettlements(opened.database, owner.biller_id, agreements_of(opened, owner))
        if certain:
            made = settle_certain(store, by, agreement)
        else:
            lump = _chosen(store.read(lambda book: book.lumps(agreement)), line)
            wish = Wish(lump.source, lump.line_key, span, _sum(fee, owner.currency), reason)
            if span is None:
                row = settle_as_proposed(store, lump, wish, by)
            else:
                row = store.run(lambda book: settle(book, wish, by))
            made = [] if row is None else [row]
    if json_output:
        print_json([_values(row) for row in made])
    elif made:
        _print_made(made, exponent_of(owner.currency))
    else:
        say("No lump sum that waits comes to the last unit; `kvit settlement list` shows what is nearest.")


@guarded
def undo(
    settlement: int = typer.Argument(..., help="The settlement's number.", min=1),
    reason: str = typer.Option(..., "--reason", help="Why; it stays in the books."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Take a settlement back by a reversing entry with your name and reason; its lump sum waits again."""
    with house() as opened:
        owner, by = choose_biller(opened, biller), By(author(), opened.clock.now())
        store = SqlSettlements(opened.database, owner.biller_id, agreements_of(opened, owner))
        transaction_id = store.run(lambda book: undo_settlement(book, settlement, reason, by))
    if json_output:
        print_json(
            {"settlement": settlement, "state": "undone", "transaction": transaction_id, "author": by.author}
        )
    else:
        say(f"Settlement {settlement} was undone by {by.author}; its lump sum waits again.")


def _chosen(waiting: list[tuple[str, Lump]], name: str) -> Lump:
    found = [lump for _, lump in waiting if lump.line_key.startswith(name)]
    exact = [lump for lump in found if lump.line_key == name] or found
    if len(exact) != 1:
        what = "several lump sums that wait begin so" if exact else f"no lump sum that waits is called {name}"
        raise NotFound(f"{what}; `kvit settlement list` names them")
    return exact[0]


def _sum(text: str, currency: str) -> int | None:
    if not text:
        return None
    amount_minor = parse_amount(text, exponent_of(currency))
    if amount_minor is None:
        raise SettingsError("--fee: write a sum like 15.20")
    return amount_minor


def _waiting_values(one: Waiting) -> JsonObject:
    said = one.proposal
    return {
        "line": one.lump.line_key,
        "source": one.lump.source,
        "agreement": one.agreement_id,
        "date": one.lump.day,
        "amount_minor": one.lump.amount_minor,
        "text": one.lump.text,
        "from": said.first_day,
        "to": said.last_day,
        "gross_minor": said.gross_minor,
        "fee_minor": said.fee_minor,
        "difference_minor": said.difference_minor,
        "certain": said.is_certain,
        "why": said.why,
        "together": list(said.together),
    }


def _values(row: SettlementRow) -> JsonObject:
    return {
        "settlement": row.settlement_id,
        "agreement": row.agreement_id,
        "line": row.line_key,
        "source": row.source,
        "from": row.first_day,
        "to": row.last_day,
        "gross_minor": row.gross_minor,
        "fee_minor": row.fee_minor,
        "net_minor": row.net_minor,
        "difference_minor": row.difference_minor,
        "reason": row.reason,
        "author": row.author,
        "state": row.state,
    }


def _days_text(span: Span) -> str:
    return span.first if span.first == span.last else f"{span.first} to {span.last}"


def _print_waiting(waiting: list[Waiting], exponent: int) -> None:
    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, exponent)

    if not waiting:
        say("No lump sum waits.")
        return
    print_table(
        "Lump sums that wait",
        ("line", "agreement", "day", "sum", "for", "gross", "fee", "difference", "why"),
        [
            (
                one.lump.line_key, one.agreement_id, one.lump.day, money(one.lump.amount_minor),
                _days_text(Span(one.proposal.first_day, one.proposal.last_day)) or "?",
                money(one.proposal.gross_minor), money(one.proposal.fee_minor),
                money(one.proposal.difference_minor), one.proposal.why,
            )
            for one in waiting
        ],
        right=("sum", "gross", "fee", "difference"),
    )  # fmt: skip


def _print_made(made: list[SettlementRow], exponent: int) -> None:
    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, exponent)

    print_table(
        "Settlements",
        ("number", "agreement", "for", "gross", "fee", "net", "difference", "reason", "state"),
        [
            (
                row.settlement_id, row.agreement_id, _days_text(Span(row.first_day, row.last_day)),
                money(row.gross_minor), money(row.fee_minor), money(row.net_minor),
                money(row.difference_minor), row.reason, row.state,
            )
            for row in made
        ],
        right=("number", "gross", "fee", "net", "difference"),
    )  # fmt: skip
