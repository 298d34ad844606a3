"""``kvit conformance``: the acceptance test of a protocol, against our installation or anybody's biller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from kvit.cli.shared import BILLER, JSON, errors, guarded, print_json, print_table, say
from kvit.cli.simulate_shared import amount_of, network_of, numbers_of
from kvit.domain.errors import NotAllowed, NotFound, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kvit.protocols.base import Protocol, Terms
    from kvit.simulator.conformance.bench import Target
    from kvit.simulator.conformance.run import Report
    from kvit.simulator.conformance.steps import Step
    from kvit.simulator.shell import Network

FAILED = 1

_URL_OF_OURS = "http://127.0.0.1:8080"
_URL = typer.Option(
    "",
    "--url",
    help=f"Our server ({_URL_OF_OURS} if not said); without --agreement, the address of any biller.",
)
_BILLER_KEY = typer.Option(
    "", "--biller-key", metavar="FILE", help="Without --agreement: the biller's public key (PEM)."
)
_DIALECT = typer.Option(
    [],
    "--dialect",
    metavar="SWITCH=VALUE",
    help="Without --agreement: a switch of `kvit protocol show NAME`; may be given again.",
)
_OUT = typer.Option(
    None,
    "--out",
    help="Write a report to hand to the bank: one page (HTML), every request and answer in it.",
)
_YES_LIVE = typer.Option(
    False,
    "--yes-live",
    help="Play against a live agreement, or a biller that is not ours. It books money!",
)


def register(app: typer.Typer) -> None:
    app.command("conformance")(conformance)


@guarded
def conformance(
    agreement: str = typer.Option("", "--agreement", help="Test the door of this agreement of ours."),
    url: str = _URL,
    protocol: str = typer.Option("", "--protocol", help="Without --agreement: how that biller speaks."),
    login: str = typer.Option("", "--login", help="Without --agreement: the network's login (HTTP Basic)."),
    password: str = typer.Option("", "--password", help="Without --agreement: its password."),
    secret: str = typer.Option(
        "", "--secret", help="Without --agreement: the word that both sides sign with."
    ),
    key: str = typer.Option("", "--key", metavar="FILE", help="The network's own private key (PEM)."),
    biller_key: str = _BILLER_KEY,
    dialect: list[str] = _DIALECT,
    currency: str = typer.Option("RUB", "--currency", help="Without --agreement: its currency (ISO 4217)."),
    timezone: str = typer.Option("UTC", "--timezone", help="Without --agreement: the zone of its dates."),
    service: str = typer.Option("", "--service", help="Without --agreement: the service that is named."),
    number: str = typer.Option(
        "", "--number", help="A client that owes; from the books if the biller is ours."
    ),
    other_number: str = typer.Option("", "--other-number", help="Another client that can be paid."),
    unknown_number: str = typer.Option(
        "", "--unknown-number", help="A number that nobody has; from the books if the biller is ours."
    ),
    amount: str = typer.Option("", "--sum", help="The sum of a payment; the least that is taken, or 1."),
    out: Path | None = _OUT,
    yes_live: bool = _YES_LIVE,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Play the acceptance test of a protocol against a running biller, and say what is not as it must be.

    It makes some thirty small payments for one client, most of them in trouble: repeated, doubled, lost, with
    a wrong sum, from a stranger; and takes some of them back. Exit code 1: a step failed.

    Ours: kvit conformance --agreement qiwi. Anybody's: kvit conformance --yes-live --protocol qiwi --url
    https://biller.example/osmp --login osmp --password ... --number 1000025 --unknown-number 9999999.
    """
    from kvit.simulator.conformance import report as reports
    from kvit.simulator.conformance.run import PAUSES_S, run

    if agreement:
        network = network_of(url or _URL_OF_OURS, agreement, biller, key, live=yes_live)
    else:
        terms = _terms(protocol, (login, password, secret), (key, biller_key), (dialect, currency))
        network = _somebody(url, protocol, terms, (timezone, service), may=yes_live)
    numbers = (number, other_number, unknown_number)
    habits = network.protocol.habits
    network = replace(network, timeout_s=habits.timeout_s, pauses_s=PAUSES_S)
    target = _target(network, numbers, amount, is_ours=bool(agreement))
    with errors.status("") as status:

        def tell(step: Step) -> None:
            if not json_output:
                status.update(step.title)

        told = run(target, tell)
    if out is not None:
        _write(out, reports.as_html(told))
    if json_output:
        print_json(reports.as_dict(told))
    else:
        _print(told, out)
    if not told.good:
        raise typer.Exit(FAILED)


