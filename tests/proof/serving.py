"""A real server in a process of its own, that may be killed, and the books behind it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kvit.domain import days
from kvit.domain.model import Agreement
from kvit.storage import agreements as agreement_storage
from kvit.storage.secretbox import open_box
from tests.gateway import Gateway, opened
from tests.postgres import _free_port
from tests.seeding import MADE_AT, Client, Town, agreement_of, seed

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 40.0
LOGIN, PASSWORD = "osmp", "secret"
KVIT = str(Path(sys.executable).with_name("kvit"))
SERVE = (KVIT, "serve")


@dataclass
class Installation:
    """A database with one biller and its agreements, and the servers that were started on it."""

    url: str
    data: Path
    gateway: Gateway
    town: Town
    agreements: Sequence[Agreement]
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str, program: Sequence[str] = SERVE) -> float:
        """Start a server; says after how many seconds it was ready.

        ``program``: what starts it, where that is not the plain command; it is given the same options.
        """
        assert self.process is None
        command = [*program, "--port", str(self.port), *options]
        began_s = time.monotonic()
        with (self.data / "server.log").open("ab") as log:
            # A group of its own: workers are killed with their parent.
            self.process = subprocess.Popen(
                command, env=self._environment(), cwd=self.data, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        while not self.is_ready():
            assert self.process.poll() is None, self.log()[-4000:]
            assert time.monotonic() - began_s < READY_TIMEOUT_S, self.log()[-4000:]
            time.sleep(0.02)
        return time.monotonic() - began_s

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def kill(self) -> None:
        """As a power cut would: no signal that anybody could handle."""
        process, self.process = self.process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_TIMEOUT_S)

    def stop(self) -> int:
        """As an operator would; the exit code."""
        assert self.process
        self.process.terminate()
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        finally:
            self.kill()

    def audit(self) -> dict[str, Any]:
        """What `kvit audit verify` says, which shares no code with posting and follows the chain."""
        command = [KVIT, "audit", "verify", "--json"]
        told = subprocess.run(command, env=self._environment(), capture_output=True, check=False, timeout=120)
        report: dict[str, Any] = json.loads(told.stdout)
        assert (told.returncode == 0) == report["ok"], told
        return report

    def _environment(self) -> dict[str, str]:
        own = {"KVIT_DATABASE": self.url, "KVIT_DATA": str(self.data)}
        return {name: value for name, value in os.environ.items() if name != "KVIT_CONFIG"} | own

    def log(self) -> str:
        return (self.data / "server.log").read_text(errors="replace")

    def balances(self) -> dict[str, int]:
        return {
            row["number"]: row["balance_minor"] for row in self.gateway.rows("accounts", self.town.biller_id)
        }


@contextmanager
def installed(
    url: str, data: Path, clients: Sequence[Client], *, mode: str = "live", names: Sequence[str] = ("qiwi",)
) -> Iterator[Installation]:
    """Books at ``url`` (of the newest schema) with these clients, and one agreement for each name."""
    with opened(url) as gateway:
        town = seed(gateway.database, clients)
        agreements = [
            agreement_of(
                town.biller_id, name, mode=mode, basic_login=LOGIN, basic_password=PASSWORD,
                networks=("127.0.0.0/8",),
            )
            for name in names
        ]  # fmt: skip
        box = open_box(data)
        with gateway.database.write() as connection:
            for agreement in agreements:
                agreement_storage.save(connection, agreement, box, days.to_us(MADE_AT))
        installation = Installation(url, data, gateway, town, agreements)
        try:
            yield installation
        finally:
            installation.kill()
