"""Agreements in the database: what may be seen as JSON, secrets encrypted."""

from __future__ import annotations

import contextlib

from sqlalchemy import Connection, func, insert, select, update

from kvit.domain.errors import SettingsError
from kvit.domain.model import Agreement
from kvit.services.agreements import from_spec, same_terms, to_spec
from kvit.storage.schema import agreements
from kvit.storage.secretbox import SecretBox


def load(connection: Connection, box: SecretBox) -> list[Agreement]:
    """Every agreement of the installation, by id. Raises ``SettingsError`` naming one that is unreadable."""
    readable, unreadable = load_readable(connection, box)
    for agreement_id, reason in unreadable.items():
        raise SettingsError(f"agreement {agreement_id}: {reason}")
    return readable


def load_readable(connection: Connection, box: SecretBox) -> tuple[list[Agreement], dict[str, str]]:
    """The agreements that can be read, by id; and the ids of the others with the reason."""
    readable, unreadable = [], {}
    for row in connection.execute(select(agreements).order_by(agreements.c.agreement_id)):
        try:
            readable.append(from_spec(row.spec, box.open(row.secrets), row.version))
        except SettingsError as error:
            unreadable[row.agreement_id] = str(error)
    return readable, unreadable


def stamp(connection: Connection) -> tuple[int, int]:
    """Changes whenever an agreement was applied: (how many, sum of versions)."""
    count, versions = connection.execute(
        select(func.count(), func.coalesce(func.sum(agreements.c.version), 0))
    ).one()
    return int(count), int(versions)


def save(connection: Connection, agreement: Agreement, box: SecretBox, now_us: int) -> str:
    """``new``, ``changed`` or ``unchanged``. Raises ``SettingsError`` where another biller has the id."""
    spec, secrets = to_spec(agreement)
    row = connection.execute(
        select(agreements).where(agreements.c.agreement_id == agreement.agreement_id)
    ).one_or_none()
    values = {
        "protocol": agreement.protocol, "mode": agreement.mode, "spec": spec, "secrets": box.seal(secrets),
        "applied_at_us": now_us,
    }  # fmt: skip
    if row is None:
        key = {"biller_id": agreement.biller_id, "agreement_id": agreement.agreement_id, "version": 1}
        connection.execute(insert(agreements), {**key, **values})
        return "new"
    if row.biller_id != agreement.biller_id:
        raise SettingsError(
            f"agreement {agreement.agreement_id} belongs to biller {row.biller_id}; "
            "an id is unique in the installation"
        )
    with contextlib.suppress(SettingsError):  # what can no longer be read is replaced
        if same_terms(from_spec(row.spec, box.open(row.secrets), row.version), agreement):
            return "unchanged"
    connection.execute(
        update(agreements)
        .where(agreements.c.biller_id == row.biller_id, agreements.c.agreement_id == row.agreement_id)
        .values(version=row.version + 1, **values)
    )
    return "changed"
