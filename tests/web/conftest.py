"""One real server for the whole folder: every attack meets the same books, and they hold to the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.serving import AGREEMENT, Office, Serving, marks_in, open_office

HEAD_TIMEOUT_S = 1.5
CONNECTIONS_MAX = 30
LIMITS = f"""
[limits]
head_timeout_s = {HEAD_TIMEOUT_S}
body_timeout_s = {HEAD_TIMEOUT_S}
"""


@pytest.fixture(scope="session")
def office(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An installation with one account and one agreement in test mode."""
    return open_office(tmp_path_factory.mktemp("office"), sqlite_template, LIMITS)


@pytest.fixture(scope="session")
def server(office: Office) -> Iterator[Serving]:
    """`kvit serve` of that installation. What it said has to be clean, and its books have to hold."""
    with office.serving() as running:
        yield running
    said = running.said()
    assert marks_in(said) == []
    assert "Traceback" not in said
    assert "ERROR" not in said
    assert office.findings() == []


@pytest.fixture(scope="session")
def proxied(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Another installation, behind a proxy on this machine; its agents are elsewhere."""
    settings = (
        f"trusted_proxies = ['127.0.0.1', '10.0.0.0/8']\n[limits]\nconnections_max = {CONNECTIONS_MAX}\n"
    )
    agreement = AGREEMENT.replace('"127.0.0.0/8"', '"192.0.2.0/24", "2001:db8::/32"')
    folder = tmp_path_factory.mktemp("proxied")
    with open_office(folder, sqlite_template, settings, agreement).serving() as running:
        yield running
    assert marks_in(running.said()) == []


@pytest.fixture
def unharmed(office: Office, server: Serving) -> Iterator[None]:
    """After the test nothing more is booked than before, and somebody else is answered at once."""
    before = office.payments()
    yield
    started_s = time.monotonic()
    assert server.is_well()
    assert time.monotonic() - started_s < 2
    assert office.payments() == before
