"""``kvit simulate run``: a network's busy day, with a verdict at the end."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import typer

from kvit.cli.shared import BILLER, JSON, errors, guarded, print_json, print_table, say
from kvit.cli.simulate_shared import AGREEMENT, KEY, URL, amount_of, network_of, numbers_of
from kvit.domain.errors import SettingsError

if TYPE_CHECKING:
    from kvit.simulator.day import Day
    from kvit.simulator.shell import Network

#: Exit codes: a promise was broken, and no final answer yet.
BROKEN, STILL_OPEN = 1, 4

_STORIES = "double, reorder, drop, wrong-sum, flip, clock, slow, none"


@guarded
def run(
    payments: int = typer.Option(100, "--payments", help="How many payments.", min=1, max=100_000),
    mischief: str = typer.Option(
        "none",
        "--mischief",
        help=f"What happens to them, by turns, with commas between: {_STORIES}; or all. "
        "double: each request twice at once; reorder: the end before the beginning; drop: answers are lost; "
        "wrong-sum: the same id with another sum; flip: a stranger sends it first (wrong password, flipped "
        "signature); clock: the network's clock is a day off; slow: answers are taken a byte at a time.",
    ),
    number: list[str] = typer.Option(
        [], "--number", help="A client to pay for; may be given again. Not said: one that owes."
    ),
    amount: str = typer.Option(
        "", "--sum", help="The sum of each; 10 of the currency, or the least allowed."
    ),
    connections: int = typer.Option(
        0, "--connections", help="How many payments are on their way at once; the protocol's habit.", min=0
    ),
    hurry: float = typer.Option(
        1.0, "--hurry", help="How many times shorter the network's rests between attempts are.", min=1.0
    ),
    url: str = URL,
    agreement: str = AGREEMENT,
    key: str = KEY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Play many payments with the network's own patience, and tell whether each was booked exactly once.

    Exit code 1: a promise was broken; 4: a payment has no final answer.
    """
    from kvit.simulator import day

    network = network_of(url, agreement, biller, key)
    habits = network.protocol.habits
    pauses_s = [pause_s / hurry for pause_s in habits.pauses_s]
    network = replace(network, timeout_s=habits.timeout_s, pauses_s=pauses_s)
    plan = day.Plan(
        payments, number or [numbers_of(network).owing], _amount_minor(amount, network), _kinds(mischief),
        connections or habits.connections,
    )  # fmt: skip
    with errors.status("") as status:
        told = day.play(
            network, plan, lambda ended: None if json_output else status.update(f"{ended} of {payments}")
        )
    if json_output:
        print_json(_as_dict(told, network))
    else:
        _print(told, network)
    if not told.good:
        raise typer.Exit(STILL_OPEN if told.open and not told.broken else BROKEN)


def _kinds(text: str) -> list[str]:
    from kvit.simulator.stories import STORIES

    kinds = list(STORIES) if text == "all" else [kind.strip() for kind in text.split(",")]
    for kind in kinds:
        if kind not in STORIES:
            raise SettingsError(f"--mischief: there is no {kind}; known: {_STORIES}, all")
    return list(dict.fromkeys(kinds))


def _amount_minor(text: str, network: Network) -> int:
    if text:
        return amount_of(text, network)
    ten_minor: int = 10 * 10**network.terms.exponent
    least_minor = network.contract.least_minor
    return max(ten_minor, least_minor)


def _print(told: Day, network: Network) -> None:
    from kvit.domain.money import format_amount

    columns = ("mischief", "payments", "booked", "refused", "open", "requests", "broken")
    rows = [tuple(asdict(row).values()) for row in told.rows]
    print_table(f"{network.protocol.title}: {network.terms.agreement_id}", columns, rows, right=columns[1:])

    def shown(sum_minor: int | None) -> str:
        return "not shown" if sum_minor is None else format_amount(sum_minor, network.terms.exponent)

    print_table(
        "",
        ("client", "owed before", "paid", "owes now", ""),
        [
            (
                one.number,
                shown(one.before_minor),
                shown(one.paid_minor),
                shown(one.after_minor),
                _said(one.verdict),
            )
            for one in told.standings
        ],
        right=("owed before", "paid", "owes now"),
    )
    for what in told.broken:
        say(f"broken: {what}")
    say(conclusion(told))


def _said(key: str) -> str:
    from kvit.simulator import texts

    return texts.text(f"verdict.{key}", "en")


def conclusion(told: Day) -> str:
    """The verdict in one sentence."""
    booked, refused = (sum(getattr(row, name) for row in told.rows) for name in ("booked", "refused"))
    if told.good:
        refusals = f", {refused} refused" if refused else ""
        return f"Every payment is final: {booked} booked, each once{refusals}. {_quickness(told)}"
    if told.open and not told.broken:
        return f"{told.open} payments have no final answer yet; {booked} are booked."
    if told.broken:
        return f"Promises were broken, {len(told.broken)} in all."
    return "What a client owes did not go down by what was booked."


def _quickness(told: Day) -> str:
    times = sorted(told.elapsed_ms)
    if not times:
        return ""
    return f"Half of the answers took {times[len(times) // 2]:.0f} ms, the slowest {times[-1]:.0f} ms."


def _as_dict(told: Day, network: Network) -> dict[str, Any]:
    times = sorted(told.elapsed_ms)
    return {
        "agreement": network.terms.agreement_id,
        "protocol": network.protocol.name,
        "good": told.good,
        "conclusion": conclusion(told),
        "rows": [asdict(row) for row in told.rows],
        "clients": [asdict(one) for one in told.standings],
        "broken": told.broken,
        "open": told.open,
        "median_ms": times[len(times) // 2] if times else None,
        "slowest_ms": times[-1] if times else None,
    }
