"""``kvit demo``: a running system to try, in one command."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kvit.cli.shared import JSON, errors, guarded, say
from kvit.domain.errors import NotAllowed, SettingsError

if TYPE_CHECKING:
    from kvit.cli.demo_books import Progress
    from kvit.main import House, ServeOptions

FOLDER = Path("kvit-demo")
#: How many ports, beginning with the one asked for, are tried.
_PORTS_TRIED = 50
_READY_TIMEOUT_S = 60.0


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


@guarded
def demo(
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on."),
    port: int = typer.Option(
        8080, "--port", help="Port to listen on, or the next free one; 0: any.", min=0, max=65535
    ),
    data: Path = typer.Option(FOLDER, "--data", help="The demo's own folder."),
    reset: bool = typer.Option(False, "--reset", help="Throw the demo's books away and make them anew."),
    seed_only: bool = typer.Option(False, "--seed-only", help="Only make the books; start no server."),
    json_output: bool = JSON,
) -> None:
    """Try kvit: a water utility with 2,000 clients, 14 months of payments, and a kiosk to pay at."""
    began_s = time.monotonic()
    others = _turn_to(data)
    from kvit.cli.demo_books import are_made, make, remove
    from kvit.cli.demo_page import Page
    from kvit.config import load_settings
    from kvit.main import ServeOptions, open_house
    from kvit.storage import migrate

    house = open_house(load_settings(), checked=False)
    try:
        with _alone(house, data):
            if reset:
                remove(data)
            fresh = not are_made(data)
            if fresh:
                with _progress(quiet=json_output) as progress:
                    make(data, progress)
            migrate.upgrade(house.database)
            page = Page(house, data, began_s, fresh=fresh, as_json=json_output, others=others)
            if seed_only:
                page.show(None)
                return
            options = ServeOptions(host=host, port=_free_port(host, port), kiosk=True, quiet=True)
            _serve(options, lambda: page.show(options))
            if not json_output:
                say(f"\nStopped. What you did is kept in {data}; `--reset` starts anew.")
    finally:
        house.close()


def _turn_to(folder: Path) -> list[str]:
    """The demo has an installation of its own, whichever one the environment speaks of.

    Returns the variables that named others. Raises ``SettingsError`` where there can be no folder.
    """
    others = [name for name in ("KVIT_DATABASE", "KVIT_CONFIG") if os.environ.pop(name, "")]
    os.environ["KVIT_DATA"] = str(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--data: {folder} cannot be a folder: {error.strerror or error}") from error
    return others


@contextmanager
def _alone(house: House, folder: Path) -> Iterator[None]:
    """One demo in a folder, from before its books are made to the end of its server."""
    from kvit.cli.server import only_one

    with (folder / "demo.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotAllowed(
                f"the demo in {folder} is running already; stop it first (Ctrl+C), or give this one a folder "
                "of its own with --data"
            ) from error
        with only_one(house):
            yield


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress]:
    """A bar on the terminal while the books are made; it is gone afterwards."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bar

    from kvit.cli.demo_books import Progress

    columns = (
        TextColumn("Making the books of a water utility"), BarColumn(), TaskProgressColumn(),
        TextColumn("{task.description}", style="dim"),
    )  # fmt: skip
    with Bar(*columns, console=errors, transient=True, disable=quiet) as bar:
        task = bar.add_task("")
        yield Progress(
            begin=lambda rows: bar.update(task, total=rows),
            step=lambda what, rows: bar.update(task, advance=rows, description=what),
        )


def _free_port(host: str, wanted: int) -> int:
    """The port asked for, or the next one that nobody listens on. Raises ``SettingsError``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(wanted, min(wanted + _PORTS_TRIED, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
            except PermissionError:
                continue
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise SettingsError(f"--host: cannot listen on {host}: {error.strerror or error}") from error
            return int(trial.getsockname()[1])
    raise SettingsError(f"--port: no port from {wanted} on is free; name another one")


def _serve(options: ServeOptions, when_ready: Callable[[], None]) -> None:
    """Serve until told to stop; ``when_ready`` is called once the server answers."""
    from kvit.cli.demo_kiosk import base_url
    from kvit.cli.server import run

    # The page says what is to be said; faults are still logged.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    stopped = threading.Event()

    def wait() -> None:
        if _is_ready(base_url(options), stopped):
            when_ready()

    waiting = threading.Thread(target=wait, name="ready", daemon=True)
    waiting.start()
    try:
        run(options)
    finally:
        stopped.set()


def _is_ready(base_url: str, stopped: threading.Event) -> bool:
    import httpx2

    until_s = time.monotonic() + _READY_TIMEOUT_S
    with httpx2.Client(trust_env=False, timeout=1.0) as client:
        while time.monotonic() < until_s and not stopped.wait(0.05):
            try:
                if client.get(f"{base_url}/healthz").status_code == 200:
                    return True
            except httpx2.HTTPError:
                continue
    return False
