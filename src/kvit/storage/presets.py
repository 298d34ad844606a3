"""Presets in the database. They are settings, no books: they may be changed and removed."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select, update

from kvit.domain.file_rows import PresetRow
from kvit.domain.model import JournalRow
from kvit.storage.billers import take_ids, write_journal
from kvit.storage.schema_files import presets

_COLUMNS = [presets.c[name] for name in PresetRow._fields]


class SqlPresets:
    """One open transaction, as ``services.presets`` wants it."""

    def __init__(self, connection: Connection, biller_id: str) -> None:
        self._connection = connection
        self._biller_id = biller_id

    def find(self, name: str) -> PresetRow | None:
        row = self._connection.execute(select(*_COLUMNS).where(self._key(name))).one_or_none()
        return None if row is None else PresetRow(*row)

    def all(self) -> list[PresetRow]:
        query = select(*_COLUMNS).where(presets.c.biller_id == self._biller_id).order_by(presets.c.name)
        return [PresetRow(*row) for row in self._connection.execute(query)]

    def put(self, row: PresetRow) -> None:
        changed = self._connection.execute(update(presets).where(self._key(row.name)).values(row._asdict()))
        if changed.rowcount == 0:
            self._connection.execute(insert(presets), row._asdict())

    def remove(self, name: str) -> None:
        self._connection.execute(delete(presets).where(self._key(name)))

    def take_id(self) -> int:
        return take_ids(self._connection, 1)[0]

    def write_journal(self, record: JournalRow) -> None:
        write_journal(self._connection, [record])

    def _key(self, name: str) -> ColumnElement[bool]:
        return and_(presets.c.biller_id == self._biller_id, presets.c.name == name)
