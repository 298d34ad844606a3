"""``kvit channel`` and ``kvit run-due``: files on their way, and what the schedule says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from kvit.cli import logs
from kvit.cli.agreement_choice import choose_agreement
from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain import days
from kvit.domain.errors import SettingsError
from kvit.domain.file_rows import ChannelFileRow, DueRunRow
from kvit.domain.model import Agreement, JsonObject
from kvit.main import ServeOptions, check_options, load_agreements, make_clock
from kvit.services.schedule.runs import FAILED, MISSING
from kvit.services.travel.incoming import Fetched
from kvit.services.travel.outgoing import SENT, Departure

if TYPE_CHECKING:
    from kvit.main.travel import Travel

AGREEMENT = typer.Option("", "--agreement", help="The agreement's id; not needed where there is only one.")
LIMIT = typer.Option(50, "--limit", min=1, max=10_000, help="At most so many, the latest first.")


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="How files travel: folders, SFTP, mail, HTTPS.", no_args_is_help=True)
    for name, command in (
        ("test", try_it), ("fetch", fetch), ("send", send), ("files", files), ("runs", runs),
        ("decide", decide_file),
    ):  # fmt: skip
        room.command(name)(command)
    app.add_typer(room, name="channel")
    app.command("run-due")(run_due)


@contextmanager
def _travel(agreement_id: str, biller: str) -> Iterator[tuple[Travel, Agreement]]:
    from kvit.main.travel_ends import make_travel

    with house() as opened:
        agreement = choose_agreement(opened, choose_biller(opened, biller), agreement_id)
        yield make_travel(opened), agreement


@guarded
def try_it(agreement: str = AGREEMENT, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Try an agreement's channel without moving a file: connect, look, say what was seen."""
    with _travel(agreement, biller) as (travel, chosen):
        lines = travel.test(chosen)
    if json_output:
        print_json({"agreement": chosen.agreement_id, "ok": True, "seen": lines})
        return
    for line in lines:
        say(line)
    say(f"The channel of {chosen.agreement_id} works.")


