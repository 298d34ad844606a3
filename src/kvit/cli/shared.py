"""What every command shares: opening the house, choosing the biller, printing, and clear errors."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import msgspec
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from kvit.domain.errors import DatabaseUnavailable, KvitError, NotFound, SettingsError
from kvit.domain.model import Biller
from kvit.main import House, open_house
from kvit.storage import billers

P = ParamSpec("P")
R = TypeVar("R")

JSON = typer.Option(False, "--json", help="Print JSON for programs instead of text for people.")
BILLER = typer.Option("", "--biller", help="Which biller, where there are several.")

console = Console()
errors = Console(stderr=True)


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Our own faults become one clear line on standard error and exit code 1 (2: settings, 3: database)."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except SettingsError as error:
            raise _fail(error, 2) from error
        except DatabaseUnavailable as error:
            raise _fail(error, 3) from error
        except KvitError as error:
            raise _fail(error, 1) from error

    return run


def _fail(error: KvitError, code: int) -> typer.Exit:
    errors.print(f"[red]kvit:[/red] {_plain(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(code)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


@contextmanager
def house(*, checked: bool = True) -> Iterator[House]:
    """The open house, closed at the end of the command."""
    opened = open_house(checked=checked)
    try:
        yield opened
    finally:
        opened.close()


def choose_biller(opened: House, biller_id: str) -> Biller:
    """The biller named, or the only one. Raises ``NotFound`` or ``SettingsError`` saying what to write."""
    with opened.database.read() as connection:
        known = billers.list_billers(connection)
    if not known:
        raise NotFound("there is no biller yet; run `kvit init --biller ID --name NAME` first")
    names = ", ".join(biller.biller_id for biller in known)
    if biller_id:
        for biller in known:
            if biller.biller_id == biller_id:
                return biller
        raise NotFound(f"there is no biller {biller_id}; known: {names}")
    if len(known) > 1:
        raise SettingsError(f"there are several billers; add --biller with one of: {names}")
    return known[0]


def author() -> str:
    """Who runs the command, for the journal."""
    try:
        return "cli:" + getpass.getuser()
    except (KeyError, OSError):
        return "cli"


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")
    sys.stdout.buffer.flush()


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()
) -> None:
    """A table for people; ``right`` names the columns of numbers."""
    table = Table(
        title=title or None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_plain(str(cell)) for cell in row))
    console.print(table)


def say(text: str) -> None:
    """One line for people; square brackets in it mean themselves."""
    console.print(_plain(text), highlight=False, soft_wrap=True)
