"""Files that went and came by channels, written down before anything is sent and after all is booked."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, and_, insert, select, update

from kvit.domain.file_rows import ChannelFileRow
from kvit.services.travel.ports import BEGUN, FAILED, Landed, Upload
from kvit.storage.engine import Database
from kvit.storage.schema_files import channel_files

_of = channel_files.c
#: A reason may be a server's own words, as long as it likes.
_DETAIL_LENGTH_MAX = 500
_LISTED_MAX = 10_000


class SqlChannelBook:
    """The rows of one agreement; each call is a transaction of its own. Raises ``DatabaseUnavailable``.

    One runner at a time works on an agreement's rows (``kvit.storage.alone``).
    """

    def __init__(self, database: Database, key: tuple[str, str], now_us: Callable[[], int]) -> None:
        """``key``: biller and agreement."""
        self._database = database
        self._biller_id, self._agreement_id = key
        self._now_us = now_us

    def find(self, direction: str, name: str, digest: str) -> ChannelFileRow | None:
        rows = self._rows(_of.direction == direction, _of.remote_name == name, _of.digest == digest)
        return rows[0] if rows else None

    def with_content(self, direction: str, digest: str) -> list[ChannelFileRow]:
        return self._rows(_of.direction == direction, _of.digest == digest)

    def with_name(self, direction: str, name: str) -> list[ChannelFileRow]:
        return self._rows(_of.direction == direction, _of.remote_name == name)

    def names(self, direction: str) -> dict[str, set[tuple[str, int]]]:
        query = select(_of.remote_name, _of.state, _of.size_bytes)
        found: dict[str, set[tuple[str, int]]] = {}
        with self._database.read() as connection:
            for name, state, size in connection.execute(
                query.where(*self._mine(), _of.direction == direction)
            ):
                found.setdefault(name, set()).add((state, size))
        return found

    def newest(self, limit: int = _LISTED_MAX) -> list[ChannelFileRow]:
        """The latest rows first."""
        with self._database.read() as connection:
            query = select(channel_files).where(*self._mine()).order_by(_of.began_at_us.desc()).limit(limit)
            return [ChannelFileRow(*row) for row in connection.execute(query)]

    def begin(self, direction: str, file: Upload | Landed, detail: str) -> None:
        if self.find(direction, file.name, file.digest) is not None:
            self._change(direction, file.name, file.digest, (BEGUN, detail, None))
            return
        row = ChannelFileRow(
            self._biller_id, self._agreement_id, direction, file.name, file.digest, file.size_bytes,
            self._now_us(), BEGUN, detail[:_DETAIL_LENGTH_MAX], None,
        )  # fmt: skip
        self._write(row)

    def end(self, direction: str, file: Upload | Landed, state: str, detail: str) -> None:
        ended_at_us = None if state == BEGUN else self._now_us()
        self._change(direction, file.name, file.digest, (state, detail, ended_at_us))

    def note(self, direction: str, name: str, reason: str) -> None:
        known = self.find(direction, name, "")
        if known is not None:
            if (known.state, known.detail) != (FAILED, reason[:_DETAIL_LENGTH_MAX]):
                self._change(direction, name, "", (FAILED, reason, self._now_us()))
            return
        now_us = self._now_us()
        row = ChannelFileRow(
            self._biller_id, self._agreement_id, direction, name, "", 0, now_us, FAILED,
            reason[:_DETAIL_LENGTH_MAX], now_us,
        )  # fmt: skip
        self._write(row)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return _of.biller_id == self._biller_id, _of.agreement_id == self._agreement_id

    def _rows(self, *which: ColumnElement[bool]) -> list[ChannelFileRow]:
        with self._database.read() as connection:
            query = select(channel_files).where(*self._mine(), *which).order_by(_of.began_at_us)
            return [ChannelFileRow(*row) for row in connection.execute(query)]

    def _write(self, row: ChannelFileRow) -> None:
        with self._database.write() as connection:
            connection.execute(insert(channel_files), row._asdict())

    def _change(self, direction: str, name: str, digest: str, values: tuple[str, str, int | None]) -> None:
        state, detail, ended_at_us = values
        which = and_(*self._mine(), _of.direction == direction, _of.remote_name == name, _of.digest == digest)
        with self._database.write() as connection:
            connection.execute(
                update(channel_files)
                .where(which)
                .values(state=state, detail=detail[:_DETAIL_LENGTH_MAX], ended_at_us=ended_at_us)
            )
