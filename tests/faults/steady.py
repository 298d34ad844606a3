"""A polite agent in a process of its own: so many payments a second, whatever happens, each timed.

A process of its own, since whoever makes the trouble is busy and would time itself. Prints one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from kvit.domain.messages import Post
from tests.proof.terminals import Terminal, pay_target

ROOT = Path(__file__).parents[2]
AMOUNT_MINOR = 1


@dataclass
class Told:
    """What the agent was told and when: seconds to each answer, by the answer's code; "" is no answer."""

    waits_s: dict[str, list[float]] = field(default_factory=dict)

    def count(self, *codes: str) -> int:
        return sum(len(self.waits_s.get(code, ())) for code in codes or self.waits_s)

    def quantile_s(self, part: float) -> float:
        waits = sorted(wait for each in self.waits_s.values() for wait in each)
        return waits[min(int(len(waits) * part), len(waits) - 1)]


@dataclass
class Steady:
    """A polite agent that is ready to ``begin``; ``told`` is there once its block has ended."""

    begin: Callable[[], object]
    told: Told = field(default_factory=Told)


@contextmanager
def steady(port: int, agreement_id: str, number: str, first_txn: int, a_second: float) -> Iterator[Steady]:
    """Pays a kopeck at a time until the block ends, with ids from ``first_txn`` on."""
    arguments = [str(port), agreement_id, number, str(first_txn), str(a_second)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.steady", *arguments],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    agent = Steady(partial(process.stdin.write, b"begin\n"))
    try:
        assert process.stdout.readline() == b"ready\n"
        yield agent
        said, _ = process.communicate(b"enough\n", timeout=60)
        agent.told.waits_s.update(json.loads(said))
    finally:
        process.kill()
        process.wait()


async def pay_steadily(port: int, agreement_id: str, number: str, first_txn: int, a_second: float) -> Told:
    """From one line of input to the next. A payment begins when its time has come, on a free connection."""
    told = Told()
    free: list[Terminal] = []

    async def pay(txn: int) -> None:
        target = pay_target(agreement_id, Post(str(txn), number, AMOUNT_MINOR))
        terminal = free.pop() if free else Terminal(port)
        began_s, code = time.monotonic(), ""
        for _ in range(2):  # a kept line may have been closed meanwhile
            with suppress(OSError, EOFError, TimeoutError):
                code = code or (await terminal.ask(target)).code
        told.waits_s.setdefault(code, []).append(time.monotonic() - began_s)
        free.append(terminal)

    print("ready", flush=True)  # noqa: T201 - the one who started this waits for it
    sys.stdin.readline()
    enough = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    began_s = time.monotonic()
    tasks: list[asyncio.Task[None]] = []
    while not enough.done():
        tasks.append(asyncio.create_task(pay(first_txn + len(tasks))))
        await asyncio.sleep(max(0.0, began_s + len(tasks) / a_second - time.monotonic()))
    await asyncio.gather(*tasks)
    for terminal in free:
        await terminal.close()
    return told


def main(port: str, agreement_id: str, number: str, first_txn: str, a_second: str) -> None:
    told = asyncio.run(pay_steadily(int(port), agreement_id, number, int(first_txn), float(a_second)))
    print(json.dumps(told.waits_s))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
