"""Every command of ``kvit`` in one place."""

from __future__ import annotations

from kvit.cli import (
    agreements,
    books,
    conformance,
    demo,
    files,
    payments,
    protocols,
    receivables,
    reconciling,
    register_room,
    server,
    settlements,
    simulate,
)
from kvit.cli.root import make_root

app = make_root()

for room in (
    server, receivables, agreements, payments, files, register_room, reconciling, settlements, books,
    protocols, simulate, conformance, demo,
):  # fmt: skip
    room.register(app)
