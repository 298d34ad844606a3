"""``kvit simulate``: be the network of an agreement, at the shell."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from kvit.cli import simulate_run
from kvit.cli.shared import BILLER, JSON, console, guarded
from kvit.cli.simulate_shared import AGREEMENT, KEY, URL, amount_of, network_of
from kvit.domain.errors import NotAllowed, SettingsError

if TYPE_CHECKING:
    from datetime import datetime

    from kvit.simulator.agent import Exchange
    from kvit.simulator.shell import Network

#: Exit codes: a final no (or a broken promise), and no final answer yet.
REFUSED, STILL_OPEN = 1, 4

#: A step's title, what the network sent, what it was answered.
_STYLES = {"[": "bold", ">": "cyan", "<": ""}


def register(app: typer.Typer) -> None:
    room = typer.Typer(
        help="Play the network of an agreement in test mode, through the HTTP door: any protocol of "
        "`kvit protocol list`, in one phase or two.",
        no_args_is_help=True,
    )
    for command in (check, pay, status, cancel, statement):
        room.command(command.__name__)(command)
    room.command("run")(simulate_run.run)
    app.add_typer(room, name="simulate")


@guarded
def check(
    number: str = typer.Argument(..., help="The client's number."),
    url: str = URL,
    agreement: str = AGREEMENT,
    key: str = KEY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Ask how much a client owes. Exit code 1: the number cannot be paid; 4: no final answer."""
    from kvit.simulator import shell

    network = network_of(url, agreement, biller, key)
    _must_offer(network, "Lookup")
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
    url: str = URL,
    agreement: str = AGREEMENT,
    key: str = KEY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Pay; all copies are one payment. Exit code 1: refused, or booked twice; 4: no final answer.

    Where the protocol has two phases, the payment is held and then posted, each phase as badly as ordered.
    """
    from kvit.simulator import shell

    network = network_of(url, agreement, biller, key)
    amount_minor = amount_of(amount, network)
    order = shell.PayOrder(number, amount_minor, txn, times, at_once, drop)
    _tell(shell.pay(network, order), network, as_json=json_output)


@guarded
def status(
    txn: str = typer.Argument(..., help="The network's id of the payment."),
    url: str = URL,
    agreement: str = AGREEMENT,
    key: str = KEY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Ask what became of a payment. Exit code 1: it is not in the books; 4: no final answer."""
    from kvit.simulator import shell

    network = network_of(url, agreement, biller, key)
    _must_offer(network, "Status")
    _tell(shell.status(network, txn), network, as_json=json_output)


@guarded
def cancel(
    txn: str = typer.Argument(..., help="The network's id of the payment."),
    receipt: str = typer.Option("", "--receipt", help="Our receipt, where the network names that."),
    number: str = typer.Option("", "--number", help="The client's number, where the network repeats it."),
    amount: str = typer.Option("", "--sum", help="The sum, where the network repeats it."),
    url: str = URL,
    agreement: str = AGREEMENT,
    key: str = KEY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Take a payment back, or release what is held. Exit code 1: refused; 4: no final answer."""
    from kvit.simulator import shell

    network = network_of(url, agreement, biller, key)
    _must_offer(network, "Void")
    amount_minor = amount_of(amount, network) if amount else 0
    order = shell.CancelOrder(txn, receipt, number, amount_minor)
    _tell(shell.cancel(network, order), network, as_json=json_output)


@guarded
def statement(
    since: str = typer.Option("", "--since", help="First day or moment, ISO 8601; today if not said."),
    until: str = typer.Option("", "--until", help="Last day or moment; now if not said."),
    url: str = URL,
    agreement: str = AGREEMENT,
    key: str = KEY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Ask for the list of payments, as the network reconciles. Exit code 1: refused; 4: no final answer."""
    from kvit.simulator import shell

    network = network_of(url, agreement, biller, key)
    _must_offer(network, "ListPosted")
    now = network.orders().now()
    begin = _moment(since, now) if since else now.replace(hour=0, minute=0, second=0, microsecond=0)
    end = _moment(until, now) if until else now
    _tell(shell.statement(network, begin, end), network, as_json=json_output)


def _moment(text: str, now: datetime) -> datetime:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"{text} is not a date like 2026-11-23 or 2026-11-23T10:00") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _must_offer(network: Network, kind: str) -> None:
    if not network.orders().offers(kind):
        raise NotAllowed(
            f"the agreement {network.terms.agreement_id} has no such command: its protocol, "
            f"{network.protocol.title}, lacks it or has it switched off (see `kvit protocol show "
            f"{network.protocol.name}`)"
        )


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
    from kvit.domain.messages import Hold, Post
    from kvit.simulator import shell

    last = exchanges[-1]
    if isinstance(exchanges[0].command, Hold | Post):
        verdict = shell.judge(exchanges)
        if not verdict.good or verdict.key == "refused":
            return REFUSED
        return STILL_OPEN if verdict.key == "no-final-answer" else 0
    return {"done": 0, "stop": REFUSED}.get(last.heard.step, STILL_OPEN)
