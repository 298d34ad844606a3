"""Create or upgrade the database, and refuse to run on another version's."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from kvit.domain.errors import SchemaMismatch
from kvit.storage.engine import Database

#: Two upgrades at once wait for each other (PostgreSQL; on SQLite the write lock does it).
_UPGRADE_LOCK = 0x6B766974


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("kvit.storage") / "migrations"))
    config.set_main_option("path_separator", "os")
    attributes: dict[str, Any] = config.attributes
    attributes["connection"] = connection
    return config


def newest() -> str:
    """The schema this version of kvit works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise SchemaMismatch("the migrations are missing from this installation; install kvit again")
    return head


def current(connection: Connection) -> str | None:
    """The schema of a database; ``None`` for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(database: Database, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the database to ``revision`` in one transaction; says from where to where it went."""
    with database.write() as connection:
        if database.is_postgres:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
        before = current(connection)
        if before is not None and before not in _known():
            raise SchemaMismatch(
                f"the database has schema {before}, newer than this kvit knows ({newest()}); "
                "install the version of kvit that made it, or a later one"
            )
        command.upgrade(_config(connection), revision)
        return before, current(connection)


def check(database: Database) -> None:
    """Raises ``SchemaMismatch`` unless the database is exactly at this version's schema."""
    with database.read() as connection:
        found = current(connection)
    if found != newest():
        raise SchemaMismatch(
            "there are no books yet; run `kvit init` first"
            if found is None
            else f"the database has schema {found}, this kvit needs {newest()}; run `kvit init` to upgrade it"
        )


def _known() -> set[str]:
    script = ScriptDirectory.from_config(_config())
    return {step.revision for step in script.walk_revisions()}
