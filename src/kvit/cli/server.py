"""``kvit init`` and ``kvit serve``."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from kvit.cli import logs
from kvit.cli.shared import JSON, author, choose_biller, guarded, house, print_json, say
from kvit.config import load_settings
from kvit.domain import days
from kvit.domain.errors import NotAllowed
from kvit.domain.model import Biller
from kvit.main import House, ServeOptions, check_options, load_agreements, make_clock, open_house
from kvit.services.billers import DEFAULT_CURRENCY, DEFAULT_TIMEZONE, make_biller
from kvit.storage import migrate
from kvit.storage.billers import SqlBillerBook
from kvit.storage.secretbox import open_box

if TYPE_CHECKING:
    from kvit.web.app import App

#: How the serving process (or each of several) is told what to do.
_OPTIONS = "KVIT_SERVE_OPTIONS"


def register(app: typer.Typer) -> None:
    app.command("init")(init)
    app.command("serve")(serve)


@guarded
def init(
    biller: str = typer.Option("", "--biller", help="Short id of the organisation that is owed, e.g. water."),
    name: str = typer.Option("", "--name", help="Its name as people know it."),
    currency: str = typer.Option(
        "", "--currency", help=f"ISO 4217 code of its accounts' currency; {DEFAULT_CURRENCY} if not said."
    ),
    timezone: str = typer.Option(
        "", "--timezone", help=f"Its time zone, e.g. Asia/Almaty; {DEFAULT_TIMEZONE} if not said."
    ),
    check_digit: str = typer.Option(
        "none", "--check-digit", help="Check digit of account numbers: none, luhn or mod97."
    ),
    json_output: bool = JSON,
) -> None:
    """Create the database, or upgrade it to this version; and make a biller in it. Can be repeated."""
    wish = Biller(biller, name, currency, timezone, check_digit, "", 0)
    with house(checked=False) as opened:
        before, after = migrate.upgrade(opened.database)
        open_box(opened.settings.data_folder)
        made = _make_biller(opened, wish) if biller else ""
        known = choose_biller(opened, biller) if biller else None
        address = opened.database.url.render_as_string()
    if json_output:
        print_json(
            {
                "database": address,
                "schema_before": before,
                "schema": after,
                "biller": biller,
                "biller_state": made,
            }
        )
        return
    state = "is up to date" if before == after else "was created" if before is None else "was upgraded"
    say(f"The database {state}: {address}")
    if known is not None:
        state = "was made" if made == "new" else "is there"
        say(f"Biller {known.biller_id} {state}: {known.name}, {known.currency}, {known.timezone}")


def _make_biller(opened: House, biller: Biller) -> str:
    with opened.database.write() as connection:
        now_us = days.to_us(opened.clock.now())
        made = make_biller(SqlBillerBook(connection), biller._replace(created_at_us=now_us), author())
    return "new" if made else "known"


@guarded
def serve(
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on."),
    port: int = typer.Option(8080, "--port", help="Port to listen on; 0 takes a free one.", min=0, max=65535),
    workers: int = typer.Option(1, "--workers", help="Serving processes (PostgreSQL only)."),
    test_fault: str = typer.Option(
        "", "--test-fault", help="ledger-unavailable: answer as if the books were away. Test mode only."
    ),
    test_clock: str = typer.Option(
        "", "--test-clock", help="Start the clock at this instant (ISO 8601). Test mode only."
    ),
    kiosk: bool = typer.Option(
        False, "--kiosk", help="Open the simulator: the kiosk at /kiosk, the app at /app. Test mode only."
    ),
) -> None:
    """Answer the agents: their doors are at /pay/<agreement-id>."""
    options = ServeOptions(
        host=host, port=port, workers=workers, test_fault=test_fault, test_clock=test_clock, kiosk=kiosk
    )
    with house() as opened:
        agreements = load_agreements(opened)
        check_options(opened, agreements, options)
        for agreement in agreements:
            mode = " (test mode: what it sends is booked all the same)" if agreement.is_test else ""
            door = f"door /pay/{agreement.agreement_id}" if agreement.has_door else "files, no door"
            say(f"{door}: {agreement.title}, {agreement.protocol}{mode}")
        if not agreements:
            say("There is no agreement yet, so there is no door; see `kvit agreement apply --help`.")
        with only_one(opened):
            run(options)


@contextmanager
def only_one(opened: House) -> Iterator[None]:
    """An SQLite file has one serving process. The lock goes with the process, however that ends."""
    if opened.database.is_postgres:
        yield
        return
    with Path(opened.database.path + ".serving").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise NotAllowed("another `kvit serve` is already serving this SQLite file") from error
        yield


def run(options: ServeOptions) -> None:
    """Serve until told to stop."""
    import uvicorn

    from kvit.web.wire import GuardedProtocol

    logs.configure()
    signal.signal(signal.SIGTERM, _leave)
    _allow_files(2 * load_settings().limits.connections_max)
    limits = load_settings().limits
    os.environ[_OPTIONS] = json.dumps({name: getattr(options, name) for name in options.__dataclass_fields__})
    uvicorn.run(
        "kvit.cli.server:application",
        factory=True,
        host=options.host,
        port=options.port,
        workers=options.workers if options.workers > 1 else None,
        http=GuardedProtocol,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        limit_concurrency=limits.connections_max,
        timeout_keep_alive=int(limits.keep_alive_s),
        timeout_graceful_shutdown=int(limits.shutdown_s),
        timeout_worker_healthcheck=30,  # a worker that has to start on a busy machine is not hung
        backlog=1024,
    )


def _allow_files(count: int) -> None:
    """Connections are files, and many systems allow 1,024 of them unless they are asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _leave(_number: int, _frame: object) -> None:
    """A stop that was asked for is no failure. (uvicorn raises its signal again when all are answered.)"""
    raise SystemExit(0)


def _settle_memory() -> None:
    """What was loaded at the start stays: the collector need not look through all of it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)


def application() -> App:
    """One serving process's application; also what each of several workers calls."""
    logs.configure()
    from kvit.main.server import Server, wire_limits
    from kvit.web.wire import GuardedProtocol

    options = ServeOptions(**json.loads(os.environ[_OPTIONS]))
    opened = open_house(clock=make_clock(options), serving=True)
    GuardedProtocol.limits = wire_limits(opened.settings)
    server = Server(opened, options)
    _settle_memory()
    if not options.kiosk:
        return server.app()
    from kvit.cli.demo_kiosk import routers

    return server.app(routers(opened, options))
