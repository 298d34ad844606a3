"""Every command of ``kvit`` in one place."""

from __future__ import annotations

from kvit.cli import (
    agreements,
    books,
    channels,
    conformance,
    demo,
    exports,
    files,
    imports,
    payments,
    periods,
    presets,
    protocols,
    quarantine,
    receivables,
    reconciling,
    register_room,
    relay,
    rules,
    server,
    settlements,
    simulate,
    suspense,
)
from kvit.cli.root import make_root

app = make_root()

for room in (
    server, receivables, agreements, payments, files, presets, register_room, imports, quarantine,
    suspense, rules, channels, reconciling, settlements, periods, exports, books,
    protocols, relay, simulate, conformance, demo,
):  # fmt: skip
    room.register(app)
