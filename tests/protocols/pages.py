"""What a protocol's page says that the code knows: ``python -m tests.protocols.pages [--write] [name ...]``.

A page keeps such text between ``<!-- from the code: facts -->`` (or ``switches``) and ``<!-- end -->``;
``--write`` puts in what is true now, without it the pages that are out of date are named.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from kvit.protocols.base import Protocol, Switch
from kvit.protocols.registry import PROTOCOLS

PAGES = Path(__file__).parents[2] / "docs" / "protocols"
_BLOCK = re.compile(r"(<!-- from the code: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_LOCKS = {
    "basic": "login and password (HTTP Basic, or as the protocol carries them)",
    "secret": "a secret word that both sides sign with",
    "key": "the network's signature (RSA)",
}


def facts(protocol: Protocol) -> str:
    """Grade, confidence, locks, sources, and what stayed open."""
    locks = "; ".join(_LOCKS[lock] for lock in protocol.locks) or "the networks (addresses) alone"
    lines = [
        f"* Grade: **{protocol.grade}**. Confidence of the facts: **{protocol.facts.confidence}**.",
        f"* Who may use the door: {locks}.",
        f"* Commands: {', '.join(sorted(protocol.commands))}.",
        "* Sources: " + "; ".join(protocol.facts.sources) + ".",
        *(f"* Unconfirmed: {open_point}." for open_point in protocol.facts.unconfirmed),
    ]
    return "\n".join(lines) + "\n"


def switches(protocol: Protocol) -> str:
    """The table of the dialect's switches."""
    lines = ["| Switch | Default | May be | What it does |", "|---|---|---|---|"]
    for name, switch in protocol.dialect.items():
        default = f"`{switch.default}`" if switch.default else "empty"
        lines.append(f"| `{name}` | {default} | {_allowed(switch)} | {switch.about} |")
    return "\n".join(lines) + "\n"


def listed() -> str:
    """The table of all protocols, by name."""
    lines = [
        "| Protocol | Name in agreements | Grade | Confidence | Payments | Who may use the door |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in sorted(PROTOCOLS.items()):
        phases = "held, then posted" if one.two_phase else "posted at once"
        locks = ", ".join(one.locks) or "networks alone"
        title = f"[{one.title}]({name}.md)"
        lines.append(f"| {title} | `{name}` | {one.grade} | {one.facts.confidence} | {phases} | {locks} |")
    return "\n".join(lines) + "\n"


def _allowed(switch: Switch) -> str:
    if switch.choices:
        return ", ".join(f"`{choice}`" for choice in switch.choices)
    return "a regular expression" if switch.is_pattern else f"`{switch.pattern}`".replace("|", "\\|")


def filled(page: str, protocol: Protocol | None = None) -> str:
    """``page`` with every block as the code has it; without a protocol it is the page of all of them."""
    texts = {"list": listed()}
    if protocol is not None:
        texts |= {"facts": facts(protocol), "switches": switches(protocol)}
    return _BLOCK.sub(lambda block: block[1] + texts[block[2]] + block[3], page)


def main(arguments: list[str]) -> int:
    """Check the pages named, or all; with ``--write`` bring them up to date."""
    stale = []
    for name in [one for one in arguments if one != "--write"] or ["README", *sorted(PROTOCOLS)]:
        path = PAGES / f"{name}.md"
        page = path.read_text(encoding="utf-8")
        wanted = filled(page, PROTOCOLS.get(name))
        if page != wanted:
            stale.append(name)
            if "--write" in arguments:
                path.write_text(wanted, encoding="utf-8")
    told = "written" if "--write" in arguments else "out of date"
    sys.stdout.write(f"{', '.join(stale) or 'none'} {told}\n")
    return 1 if stale and "--write" not in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
