"""What ``kvit demo`` prints: where to go, which numbers to try, and what to do next."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kvit.cli.demo_books import stories
from kvit.cli.demo_kiosk import base_url, in_test_mode, worth_trying
from kvit.cli.shared import console, print_json
from kvit.domain.model import ACTIVE, Agreement, Biller
from kvit.domain.money import exponent_of, format_amount
from kvit.main import House, ServeOptions
from kvit.simulator.utility import BILLER
from kvit.storage import billers
from kvit.storage.standings import Standing, sizes

#: Where commands look for a server when they are not told.
_USUAL_URL = "http://127.0.0.1:8080"


class Page:
    """``began_s``: when the command was started; ``fresh``: the books were made just now.

    ``others``: the environment's variables that name other books.
    """

    def __init__(
        self,
        house: House,
        folder: Path,
        began_s: float,
        *,
        fresh: bool,
        as_json: bool,
        others: Sequence[str] = (),
    ) -> None:
        self._house = house
        self._folder = folder
        self._began_s = began_s
        self._fresh = fresh
        self._as_json = as_json
        self._others = others

    def show(self, options: ServeOptions | None) -> None:
        """Print it; ``None``: there is no server."""
        seconds = round(time.monotonic() - self._began_s, 1)
        report = self._report(seconds, options)
        if self._as_json:
            print_json(report)
        else:
            _print(report, self._folder, self._others)

    def _report(self, seconds: float, options: ServeOptions | None) -> dict[str, Any]:
        with self._house.database.read() as connection:
            biller = billers.find_biller(connection, BILLER.biller_id)
            assert biller is not None
            count = sizes(connection, biller.biller_id)
        url = "" if options is None else base_url(options)
        told = stories(self._folder)
        return {
            "folder": str(self._folder),
            "fresh": self._fresh,
            "seconds": seconds,
            "biller": biller.name,
            "url": url,
            "kiosk": f"{url}/kiosk" if url else "",
            "app": f"{url}/app" if url else "",
            "health": f"{url}/healthz" if url else "",
            "doors": [_door(one, url) for one in in_test_mode(self._house)],
            **count._asdict(),
            "numbers": [
                _number(number, standing, told.get(number, ""), biller)
                for number, standing in worth_trying(self._house, biller.biller_id)
            ],
        }


def _door(agreement: Agreement, url: str) -> dict[str, str]:
    return {
        "agreement": agreement.agreement_id,
        "url": f"{url}/pay/{agreement.agreement_id}",
        "login": agreement.basic_login,
        "password": agreement.basic_password,
        "secret": agreement.secret,
    }


def _number(number: str, standing: Standing | None, story: str, biller: Biller) -> dict[str, Any]:
    balance_minor = 0 if standing is None else standing.balance_minor
    return {
        "number": number,
        "story": story,
        "name": "" if standing is None else standing.name,
        "status": "unknown" if standing is None else standing.status,
        "currency": biller.currency,
        "due_minor": max(balance_minor, 0),
        "advance_minor": max(-balance_minor, 0),
    }


def _print(report: dict[str, Any], folder: Path, others: Sequence[str]) -> None:
    done = "made" if report["fresh"] else "opened"
    head = Text.assemble(
        ("kvit demo", "bold"), "  ", report["biller"], (f"  {done} in {report['seconds']} s", "dim")
    )
    console.print()
    console.print(head)
    console.print()
    console.print(Padding(_links(report), (0, 0, 0, 2)))
    console.print()
    console.print(Text("Numbers worth trying", "bold"))
    console.print(Padding(_numbers(report["numbers"]), (0, 0, 0, 2)))
    console.print()
    console.print(Text("From the shell", "bold"))
    console.print(Padding(_commands(report, folder, others), (0, 0, 0, 2)))
    console.print()
    if report["url"]:
        console.print(Text("Ctrl+C stops the demo; what you did is kept until --reset.", "dim"))


def _links(report: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2))
    if report["url"]:
        table.add_row("Pay at the kiosk", Text(report["kiosk"], "bold cyan"))
        table.add_row("Pay in the app", Text(report["app"], "bold cyan"))
        for door in report["doors"]:
            lock = door["secret"] or f"{door['login']} / {door['password']}"
            table.add_row(f"Door of {door['agreement']}", Text(door["url"]) + Text(f"  {lock}", "dim"))
        table.add_row("Health", report["health"])
    books = f"{report['accounts']:,} clients, {report['charges']:,} charges, {report['payments']:,} payments"
    table.add_row("Books", Text(books) + Text(f"  in {report['folder']}", "dim"))
    return table


def _numbers(numbers: list[dict[str, Any]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for one in numbers:
        table.add_row(Text(one["number"], "bold"), one["name"] or "nobody", _standing(one))
    return table


def _standing(one: dict[str, Any]) -> Text:
    def money(amount_minor: int) -> str:
        return f"{format_amount(amount_minor, exponent_of(one['currency']))} {one['currency']}"

    if one["due_minor"]:
        more = {"old-debt": ", for a long time", "partly": ", for two services"}.get(one["story"], "")
        return Text("owes ") + Text(money(one["due_minor"]), "bold") + Text(more, "dim")
    if one["advance_minor"]:
        return Text(f"has paid {money(one['advance_minor'])} ahead")
    if one["status"] == "unknown":
        return Text("is not a client: the terminal is told so", "dim")
    if one["status"] != ACTIVE:
        return Text(f"{one['status']}: the terminal is refused", "dim")
    return Text("owes nothing") + Text(": a payment is an advance", "dim")


def _commands(report: dict[str, Any], folder: Path, others: Sequence[str]) -> Table:
    kvit, number = _command_name(), report["numbers"][0]["number"]
    at = "" if report["url"] in ("", _USUAL_URL) else f" --url {report['url']}"
    table = Table.grid(padding=(0, 2))
    if others:
        table.add_row(f"unset {' '.join(others)}", Text("other books", "dim"))
    table.add_row(f"export KVIT_DATA={shlex.quote(os.path.relpath(folder))}", Text("for what follows", "dim"))
    for command, about in (
        (f"account show {number}", "owed and paid"),
        (f"simulate pay {number} 250 --agreement qiwi --at-once 5{at}", "five at once"),
        ("audit verify", "compute all anew"),
    ):
        table.add_row(f"{kvit} {command}", Text(about, "dim"))
    return table


def _command_name() -> str:
    """How this command was called, as it can be typed here."""
    called = Path(sys.argv[0])
    found = shutil.which("kvit")
    if called.name != "kvit" or (found and Path(found).resolve() == called.resolve()):
        return "kvit"
    return os.path.relpath(called)
