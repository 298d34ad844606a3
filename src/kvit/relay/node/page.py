"""The administrator's page: how the node is, behind a key."""

from __future__ import annotations

import hmac
import html
import json
import sqlite3
from pathlib import Path
from typing import List, Tuple
from urllib.parse import parse_qs

from kvit.relay.node import copies, selftest, store, terms, web
from kvit.relay.node.bank import complain
from kvit.relay.node.web import Answer, Asked

_PAGE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>kvit relay</title>
<meta name="robots" content="noindex">
<style>body{{font-family:sans-serif;margin:2em}}td{{padding:.2em 1em .2em 0}}</style>
<h1>kvit relay</h1><table>{rows}</table></html>"""


def answer(folder: Path, asked: Asked, now_us: int) -> Answer:
    """The page, or one line for who does not know the key."""
    try:
        with store.opened(folder) as connection, store.reading(connection):
            key = store.get(connection, "status_key")
            given = parse_qs(asked.query.decode("latin-1")).get("key", [""])[0]
            if not key:
                return web.plain(403, "kvit relay is here, and waits to be paired")
            if not hmac.compare_digest(key.encode("utf-8"), given.encode("utf-8")):
                return web.plain(403, "the key of this page is printed by `kvit relay status`")
            rows = _rows(connection, folder, asked, now_us)
    except Exception:
        complain("the status page could not be made")
        return web.plain(503, "the data folder cannot be used now; the error log of this site says why")
    cells = "".join(f"<tr><td>{html.escape(name)}<td>{html.escape(value)}" for name, value in rows)
    headers = (("Content-Type", "text/html; charset=utf-8"), ("Referrer-Policy", "no-referrer"),
               ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"))  # fmt: skip
    return Answer(200, _PAGE.format(rows=cells).encode("utf-8"), headers)


def _rows(connection: sqlite3.Connection, folder: Path, asked: Asked, now_us: int) -> List[Tuple[str, str]]:
    last, acked = store.get_int(connection, "last_sequence"), store.get_int(connection, "acked")
    pulled_us = store.get_int(connection, "last_pull_us")
    rows = [
        ("Version", selftest.version()),
        ("Clock (UTC)", _time(now_us)),
        ("Payments and holds received", str(last)),
        ("Waiting for the office", str(last - acked)),
        ("Last fetched by the office", _age(pulled_us, now_us)),
        ("Contradicting repeats", str(store.get_int(connection, "conflicts"))),
    ]
    for copy in copies.all_copies(connection):
        name = "Copy of debts" + (f" for {copy.scope}" if copy.scope else "")
        old = ", past its end: " + copy.policy if copy.is_old(now_us) else ""
        rows.append((name, f"version {copy.version}, as of {_age(copy.as_of_us, now_us)}{old}"))
    facts = selftest.facts(connection, folder, asked)
    rows.append(("Self-test", json.dumps(facts)))
    if facts["data_in_web_root"]:
        rows.append(("Warning", "the data folder is below the web root: move it, or see that it is denied"))
    return rows


def _time(at_us: int) -> str:
    return terms.moment(at_us, terms.zone_of("")).strftime("%Y-%m-%d %H:%M:%S")


def _age(at_us: int, now_us: int) -> str:
    if not at_us:
        return "never"
    return f"{_time(at_us)} ({max(0, now_us - at_us) // 1_000_000} s ago)"
