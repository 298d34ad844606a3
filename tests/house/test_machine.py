"""The parts of the machine that other tests rely on do what those tests think they do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from kvit.storage.engine import open_database
from kvit.storage.migrate import current, newest
from tests.conftest import CHROMIUM_FLAGS
from tests.postgres import Cluster

ROOT = Path(__file__).parents[2]


def test_a_new_database_is_empty_and_belongs_to_one_test(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public'").fetchall()
        encoding = connection.execute("SHOW server_encoding").fetchone()
    assert tables == []
    assert encoding == ("UTF8",)


def test_a_database_is_gone_after_its_block(postgres_cluster: Cluster) -> None:
    with postgres_cluster.database() as url:
        left_open = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)
    left_open.close()


def test_a_template_is_filled_once_and_copied(postgres_cluster: Cluster) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE pebble (id integer)")

    for _copy in range(2):
        template = postgres_cluster.template("pebbles", fill)
        with postgres_cluster.database(template) as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM pebble").fetchone() == (0,)
            connection.execute("INSERT INTO pebble VALUES (1)")
    assert len(filled) == 1


def test_the_password_is_asked_for(postgres_cluster: Cluster) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres_cluster.url("postgres").replace(postgres_cluster.password, "wrong"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no root")
def test_the_server_is_not_root_and_its_folder_is_its_own(postgres_cluster: Cluster) -> None:
    data = postgres_cluster.folder / "data"
    assert data.stat().st_uid != 0
    assert data.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_the_server_dies_with_the_tests_however_they_die(postgres_cluster: Cluster) -> None:
    script = (
        "import time\n"
        "from tests.postgres import running_cluster\n"
        "with running_cluster() as cluster:\n"
        "    print(cluster.process.pid, cluster.folder, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    server_pid, folder = parent.stdout.readline().split()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    try:
        _wait_until_gone(int(server_pid))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not _runs(pid):
            return
        time.sleep(0.05)
    raise AssertionError(f"server {pid} outlived the tests")


def _runs(pid: int) -> bool:
    """A zombie does not: in a container whose first process collects nobody, the dead stay listed."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_both_engines_are_tried(database_url: str) -> None:
    assert database_url.startswith(("sqlite:////", "postgresql://kvit:"))


def test_ready_books_have_the_newest_schema(books_url: str) -> None:
    database = open_database(books_url)
    try:
        with database.read() as connection:
            assert current(connection) == newest()
    finally:
        database.close()


@pytest.mark.browser
def test_the_browser_runs_a_page(chromium_path: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM_FLAGS))
        page = browser.new_page()
        page.set_content("<p></p><script>document.querySelector('p').textContent = 'Әйгерім'</script>")
        assert page.text_content("p") == "Әйгерім"
        browser.close()
