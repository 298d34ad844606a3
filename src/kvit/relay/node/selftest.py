"""What the node can say of the host it runs on."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
from pathlib import Path
from typing import Any, Dict

import kvit
from kvit.relay.node import terms
from kvit.relay.node.web import Asked


def version() -> str:
    """The version of kvit that the node was built from."""
    return kvit.__version__


def facts(connection: sqlite3.Connection, folder: Path, asked: Asked) -> Dict[str, Any]:
    """Facts for the office and the administrator; nothing in it is secret, no path is told."""
    environ = asked.environ
    root = str(environ.get("DOCUMENT_ROOT") or "")
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "journal_mode": connection.execute("PRAGMA journal_mode").fetchone()[0],
        "synchronous": connection.execute("PRAGMA synchronous").fetchone()[0],
        "protocols": terms.packed_protocols(),
        "process": os.getpid(),
        "multiprocess": bool(environ.get("wsgi.multiprocess")),
        "multithread": bool(environ.get("wsgi.multithread")),
        "run_once": bool(environ.get("wsgi.run_once")),
        "https": environ.get("wsgi.url_scheme") == "https",
        "authorization_seen": "authorization" in asked.headers,
        "data_in_web_root": bool(root) and _is_below(folder, Path(root)),
        "disk_free_bytes": _free(folder),
    }


def _is_below(folder: Path, root: Path) -> bool:
    try:
        return root.resolve() in (folder.resolve(), *folder.resolve().parents)
    except OSError:
        return False


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(str(folder)).free
    except OSError:
        return -1
