"""Create or upgrade the database, and refuse to run on another version's."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from kvit.domain.errors import SchemaMismatch
from kvit.storage.engine import Database

if TYPE_CHECKING:
    from alembic.config import Config

#: A step's file says which schema it makes.
_STEP = re.compile(r"v([0-9]{4})_[a-z0-9_]+\.py")

#: Two upgrades at once wait for each other (PostgreSQL; on SQLite the write lock does it).
_UPGRADE_LOCK = 0x6B766974


def revisions() -> list[str]:
    """The schemas that this version of kvit and earlier ones made, oldest first."""
    folder = files("kvit.storage") / "migrations" / "versions"
    found = sorted(step[1] for file in folder.iterdir() if (step := _STEP.fullmatch(file.name)))
    if not found:
        raise SchemaMismatch("the migrations are missing from this installation; install kvit again")
    return found


def newest() -> str:
    """The schema this version of kvit works with."""
    return revisions()[-1]


def knows(revision: str) -> bool:
    """Is it a schema that this version of kvit or an earlier one made?"""
    return revision in revisions()


def current(connection: Connection) -> str | None:
    """The schema of a database; ``None`` for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(
        text("SELECT version_num FROM alembic_version")
    ).scalar_one_or_none()
    return revision


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(files("kvit.storage") / "migrations"))
    config.set_main_option("path_separator", "os")
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    return config


def upgrade(database: Database, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the database to ``revision`` in one transaction; says from where to where it went."""
    with database.write() as connection:
        return upgrade_within(connection, revision)


def upgrade_within(connection: Connection, revision: str = "head") -> tuple[str | None, str | None]:
    """The same as part of the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    before = current(connection)
    if before is not None and not knows(before):
        raise SchemaMismatch(_newer(before))
    # Only an upgrade needs Alembic, and every command comes by here.
    from alembic import command

    command.upgrade(_config(connection), revision)
    return before, current(connection)


def check(database: Database) -> None:
    """Raises ``SchemaMismatch`` unless the database is exactly at this version's schema."""
    with database.read() as connection:
        found = current(connection)
    if found is None:
        raise SchemaMismatch("there are no books yet; run `kvit init` first")
    if not knows(found):
        raise SchemaMismatch(_newer(found))
    if found != newest():
        raise SchemaMismatch(
            f"the database has schema {found}, this kvit needs {newest()}; run `kvit init` to upgrade it"
        )


def _newer(found: str) -> str:
    return (
        f"the database has schema {found}, newer than this kvit knows ({newest()}); "
        "install the version of kvit that made it, or a later one"
    )
