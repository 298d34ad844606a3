"""``make simulate``: plays histories, a million of them unless told otherwise; or tells one."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.simulation import runner
from tests.simulation.history import Theatre
from tests.simulation.score import ROOT, Range, Score, load, seeds_in

STATE = ROOT / "build" / "simulate.json"
MILLION = (0, 999_999)
_ABOUT = """\
Plays seeded histories of a whole gateway: lost and doubled requests, a failing store, crashes, wrong
clocks; and checks after each that everything confirmed is in the books exactly once. One seed is one
history, always the same. Results are kept, so a run that was broken off goes on where it was; they are
thrown away when the code has changed.
"""
_EXAMPLES = """\
examples, as arguments of make:
  make simulate                               a million histories
  make simulate ARGS="--seeds 0-9999"         the first ten thousand
  make simulate ARGS="--seed 123"             tells history 123, line by line
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 when a history failed, 130 when it was broken off."""
    logging.disable(logging.CRITICAL)  # what the gateway logs about faults is no news here
    options = _parser().parse_args(arguments)
    if options.seed is not None:
        return _tell(options.seed, as_json=options.json)
    state = None if options.state == "none" else Path(options.state)
    score = Score() if options.again or state is None else load(state)
    if score is None:
        if state is not None and state.exists():
            sys.stderr.write("the code has changed since the last run: everything is played anew\n")
        score = Score()
    before = seeds_in(score.done) and seeds_in([options.seeds]) - seeds_in(score.left(options.seeds))
    if before:
        sys.stderr.write(f"{before:,} of these were played before\n")
    is_complete = runner.run(runner.Wish(options.seeds, options.workers, state, options.digests), score)
    if not is_complete:
        sys.stderr.write("broken off; the same command goes on from here\n")
    report = _report(options.seeds, score)
    sys.stdout.write(json.dumps(report) + "\n" if options.json else _as_text(report))
    return 1 if report["failed"] else 0 if is_complete else 130


def replay_command(seed: int) -> str:
    return f'make simulate ARGS="--seed {seed}"'


def _tell(seed: int, *, as_json: bool) -> int:
    """One history, all that happened in it."""
    with runner.folder_in_memory() as folder:
        theatre = Theatre(folder)
        told = theatre.play(seed)
        theatre.close()
    lines = list(told.trace.lines())
    if as_json:
        found = {"seed": seed, "failed": told.failures, "digest": told.trace.digest(), "history": lines}
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        end = "\n".join(["", *(f"broken: {failure}" for failure in told.failures or ["nothing"]), ""])
        sys.stdout.write("\n".join(lines) + end)
    return 1 if told.failures else 0


def _report(wanted: Range, score: Score) -> dict[str, Any]:
    failed = {seed: lines for seed, lines in sorted(score.failed.items()) if wanted[0] <= seed <= wanted[1]}
    left = seeds_in(score.left(wanted))
    return {
        "seeds": list(wanted),
        "played": wanted[1] - wanted[0] + 1 - left,
        "left": left,
        "failed": [
            {"seed": seed, "broken": lines, "replay": replay_command(seed)} for seed, lines in failed.items()
        ],
        "seconds_of_one_core": round(score.took_s, 1),
        "most": score.highest,
        "counts": dict(sorted(score.counts.items())),
        **({"digests": score.digests} if score.digests else {}),
    }


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"{count:12,}  {name}" for name, count in report["counts"].items()]
    lines.append(f"{report['played']:,} histories played, {len(report['failed'])} failed")
    for each in report["failed"][: runner.FAILED_MAX]:
        lines += [f"seed {each['seed']}: {each['broken'][0]}", f"    tell it: {each['replay']}"]
    return "\n".join(lines) + "\n"


def _range(text: str) -> Range:
    first, _, last = text.replace(",", "").replace("_", "").partition("-")
    try:
        found = int(first), int(last or first)
    except ValueError:
        found = 1, 0
    if found[0] > found[1]:
        raise argparse.ArgumentTypeError(f"{text} is no range of seeds; write one like 0-9999")
    return found


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of processes")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make simulate", description=_ABOUT, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("--seed", type=int, metavar="N", help="tell this one history, with everything that happened in it")
    add("--seeds", type=_range, default=MILLION, metavar="A-B", help="which histories (default: 0-999999)")
    add("--workers", type=_count, default=os.cpu_count() or 1, metavar="N", help="processes (default: cores)")
    add("--state", default=str(STATE), metavar="FILE", help="where results are kept; none: nowhere")
    add("--again", action="store_true", help="play also what was played before")
    add("--json", action="store_true", help="the report as JSON on standard output")
    add("--digests", action="store_true", help="with a digest of each history in the report")
    return parser


if __name__ == "__main__":
    sys.exit(main())
