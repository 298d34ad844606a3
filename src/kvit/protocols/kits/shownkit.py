"""What a payer's screen shows after a look-up, for networks that agree on named texts.

The switch ``show`` lists ``what:its name``: what is ``account``, ``name``, ``debt``, ``advance``, or
``balance`` (the advance less the debt). Standard library only, Python 3.9 syntax: protocols also run on cheap
hosting.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Dict, Mapping, Tuple

from kvit.domain.messages import Found
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Switch

_ITEM = "(account|name|debt|advance|balance):[A-Za-z0-9_]{1,32}"


def switch(default: str, where: str) -> Switch:
    """``show``, with what is shown unless the agreement says otherwise; ``where`` names the place."""
    about = "`what:its name`, what = account, name, debt, advance or balance; or `none`"
    return Switch(default, pattern=f"none|{_ITEM}(,{_ITEM}){{0,4}}", about=f"what {where} shows: {about}")


def texts(found: Found, show: str, exponent: int) -> Dict[str, str]:
    """Name -> text, in the order of ``show``. What has no text (a hidden name) is left out."""
    known = {
        "account": found.number, "name": found.display_name,
        "debt": format_amount(found.due_minor, exponent),
        "advance": format_amount(found.advance_minor, exponent),
        "balance": format_amount(found.advance_minor - found.due_minor, exponent),
    }  # fmt: skip
    return {name: known[what] for what, name in items(show) if known[what]}


def due_minor(shown: Mapping[str, str], show: str, exponent: int) -> int:
    """The agent's side: what is owed, by the debt or else by a balance below zero; -1 where neither says."""
    names = dict(items(show))
    for what in ("debt", "balance"):
        text = shown.get(names.get(what, ""), "")
        sum_minor = parse_amount(text[1:] if what == "balance" and text[:1] == "-" else text, exponent)
        if sum_minor is not None:
            return sum_minor if what == "debt" or text[:1] == "-" else 0
    return -1


@lru_cache(maxsize=256)
def items(show: str) -> Tuple[Tuple[str, str], ...]:
    """``show`` in pairs: what, and its name."""
    parts = (item.partition(":") for item in show.split(","))
    return tuple((what, name) for what, _, name in parts if name)