def _target(network: Network, numbers: Sequence[str], amount: str, *, is_ours: bool) -> Target:
    from kvit.simulator.conformance.bench import Target

    number, other, unknown = numbers
    if is_ours:
        known = numbers_of(network, number)
        number, other, unknown = known.owing, other or known.other, unknown or known.unknown
    if not number or not unknown:
        raise SettingsError(
            "--number, --unknown-number: name a client of that biller who owes something, "
            "and a number that nobody has"
        )
    amount_minor = max(10**network.terms.exponent, network.contract.least_minor)
    if amount:
        amount_minor = amount_of(amount, network)
    return Target(network, number, unknown, amount_minor, other)


def _terms(
    name: str, words: tuple[str, str, str], files: tuple[str, str], agreed: tuple[list[str], str]
) -> Terms:
    """The terms of an agreement that is not in our books."""
    from kvit.domain.money import exponent_of
    from kvit.main import keys
    from kvit.protocols.base import Terms

    protocol = _protocol(name)
    login, password, secret = words
    private, public = (
        keys.read_key(file, Path(), is_private=position == 0) if file else ""
        for position, file in enumerate(files)
    )
    switches, currency = agreed
    return Terms(
        currency=currency,
        exponent=exponent_of(currency),
        basic_login=login,
        basic_password=password,
        dialect=_dialect(protocol, switches),
        secret=secret,
        sign=keys.signer(private) if private else None,
        verify=keys.verifier(public) if public else None,
    )


def _protocol(name: str) -> Protocol:
    from kvit.protocols.registry import PROTOCOLS

    known = ", ".join(sorted(PROTOCOLS))
    if not name:
        raise SettingsError(f"name --agreement, or --protocol and --url; protocols: {known}")
    if name not in PROTOCOLS:
        raise NotFound(f"there is no protocol {name}; known: {known}")
    return PROTOCOLS[name]


def _dialect(protocol: Protocol, switches: Sequence[str]) -> dict[str, str]:
    from kvit.protocols.base import dialect_problems

    given: dict[str, str] = {}
    for text in switches:
        name, equals, value = text.partition("=")
        if not equals:
            raise SettingsError(f"--dialect: write {name}=VALUE")
        given[name] = value
    for name, problem in dialect_problems(protocol.dialect, given).items():
        raise SettingsError(f"--dialect: {name} {problem}")
    return {name: switch.default for name, switch in protocol.dialect.items()} | given


def _somebody(url: str, protocol: str, terms: Terms, agreed: tuple[str, str], *, may: bool) -> Network:
    """A biller that is not in our books: the address is its door."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from kvit.simulator.orders import Contract
    from kvit.simulator.shell import Network

    if not url.startswith(("http://", "https://")):
        raise SettingsError("--url: name the biller's address, like https://biller.example/osmp")
    if not may:
        raise NotAllowed(
            "the biller at this address may be live, and the test books money there; say --yes-live if it may"
        )
    timezone, service = agreed
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"--timezone: there is no time zone {timezone}") from error
    spoken = _protocol(protocol)
    return Network(url, spoken, terms, timezone, contract=Contract(service))


def _write(out: Path, page: str) -> None:
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--out: {out} cannot be written: {error.strerror or error}") from error


def _print(told: Report, out: Path | None) -> None:
    from kvit.simulator.conformance import report as reports

    network = told.target.network
    rows: list[tuple[Any, ...]] = [
        (one.verdict, one.step.key, one.step.title, "; ".join(one.said)) for one in told.outcomes
    ]
    print_table(f"{network.protocol.title}: acceptance test", ("", "step", "what", "came"), rows)
    for one in told.outcomes:
        if one.verdict == "failed":
            errors.print(
                f"[red]{one.step.key}[/red]: expected {one.step.expected}. {one.step.why}", soft_wrap=True
            )
    say(reports.conclusion(told))
    if out is not None:
        say(f"The report is in {out}")