@guarded
def fetch(agreement: str = AGREEMENT, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Look at the channel now and take in what waits. What was taken before changes nothing."""
    with _travel(agreement, biller) as (travel, chosen):
        fetched = travel.fetch(chosen)
    if json_output:
        print_json(_fetched(chosen, fetched))
    else:
        for one in fetched.arrivals:
            say(f"{one.name}: {one.verdict}{', ' + one.detail if one.detail else ''}")
        if fetched.broken:
            say(f"The look ended early: {fetched.broken}. Nothing is lost; the next look goes on.")
        elif not fetched.arrivals:
            say("Nothing waits there.")
        if not fetched.is_whole:
            say("More files wait; the next look brings them.")
    if not fetched.is_well:
        raise typer.Exit(1)


def _fetched(agreement: Agreement, fetched: Fetched) -> JsonObject:
    return {
        "agreement": agreement.agreement_id,
        "files": [one._asdict() for one in fetched.arrivals],
        "broken": fetched.broken,
        "more": not fetched.is_whole,
    }


@guarded
def send(
    agreement: str = AGREEMENT,
    number: int = typer.Option(
        0, "--number", min=0, help="Also this register, which was made for another way."
    ),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Send the registers of debts that wait for the channel. None goes twice."""
    with _travel(agreement, biller) as (travel, chosen):
        departures = travel.send(chosen, number)
    if json_output:
        print_json({"agreement": chosen.agreement_id, "registers": [one._asdict() for one in departures]})
    else:
        for one in departures:
            say(f"Register {one.number}, {one.name}: {one.verdict}{', ' + one.detail if one.detail else ''}")
        if not departures:
            say("No register waits.")
    if any(one.verdict != SENT for one in departures):
        raise typer.Exit(1)


def deliver(agreement_id: str, biller: str, number: int) -> list[Departure]:
    """Send register ``number``, and what else waits."""
    with _travel(agreement_id, biller) as (travel, chosen):
        return travel.send(chosen, number)


@guarded
def files(
    agreement: str = AGREEMENT, limit: int = LIMIT, biller: str = BILLER, json_output: bool = JSON
) -> None:
    """List the files that came and went, with what became of them."""
    with _travel(agreement, biller) as (travel, chosen):
        rows = travel.book(chosen).newest(limit)
    told = [_file(row, chosen.timezone) for row in rows]
    if json_output:
        print_json(told)
        return
    print_table(
        f"Files of {chosen.title}",
        ("when", "way", "name", "bytes", "state", "detail"),
        [
            (one["began_at"][:16].replace("T", " "), one["direction"], one["name"], one["size_bytes"],
             one["state"], one["detail"])
            for one in told
        ],
        right=("bytes",),
    )  # fmt: skip


def _file(row: ChannelFileRow, timezone: str) -> JsonObject:
    return {
        "direction": row.direction, "name": row.remote_name, "digest": row.digest,
        "size_bytes": row.size_bytes, "state": row.state, "detail": row.detail,
        "began_at": _when(row.began_at_us, timezone), "ended_at": _when(row.ended_at_us, timezone),
    }  # fmt: skip


@guarded
def runs(
    agreement: str = AGREEMENT, limit: int = LIMIT, biller: str = BILLER, json_output: bool = JSON
) -> None:
    """List what the schedule had run, with what became of it."""
    with _travel(agreement, biller) as (travel, chosen):
        told = [run_json(row, chosen.timezone) for row in travel.runs_of(chosen, limit)]
    if json_output:
        print_json(told)
        return
    print_table(
        f"Runs of {chosen.title}",
        ("due", "job", "state", "detail", "by"),
        [(one["due_at"][:16].replace("T", " "), one["job"], one["state"], one["detail"], one["runner"])
         for one in told],
    )  # fmt: skip


def run_json(row: DueRunRow, timezone: str) -> JsonObject:
    return {
        "agreement": row.agreement_id, "job": row.job, "due_at": _when(row.due_at_us, timezone),
        "state": row.state, "detail": row.detail, "runner": row.runner,
        "began_at": _when(row.began_at_us, timezone), "ended_at": _when(row.ended_at_us, timezone),
    }  # fmt: skip


def _when(at_us: int | None, timezone: str) -> str:
    return "" if at_us is None else days.from_us(at_us, timezone).isoformat(timespec="seconds")


@guarded
def decide_file(
    name: str = typer.Argument(..., help="The file's name, as `kvit channel files` shows it."),
    arrived: bool | None = typer.Option(
        None, "--arrived/--again", help="You saw it at the bank; or it is not there, and is to be sent again."
    ),
    agreement: str = AGREEMENT,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Say what became of a register that may or may not have arrived, after looking at the bank's side."""
    if arrived is None:
        raise SettingsError("say --arrived if the bank has it, or --again if it has not")
    with _travel(agreement, biller) as (travel, chosen):
        row = travel.decide(chosen, name, author(), has_arrived=arrived)
    if json_output:
        print_json(_file(row, chosen.timezone))
    else:
        say(f"{name}: {row.detail}.")


@guarded
def run_due(
    test_clock: str = typer.Option(
        "", "--test-clock", help="Run what is due at this instant (ISO 8601). Test mode only."
    ),
    json_output: bool = JSON,
) -> None:
    """Run what the schedules say is due, for every agreement, and end. `kvit serve` does so by itself."""
    from kvit.main.travel_ends import make_travel

    logs.configure()
    with house() as opened:
        known = load_agreements(opened)
        options = ServeOptions(test_clock=test_clock)
        check_options(opened, known, options)
        opened.clock = make_clock(options)
        rows = make_travel(opened).run_due()
    zones = {one.agreement_id: one.timezone for one in known}
    told = [run_json(row, zones[row.agreement_id]) for row in rows]
    if json_output:
        print_json({"runs": told})
    else:
        for one in told:
            due = one["due_at"][:16].replace("T", " ")
            say(f"{one['agreement']} {one['job']} of {due}: {one['state']}, {one['detail']}")
        if not told:
            say("Nothing is due.")
    if any(row.state in {FAILED, MISSING} for row in rows):
        raise typer.Exit(1)
