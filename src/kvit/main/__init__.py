"""The only place that wires. Here: what every command stands on; ``server``: the doors and lanes.

What a server needs is kept apart, so that a command that needs none starts quickly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from kvit.config import Settings, load_settings
from kvit.domain.errors import SettingsError
from kvit.domain.file_terms import NO_FILES, FileTerms
from kvit.domain.model import Agreement
from kvit.protocols.base import Terms, dialect_problems
from kvit.protocols.registry import PROTOCOLS
from kvit.services.ports import Clock
from kvit.storage import agreements as agreement_storage
from kvit.storage import migrate
from kvit.storage.engine import Database, open_database
from kvit.storage.secretbox import open_box


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ShiftedClock:
    """A clock that was set to ``start`` and goes on from there: for trials with agreements in test mode."""

    def __init__(self, start: datetime) -> None:
        self._shift: timedelta = start - datetime.now(UTC)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift


@dataclass(slots=True)
class House:
    """What every command and the server stand on."""

    settings: Settings
    database: Database
    clock: Clock

    def close(self) -> None:
        self.database.close()


def open_house(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    checked: bool = True,
    serving: bool = False,
) -> House:
    """Open the database that the settings name. ``checked``: it must be at this version's schema.

    ``serving``: nobody is there to break off what hangs, so no answer is waited for beyond the deadline.
    """
    settings = settings or load_settings()
    patience_s = settings.limits.deadline_s if serving else None
    database = open_database(settings.database_url, answer_timeout_s=patience_s)
    if checked:
        migrate.check(database)
    return House(settings, database, clock or SystemClock())


class RegistryCatalogue:
    """The list of protocols, as the services ask about it. Keys are looked for from ``folder``."""

    def __init__(self, folder: Path = Path()) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        return sorted(PROTOCOLS)

    def dialect_problems(self, protocol: str, dialect: Mapping[str, str]) -> Mapping[str, str]:
        return dialect_problems(PROTOCOLS[protocol].dialect, dialect)

    def is_free_text(self, protocol: str, switch: str) -> bool:
        return not PROTOCOLS[protocol].dialect[switch].choices

    def locks(self, protocol: str) -> tuple[str, ...]:
        return PROTOCOLS[protocol].locks

    def may_hold(self, protocol: str) -> bool:
        return PROTOCOLS[protocol].two_phase

    def file_problems(self, terms: FileTerms) -> Mapping[str, str]:
        if terms == NO_FILES:
            return {}
        from kvit.main.file_catalogue import file_problems  # loaded where an agreement speaks of files

        return file_problems(terms)

    def read_text(self, text: str) -> str:
        from kvit.main import keys

        return keys.read_text(text, self._folder)

    def read_key(self, text: str, *, is_private: bool) -> str:
        from kvit.main import keys  # loaded where there are keys: they take 2 MB of an idle server

        return keys.read_key(text, self._folder, is_private=is_private)


def make_terms(agreement: Agreement) -> Terms:
    """An agreement as its adapter sees it, every switch of the dialect filled in."""
    return _terms(agreement, agreement.private_key, agreement.public_key)


def make_agent_terms(agreement: Agreement, agent_key: str = "") -> Terms:
    """The same for the agent's side, which the simulator plays: it signs with the agent's own private key.

    Without one it takes ours: an agreement for trials has one pair of keys for both sides.
    """
    own = agreement.private_key
    if own:
        from kvit.main import keys

        own = keys.public_half(own)
    return _terms(agreement, agent_key or agreement.private_key, own)


def _terms(agreement: Agreement, private_key: str, public_key: str) -> Terms:
    sign, verify = None, None
    if private_key or public_key:
        from kvit.main import keys

        sign = keys.signer(private_key) if private_key else None
        verify = keys.verifier(public_key) if public_key else None
    switches = PROTOCOLS[agreement.protocol].dialect
    defaults = {name: switch.default for name, switch in switches.items()}
    return Terms(
        agreement_id=agreement.agreement_id,
        currency=agreement.currency,
        exponent=agreement.exponent,
        basic_login=agreement.basic_login,
        basic_password=agreement.basic_password,
        dialect=MappingProxyType(defaults | dict(agreement.dialect)),
        secret=agreement.secret,
        payer_fields=agreement.payer_fields,
        sign=sign,
        verify=verify,
    )


def load_agreements(house: House) -> list[Agreement]:
    """Every agreement of the installation, secrets opened."""
    box = open_box(house.settings.data_folder)
    with house.database.read() as connection:
        return agreement_storage.load(connection, box)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """How one server is to run. ``test_clock`` is ISO text; ``kiosk`` loads the simulator."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    test_fault: str = ""
    test_clock: str = ""
    kiosk: bool = False
    quiet: bool = False


def check_options(house: House, agreements: Sequence[Agreement], options: ServeOptions) -> None:
    """Raises ``SettingsError`` for what would be dangerous on a server that takes real money."""
    live = [agreement.agreement_id for agreement in agreements if not agreement.is_test]
    trials = {
        "--test-fault": options.test_fault,
        "--test-clock": options.test_clock,
        "--kiosk": options.kiosk,
    }
    for name, value in trials.items():
        if value and live:
            raise SettingsError(
                f"{name} works only while every agreement is in test mode; live: {', '.join(live)}"
            )
    if options.test_fault not in ("", "ledger-unavailable"):
        raise SettingsError(
            f"--test-fault: there is no fault {options.test_fault}; known: ledger-unavailable"
        )
    if options.workers < 1:
        raise SettingsError("--workers: at least one")
    if options.workers > 1 and not house.database.is_postgres:
        raise SettingsError("--workers: an SQLite file has one serving process; use PostgreSQL for several")
    make_clock(options)


def make_clock(options: ServeOptions) -> Clock:
    if not options.test_clock:
        return SystemClock()
    try:
        start = datetime.fromisoformat(options.test_clock)
    except ValueError as error:
        raise SettingsError("--test-clock: write an instant like 2026-11-23T10:00:00+03:00") from error
    return ShiftedClock(start if start.tzinfo else start.replace(tzinfo=UTC))
