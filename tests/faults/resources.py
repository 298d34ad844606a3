"""What a process holds, as the kernel counts it: descriptors, threads, memory."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import pytest

PROC = Path("/proc")
needs_proc = pytest.mark.skipif(not PROC.exists(), reason="descriptors and threads are counted in /proc")


class Held(NamedTuple):
    descriptors: int
    threads: int


def held_by(pid: int) -> Held:
    own = PROC / str(pid)
    return Held(len(list((own / "fd").iterdir())), len(list((own / "task").iterdir())))


def memory_mb(pid: int) -> float:
    """What of it lies in memory now."""
    pages = int((PROC / str(pid) / "statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def gives_back(pid: int, before: Held, patience_s: float) -> Held:
    """What is still held once it is no more than before, or when patience ends."""
    give_up_s = time.monotonic() + patience_s
    while True:
        now = held_by(pid)
        if (now[0] <= before[0] and now[1] <= before[1]) or time.monotonic() > give_up_s:
            return now
        time.sleep(0.05)
