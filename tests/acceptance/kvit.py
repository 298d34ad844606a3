"""An installation driven only through the command ``kvit`` and HTTP, as its owner and a bank would."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from tests.postgres import _free_port

READY_TIMEOUT_S = 60.0
LOGIN, PASSWORD = "osmp", "secret"


@dataclass
class Kvit:
    """One installation: its folder and its environment."""

    folder: Path
    database: str = ""
    port: int = 0

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints; it must end with ``code``."""
        done = self.start(*arguments)
        out, err = done.communicate(timeout=120)
        assert done.returncode == code, f"kvit {' '.join(arguments)}: {done.returncode}\n{out}\n{err}"
        return out if code == 0 else out + err

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.run(*arguments, "--json"))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from kvit.cli import main; main()", *arguments]
        environment = {**os.environ, "KVIT_DATA": str(self.folder / "data"), "COLUMNS": "120"}
        environment.pop("KVIT_CONFIG", None)
        if self.database:
            environment["KVIT_DATABASE"] = self.database
        else:
            environment.pop("KVIT_DATABASE", None)
        return subprocess.Popen(
            command, env=environment, cwd=self.folder, text=True, encoding="utf-8",
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    @contextmanager
    def serving(self, *options: str) -> Iterator[None]:
        """A server while the block runs; it must end well when it is asked to."""
        self.port = _free_port()
        server = self.start("serve", "--host", "127.0.0.1", "--port", str(self.port), *options)
        try:
            self._await_ready(server)
            yield
            server.terminate()
            _, err = server.communicate(timeout=60)
            assert server.returncode == 0, err
        finally:
            server.kill()
            server.communicate()

    def write(self, name: str, text: str, encoding: str = "utf-8") -> str:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return str(path)

    def ask(self, command: str, **parameters: str) -> Answer:
        """What the door of ``qiwi`` answers to a GET."""
        return self.get("/pay/qiwi?" + urlencode({"command": command, **parameters}))

    def get(
        self, target: str, *, password: str = PASSWORD, headers: Sequence[tuple[str, str]] = ()
    ) -> Answer:
        token = base64.b64encode(f"{LOGIN}:{password}".encode()).decode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{target}")
        request.add_header("Authorization", "Basic " + token)
        for name, value in headers:
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own server
                return Answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read())

    def _await_ready(self, server: subprocess.Popen[str]) -> None:
        end_s = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < end_s:
            assert server.poll() is None, server.communicate()
            try:
                if self.get("/healthz").status == 200:
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the server did not become ready")


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    body: bytes

    def __getitem__(self, tag: str) -> str:
        """The text of an element of the answer, ``""`` where it has none."""
        root = ET.fromstring(self.body)  # noqa: S314 - our own answer
        return root.findtext(tag) or ""
