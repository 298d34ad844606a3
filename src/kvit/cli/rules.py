"""``kvit rule list`` and ``set``: how lines of statements find their accounts."""

from __future__ import annotations

import typer

from kvit.cli.agreement_choice import agreements_of
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.services.intake.matching import RULE_MEANINGS
from kvit.services.intake.rules import set_rule, settings, trials
from kvit.storage.intake import SqlIntake


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="How lines of statements find their accounts.", no_args_is_help=True)
    room.command("list")(list_rules)
    room.command("set")(set_one)
    app.add_typer(room, name="rule")


@guarded
def list_rules(biller: str = BILLER, json_output: bool = JSON) -> None:
    """List the rules in their order, and how many of the lines in suspense each would match by itself."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        store, agreements = SqlIntake(opened.database, owner.biller_id), agreements_of(opened, owner)
        done = store.read(lambda book: trials(book, owner, agreements, settings(book)))
    if json_output:
        print_json([{**one._asdict(), "meaning": RULE_MEANINGS[one.rule]} for one in done])
        return
    print_table(
        "Rules, the first one that finds an account decides",
        ("rule", "is", "would match", "finds an account when"),
        [
            (one.rule, one.state, f"{one.matched} of {one.lines}", RULE_MEANINGS[one.rule])
            for one in done
        ],
    )  # fmt: skip


@guarded
def set_one(
    rule: str = typer.Argument(..., help="The rule's name."),
    state: str = typer.Argument(..., help="on: apply it; propose: only show what it finds; off."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Switch a rule on or off, or let it only propose."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        who, now = author(), opened.clock.now()
        store = SqlIntake(opened.database, owner.biller_id)
        changed = store.write(lambda book: set_rule(book, rule, state, who, now))
    if json_output:
        print_json({"rule": rule, "state": state, "changed": changed})
        return
    say(f"The rule {rule} is {state}" + ("." if changed else " already."))
