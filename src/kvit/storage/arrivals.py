"""Is a day's payment register here? Told by its lines, by the days that it names, or by its being empty."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from kvit.domain.file_rows import UNDONE
from kvit.domain.lines import REGISTER
from kvit.services.receivables.ports import FINISHED
from kvit.services.travel.ports import DONE, IN
from kvit.storage.schema import imports
from kvit.storage.schema_files import channel_files, money_lines

#: Registers that are looked back through.
_IMPORTS_MAX = 500


def has_register(connection: Connection, key: tuple[str, str], day: str, ended_at_us: int) -> bool:
    """``key``: biller and agreement. ``ended_at_us``: when the day was over.

    An empty register often names no day: one that came after the day was over is taken for it, also where its
    bytes are those of an earlier empty one.
    """
    biller_id, agreement_id = key
    lines = money_lines.c
    line = select(lines.line).where(
        lines.biller_id == biller_id,
        lines.source == agreement_id,
        lines.day == day,
        lines.kind == REGISTER,
        lines.state != UNDONE,
    )
    if connection.execute(line.limit(1)).first() is not None:
        return True
    of = imports.c
    query = (
        select(of.summary, of.started_at_us, of.file_digest)
        .where(of.biller_id == biller_id, of.agreement_id == agreement_id)
        .where(of.kind == REGISTER, of.state == FINISHED)
        .order_by(of.import_id.desc())
        .limit(_IMPORTS_MAX)
    )
    empty = set()
    for summary, started_at_us, digest in connection.execute(query):
        told = json.loads(summary or "{}")
        if told.get("first_day"):
            if told["first_day"] <= day <= told.get("last_day", told["first_day"]):
                return True
        elif started_at_us >= ended_at_us:
            return True
        else:
            empty.add(digest)
    if not empty:
        return False
    files = channel_files.c
    again = select(files.digest).where(
        files.biller_id == biller_id,
        files.agreement_id == agreement_id,
        files.direction == IN,
        files.state == DONE,
        files.began_at_us >= ended_at_us,
    )
    return not empty.isdisjoint(connection.execute(again).scalars())
