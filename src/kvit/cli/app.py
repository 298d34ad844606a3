"""Every command of ``kvit`` in one place."""

from __future__ import annotations

from kvit.cli import agreements, books, conformance, demo, payments, protocols, receivables, server, simulate
from kvit.cli.root import make_root

app = make_root()

for room in (server, receivables, agreements, payments, books, protocols, simulate, conformance, demo):
    room.register(app)
