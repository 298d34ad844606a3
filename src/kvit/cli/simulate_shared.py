"""What the commands that play a network share: whose network, where, and with which key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from kvit.cli.shared import choose_biller, house
from kvit.domain.errors import NotAllowed, NotFound, SettingsError
from kvit.domain.model import ACTIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvit.domain.model import Agreement
    from kvit.simulator.shell import Network

URL = typer.Option("http://127.0.0.1:8080", "--url", help="Where kvit serves.")
AGREEMENT = typer.Option("", "--agreement", help="Which agreement, where several are in test mode.")
KEY = typer.Option(
    "",
    "--key",
    metavar="FILE",
    help="The network's own private key (PEM), where it signs and ours is another.",
)


def amount_of(text: str, network: Network) -> int:
    """A sum of major units as minor ones. Raises ``SettingsError`` for what is none."""
    from kvit.domain.money import parse_amount

    amount_minor = parse_amount(text, network.terms.exponent)
    if amount_minor is None:
        raise SettingsError(f"{text} is not a sum; write 250 or 250.00")
    return amount_minor


def network_of(
    url: str, agreement_id: str, biller_id: str, key_file: str = "", *, live: bool = False
) -> Network:
    """The network of the agreement named, or of the only one in test mode; a live one only where asked to."""
    from kvit.main import load_agreements, make_agent_terms
    from kvit.main.keys import read_key
    from kvit.main.trials import contract_of
    from kvit.protocols.registry import PROTOCOLS
    from kvit.simulator.shell import Network

    if not url.startswith(("http://", "https://")):
        raise SettingsError(f"--url: {url} is not an address like http://127.0.0.1:8080")
    with house() as opened:
        known = [one for one in load_agreements(opened) if one.has_door]
        if biller_id:
            owner = choose_biller(opened, biller_id)
            known = [one for one in known if one.biller_id == owner.biller_id]
    chosen = _chosen(known, agreement_id, live=live)
    agent_key = read_key(key_file, Path(), is_private=True) if key_file else ""
    terms = make_agent_terms(chosen, agent_key)
    return Network(url, PROTOCOLS[chosen.protocol], terms, chosen.timezone, contract=contract_of(chosen))


def _chosen(known: Sequence[Agreement], agreement_id: str, *, live: bool) -> Agreement:
    in_test = [one for one in known if one.is_test]
    names = ", ".join(one.agreement_id for one in in_test)
    if agreement_id:
        for one in known:
            if one.agreement_id == agreement_id:
                return one if live else _in_test_mode(one)
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


class Numbers(NamedTuple):
    """Clients to play with: one that owes, another one (may be empty), and a number that nobody has."""

    owing: str
    other: str
    unknown: str


def numbers_of(network: Network, number: str = "") -> Numbers:
    """Clients of the agreement's biller, from the books; ``number`` where the one that owes is known.

    Raises ``NotFound`` where nobody owes, and ``NotAllowed`` where payers type an invoice's number: that can
    be paid once and with one sum, and no game is played with it.
    """
    from kvit.main import load_agreements
    from kvit.protocols.kits.kit import NUMBER_JOINT
    from kvit.storage.standings import examples, standings

    with house() as opened:
        known = load_agreements(opened)
        (agreement,) = [one for one in known if one.agreement_id == network.terms.agreement_id]
        if agreement.by_invoice:
            raise NotAllowed(
                f"payers of {agreement.agreement_id} type an invoice's number, which can be paid once; "
                "play with an agreement whose payers type an account's"
            )
        with opened.database.read() as connection:
            found = [one for one in examples(connection, agreement.biller_id) if one.status == ACTIVE]
            owing = number or next((one.number for one in found if one.balance_minor > 0), "")
            if not owing:
                raise NotFound("no client owes anything; say with --number whom to pay for")
            candidates = [re.sub(f"[^{NUMBER_JOINT}]", digit, owing) for digit in "98765"]
            taken = {one.number for one in standings(connection, agreement.biller_id, candidates)}
    other = next((one.number for one in found if one.number != owing), "")
    return Numbers(owing, other, next((one for one in candidates if one not in taken), ""))
