"""``kvit relay pair|status|fetch|takeover|recover|move|resolve``: the office's side of a relay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kvit.cli.shared import BILLER, JSON, author, choose_biller, guarded, house, print_json, print_table, say
from kvit.domain.errors import NotFound, SettingsError
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM

if TYPE_CHECKING:
    from kvit.main.relays import RelayRoom

RELAY = typer.Option("", "--relay", help="Which relay, where there are several.")
CODE = typer.Option(
    "",
    "--code",
    help="What stands in pairing-code.txt in the relay's data folder.",
    envvar="KVIT_PAIRING_CODE",
)
#: A receipt of a relay has nineteen digits.
_RECEIPT = re.compile(rb"(?<![0-9])[0-9]{19}(?![0-9])")


def add(room: typer.Typer) -> None:
    """Put these commands beside ``build``."""
    for name, command in (
        ("pair", pair), ("status", status), ("fetch", fetch), ("takeover", takeover), ("recover", recover),
        ("move", move), ("resolve", resolve),
    ):  # fmt: skip
        room.command(name)(command)


@contextmanager
def _room(biller: str) -> Iterator[RelayRoom]:
    from kvit.main.relays import RelayRoom

    with house() as opened:
        yield RelayRoom(opened, choose_biller(opened, biller))


@guarded
def pair(
    url: str = typer.Argument(..., help="Where the relay answers, such as https://pay.example.org"),
    code: str = CODE,
    relay: str = typer.Option("main", "--relay", help="How this relay is to be called here."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Give a relay this office's keys and look what its host can do."""
    from kvit.main.relay_acts import pair as pair_with

    if not re.fullmatch(r"https?://[^\s?#]+", url):
        raise SettingsError("write the relay's address in full, such as https://pay.example.org")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", relay):
        raise SettingsError("--relay: 1 to 40 small latin letters, digits, - and _")
    if not code:
        raise SettingsError(
            "--code: open the relay's address once, then see pairing-code.txt in its data folder"
        )
    with _room(biller) as room:
        paired = pair_with(room, url, relay, code)
        (told,) = (one for one in room.status() if one["relay"] == relay)
    if json_output:
        print_json(
            {**told, "status_page": f"{url}/status?key={paired.status_key}", "trusted": paired.is_trusted}
        )
        return
    host = told["host"]
    say(f"Relay {relay} is paired; its receipts carry the number {paired.row.relay_number}.")
    say(f"Its page for you: {url}/status?key={paired.status_key}")
    if not url.startswith("https:"):
        say("Attention: without https anybody on the way reads what banks send. Use it for trials only.")
    if host.get("data_in_web_root"):
        say("Attention: its data folder lies in the web root; move it, or see that it is denied.")
    if not host.get("long_polling"):
        say("It is asked every 2 s, since its host serves one call at a time.")
    if not paired.is_trusted:
        say("Its inbox is another one than before: verify the banks' registers, then kvit relay recover")


@guarded
def status(biller: str = BILLER, json_output: bool = JSON) -> None:
    """Say how every relay is: what was fetched, what waits, which doors it has, what is wrong."""
    from kvit.relay.office.alarms import ALARMS

    with _room(biller) as room:
        told = room.status()
    if json_output:
        print_json(told)
        return
    if not told:
        say("There is no relay; pair one with: kvit relay pair URL")
        return
    print_table(
        "Relays",
        ("relay", "address", "fetched", "waiting", "last", "quarantine", "alarms"),
        [
            (one["relay"], one["url"], one["pulled_through"], one["waiting"], one["last_pull_at"],
             one["quarantine"], ", ".join(alarm["alarm"] for alarm in one["alarms"]) or "none")
            for one in told
        ],
        right=("fetched", "waiting", "quarantine"),
    )  # fmt: skip
    for one in told:
        for door in one["doors"]:
            copy = f"copy {door['copy_version']} of {door['copy_as_of'] or 'never'}"
            say(f"{one['relay']}: door of {door['agreement']}: {door['state']}, {copy}")
        for alarm in one["alarms"]:
            say(f"{one['relay']}: {alarm['alarm']} since {alarm['since']}: {ALARMS[alarm['alarm']]}")
            say(f"  {alarm['detail']}")


