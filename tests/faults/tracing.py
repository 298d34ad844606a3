"""System calls of a running process that fail because a tracer says so: strace, let in and gone again."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.clusters import PROC
from tests.missing import missing

ATTACH_TIMEOUT_S = 10.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Injection:
    """Which calls meet what, and when, in strace's words: fdatasync, error=EIO, 3+7. Each thread counts."""

    calls: str
    fault: str
    when: str

    def __str__(self) -> str:
        return f"{self.calls}:{self.fault}:when={self.when}"


@dataclass(frozen=True)
class Trace:
    path: Path

    @property
    def injected(self) -> list[str]:
        """A line for each call that failed by our doing."""
        if not self.path.exists():
            return []
        return [line for line in self.path.read_text(errors="replace").splitlines() if "(INJECTED)" in line]


@contextmanager
def injected(pids: Sequence[int], injection: Injection, folder: Path) -> Iterator[Trace]:
    """Calls of these processes, their threads and children fail while the block lasts."""
    trace = Trace(folder / f"trace-{next(_numbers)}")
    command = ["strace", "-f", "-qq", "-Z", "-o", str(trace.path), "-e", f"trace={injection.calls}"]
    command += ["-e", f"inject={injection}", *(word for pid in pids for word in ("-p", str(pid)))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        try:
            _wait_until_let_in(tracer, pids)
            yield trace
        finally:
            tracer.send_signal(signal.SIGINT)  # it lets go, and they run on
            tracer.wait(ATTACH_TIMEOUT_S)


def _wait_until_let_in(tracer: subprocess.Popen[str], pids: Sequence[int]) -> None:
    give_up_s = time.monotonic() + ATTACH_TIMEOUT_S
    while any(_tracer_of(pid) == "0" for pid in pids):
        if tracer.poll() is not None:
            assert tracer.stderr
            if refusal := tracer.stderr.read().strip():
                missing(f"strace may not trace a process here: {refusal}")
            return  # they died at once, as they were told to
        assert time.monotonic() < give_up_s, "the tracer was not let in"
        time.sleep(0.01)


def _tracer_of(pid: int) -> str:
    """Who traces it: "0" is nobody; "" where it is gone already."""
    try:
        status = (PROC / str(pid) / "status").read_text()
    except OSError:
        return ""
    return status.partition("TracerPid:")[2].split(maxsplit=1)[0]


def need_strace() -> None:
    if shutil.which("strace") is None:
        missing("no strace (Debian: apt-get install strace)")
