"""Settings: from the environment, then from the optional TOML file, read once at start.

Every limit has a name, a unit and a default here; ``docs/reference/settings.md`` explains each, and a
test fails when one is missing there.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

import msgspec

from kvit.domain.errors import SettingsError

Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Lanes = Annotated[int, msgspec.Meta(ge=1, le=64)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one server takes on at most."""

    #: Requests waiting or at work in each lane; one more is answered "try later" at once.
    queue_max: Count = 4096
    #: The part of a lane's queue that one agreement may fill while others wait, in percent.
    queue_share_percent: Percent = 50
    #: Payments or lookups in one database transaction.
    batch_max: Count = 256
    #: Write lanes on PostgreSQL (SQLite has one writer).
    write_lanes: Lanes = 2
    #: Read lanes.
    read_lanes: Lanes = 1
    #: An answer that takes longer becomes "try later": a third of the 60 s that terminal networks wait.
    deadline_s: Seconds = 20.0
    #: Bytes of a request's target, of its head, and of its body.
    url_bytes_max: Count = 8192
    head_bytes_max: Count = 32768
    body_bytes_max: Count = 65536
    #: How long a client may take for the head and for the body of a request.
    head_timeout_s: Seconds = 10.0
    body_timeout_s: Seconds = 10.0
    #: How long an idle kept connection stays open.
    keep_alive_s: Seconds = 75.0
    #: Connections open at once.
    connections_max: Count = 2048
    #: How long a shutdown waits for answers that are under way.
    shutdown_s: Seconds = 25.0


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an installation can set; agreements are data in its database."""

    #: ``sqlite:///file`` or ``postgresql://user@host/name``; empty: a file in the data folder.
    database: str = ""
    #: Where the SQLite file, the key and the logs live.
    data: str = "./kvit-data"
    #: Proxies whose X-Forwarded-For is believed (addresses or networks); nobody else's is.
    trusted_proxies: tuple[str, ...] = ()
    limits: Limits = Limits()

    @property
    def data_folder(self) -> Path:
        return Path(self.data)

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{(self.data_folder / 'kvit.sqlite').absolute()}"


#: Environment variables that win over the file.
ENVIRONMENT = {"KVIT_DATABASE": "database", "KVIT_DATA": "data"}


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Raises ``SettingsError`` naming the place and the reason."""
    environment = os.environ if environment is None else environment
    values = _from_file(environment.get("KVIT_CONFIG", ""))
    for variable, name in ENVIRONMENT.items():
        if environment.get(variable):
            values[name] = environment[variable]
    try:
        settings = msgspec.convert(values, Settings)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at ")
        where = place.strip("`").removeprefix("$.").removeprefix("$")
        raise SettingsError(f"KVIT_CONFIG: {where + ': ' if where else ''}{reason}") from error
    _check_proxies(settings.trusted_proxies)
    return settings


def _check_proxies(proxies: tuple[str, ...]) -> None:
    for place, text in enumerate(proxies):
        try:
            network = ip_network(text)
        except ValueError as error:
            raise SettingsError(f"KVIT_CONFIG: trusted_proxies[{place}]: {error}") from error
        if network.prefixlen == 0:
            raise SettingsError(
                f"KVIT_CONFIG: trusted_proxies[{place}]: {text} is everybody; name the proxies alone"
            )


def _from_file(path: str) -> dict[str, object]:
    if not path:
        return {}
    try:
        return dict(tomllib.loads(Path(path).read_text(encoding="utf-8-sig")))
    except FileNotFoundError as error:
        raise SettingsError(f"KVIT_CONFIG: there is no file {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
        raise SettingsError(f"KVIT_CONFIG: {path}: {error}") from error