@guarded
def fetch(relay: str = RELAY, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Fetch now what waits at the relay, and renew its copies. `kvit serve` does so by itself."""
    from kvit.main.relay_acts import fetch_all
    from kvit.main.relays import send_copies

    with _room(biller) as room:
        relay_id = room.relays.find(relay).relay_id
        taken = fetch_all(room, relay_id)
        sent = send_copies(room, relay_id, room.served_by(relay_id))
    if json_output:
        print_json({"relay": relay_id, "rows": taken, "copies": [one._asdict() for one in sent]})
        return
    say(f"{taken} rows came; {sum(1 for one in sent if one.version)} of {len(sent)} copies were renewed.")
    if any(not one.version for one in sent):
        raise typer.Exit(1)


@guarded
def takeover(relay: str = RELAY, biller: str = BILLER, json_output: bool = JSON) -> None:
    """Take the relay's lease, whoever has it: from now on another office is refused there.

    For a new computer or a restored backup. Rows that were fetched before come again; none counts twice.
    """
    from kvit.main.relay_acts import take_over

    with _room(biller) as room:
        row = take_over(room, room.relays.find(relay).relay_id)
    if json_output:
        print_json({"relay": row.relay_id, "generation": row.generation})
    else:
        say(f"This office fetches from {row.relay_id} now (generation {row.generation}).")


@guarded
def recover(
    register: Path | None = typer.Option(
        None, "--register", help="A bank's register or any text: the receipts in it are verified."
    ),
    accept_epoch: bool = typer.Option(
        False,
        "--accept-epoch",
        help="Fetch from the inbox that the relay has now, and send it everything anew.",
    ),
    relay: str = RELAY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """After the host's disk was lost: find what it had accepted, then go on with its new inbox.

    A receipt that the relay gave and the books lack is money lost with the disk: import that register.
    """
    from kvit.main.relay_acts import accept_epoch as accept
    from kvit.main.relay_acts import verify_receipts

    if register is None and not accept_epoch:
        raise SettingsError("say --register FILE, --accept-epoch, or both")
    with _room(biller) as room:
        relay_id = room.relays.find(relay).relay_id
        found = [] if register is None else verify_receipts(room, relay_id, _receipts_in(register))
        epoch = accept(room, relay_id) if accept_epoch else ""
    missing = [one.receipt for one in found if one.genuine and not one.is_booked]
    foreign = [one.receipt for one in found if not one.genuine]
    if json_output:
        print_json(
            {"relay": relay_id, "receipts": len(found), "booked": len(found) - len(missing) - len(foreign),
             "missing": missing, "foreign": foreign, "epoch": epoch}
        )  # fmt: skip
        return
    if register is not None:
        say(f"{len(found)} receipts of relays in the file: {len(missing)} genuine and not in the books, "
            f"{len(foreign)} not given by {relay_id}.")  # fmt: skip
        for receipt in missing:
            say(f"missing: {receipt}")
        if missing:
            say("Import the register: its payments are booked under the bank's own ids, once.")
    if epoch:
        say(f"The inbox {epoch} is fetched now, from its first row.")


def _receipts_in(path: Path) -> list[int]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror or error}") from error
    numbers = {int(digits) for digits in _RECEIPT.findall(data)}
    return sorted(number for number in numbers if RELAY_RECEIPTS_FROM <= number < 1 << 63)


@guarded
def move(
    agreement: str = typer.Option(..., "--agreement", help="Whose door."),
    to: str = typer.Option(..., "--to", help='A relay, or "office".'),
    wait: float = typer.Option(
        -1.0, "--wait", help="Seconds for servers to close the door; 0 where none runs. Otherwise found out."
    ),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Move an agreement's door from the office to a relay or back; at no moment are both open.

    Broken off, it leaves the door closed on both sides (banks hear "try later"); run it again.
    """
    from kvit.main.relay_acts import move_to_office, move_to_relay

    with _room(biller) as room:
        if to == "office":
            taken = move_to_office(room, agreement)
        else:
            wait_s = wait if wait >= 0 else room.house.settings.limits.deadline_s + 5
            move_to_relay(room, agreement, to, wait_s)
            taken = 0
    if json_output:
        print_json({"agreement": agreement, "door": to, "rows": taken})
    else:
        say(f"The door of {agreement} is at {to} now." + (f" {taken} rows came before." if taken else ""))


@guarded
def resolve(
    sequence: int = typer.Argument(..., help="The row, as `kvit relay status --json` shows it."),
    reason: str = typer.Option(..., "--reason", help="What was done about it."),
    relay: str = RELAY,
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Say what was done about a row in quarantine. It is not booked by this; the reason says where it is."""
    from kvit.main.relay_acts import resolve as resolve_row

    with _room(biller) as room:
        left = resolve_row(room, relay, sequence, reason, author())
    if json_output:
        print_json({"sequence": sequence, "waiting": left})
    else:
        say(f"Row {sequence} waits no more; {left} others do.")
