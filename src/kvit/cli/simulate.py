"""``kvit simulate check`` and ``kvit simulate pay``: be the terminal network, at the shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from kvit.cli.shared import BILLER, JSON, choose_biller, console, guarded, house
from kvit.domain.errors import NotAllowed, NotFound, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvit.domain.model import Agreement
    from kvit.simulator.agent import Exchange
    from kvit.simulator.shell import Network

_URL = typer.Option("http://127.0.0.1:8080", "--url", help="Where kvit serves.")
_AGREEMENT = typer.Option("", "--agreement", help="Which agreement, where several are in test mode.")

#: Exit codes: a final no (or a broken promise), and no final answer yet.
REFUSED, STILL_OPEN = 1, 4

#: A step's title, what the network sent, what it was answered.
_STYLES = {"[": "bold", ">": "cyan", "<": ""}


def register(app: typer.Typer) -> None:
    room = typer.Typer(
        help="Play the terminal network of an agreement in test mode, through the HTTP door.",
        no_args_is_help=True,
    )
    room.command("check")(check)
    room.command("pay")(pay)
    app.add_typer(room, name="simulate")


@guarded
def check(
    number: str = typer.Argument(..., help="The client's number."),
    url: str = _URL,
    agreement: str = _AGREEMENT,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Ask how much a client owes. Exit code 1: the number cannot be paid; 4: no final answer."""
    from kvit.simulator import shell

    network = _network(url, agreement, biller)
    _tell(shell.check(network, number), network, as_json=json_output)


@guarded
def pay(
    number: str = typer.Argument(..., help="The client's number."),
    amount: str = typer.Argument(..., metavar="SUM", help="The sum, such as 250 or 250.00."),
    times: int = typer.Option(
        1, "--times", help="Send it so many times, one after the other.", min=1, max=1000
    ),
    at_once: int = typer.Option(1, "--at-once", help="Send so many copies together.", min=1, max=500),
    txn: str = typer.Option("", "--txn", help="The network's id of the payment; a new one if not said."),
    drop: bool = typer.Option(False, "--drop", help="First send one copy and hang up before the answer."),
    url: str = _URL,
    agreement: str = _AGREEMENT,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Pay; all copies are one payment. Exit code 1: refused, or booked twice; 4: no final answer."""
    from kvit.domain.money import parse_amount
    from kvit.simulator import shell

    network = _network(url, agreement, biller)
    amount_minor = parse_amount(amount, network.terms.exponent)
    if amount_minor is None:
        raise SettingsError(f"{amount} is not a sum; write 250 or 250.00")
    order = shell.PayOrder(number, amount_minor, txn, times, at_once, drop)
    _tell(shell.pay(network, order), network, as_json=json_output)


def _network(url: str, agreement_id: str, biller_id: str) -> Network:
    """The network of the agreement named, or of the only one in test mode."""
    from kvit.main import load_agreements, make_terms
    from kvit.protocols.registry import PROTOCOLS
    from kvit.simulator.shell import Network

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"--url: {url} is not an address like http://127.0.0.1:8080")
    with house() as opened:
        known = load_agreements(opened)
        if biller_id:
            owner = choose_biller(opened, biller_id)
            known = [one for one in known if one.biller_id == owner.biller_id]
    chosen = _chosen(known, agreement_id)
    return Network(url, PROTOCOLS[chosen.protocol], make_terms(chosen), chosen.timezone)


def _chosen(known: Sequence[Agreement], agreement_id: str) -> Agreement:
    in_test = [one for one in known if one.is_test]
    names = ", ".join(one.agreement_id for one in in_test)
    if agreement_id:
        for one in known:
            if one.agreement_id == agreement_id:
                return _in_test_mode(one)
        raise NotFound(f"there is no agreement {agreement_id}; in test mode: {names or 'none'}")
    if not in_test:
        raise NotFound(
            'no agreement is in test mode; set mode = "test" in its file and run `kvit agreement apply FILE`'
        )
    if len(in_test) > 1:
        raise SettingsError(f"several agreements are in test mode; add --agreement with one of: {names}")
    return in_test[0]


def _in_test_mode(agreement: Agreement) -> Agreement:
    if not agreement.is_test:
        raise NotAllowed(
            f"agreement {agreement.agreement_id} is live: what the simulator pays would be booked as real "
            'money; set mode = "test" in its file and run `kvit agreement apply FILE`, or try it elsewhere'
        )
    return agreement


def _tell(exchanges: list[Exchange], network: Network, *, as_json: bool) -> None:
    from kvit.simulator import shell

    code = _exit_code(exchanges)
    if as_json:
        sys.stdout.write(shell.as_json(exchanges, network) + "\n")
    else:
        *wire, conclusion = shell.as_text(exchanges, network).splitlines()
        for line in wire:
            console.print(Text(line, _STYLES.get(line[:1], "")), soft_wrap=True)
        console.print(Text(conclusion, "bold " + ("green" if code == 0 else "red")), soft_wrap=True)
    if code:
        raise typer.Exit(code)


def _exit_code(exchanges: list[Exchange]) -> int:
    """What a script may go by: 0 only where the answer is a final yes and every promise was kept."""
    from kvit.domain.messages import Post
    from kvit.simulator import shell

    last = exchanges[-1]
    if isinstance(last.command, Post):
        verdict = shell.judge(exchanges)
        if not verdict.good or verdict.key == "refused":
            return REFUSED
        return STILL_OPEN if verdict.key == "no-final-answer" else 0
    return {"done": 0, "stop": REFUSED}.get(last.heard.step, STILL_OPEN)
