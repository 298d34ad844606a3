"""What a terminal's screen can show of an answer: whose account it is, and what is owed.

A network agrees with the biller which field of the answer holds what. A protocol's ``read`` may say so
itself, with the field names ``name`` and ``debt``; else the agreement's dialect switch ``show`` does
(``name:disp1,debt:disp2``: field1 is the name and is called disp1, field2 the debt and called disp2). What is
owed may also be named by the answer itself (``Heard.amount_minor``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kvit.domain.money import parse_amount
from kvit.protocols.base import Heard, Protocol, Terms

_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)

#: What networks call a client's name, where it is not agreed what they do.
_NAMES = ("full_name", "fio", "FIO", "ФИО")


def shown_name(heard: Heard, protocol: Protocol, terms: Terms) -> str:
    """The client's (masked) name, empty where the biller shows none."""
    meanings = _meanings(heard, protocol, terms)
    return next((meanings[word] for word in ("name", *_NAMES) if word in meanings), "")


def shown_due_minor(heard: Heard, protocol: Protocol, terms: Terms) -> int | None:
    """What is owed, in minor units; ``None`` where the biller shows no debt."""
    numbers = _DECIMAL.findall(_meanings(heard, protocol, terms).get("debt", ""))
    if numbers:
        return parse_amount(numbers[-1], terms.exponent)
    return heard.amount_minor if heard.step == "done" and heard.amount_minor >= 0 else None


def is_exact(heard: Heard) -> bool:
    """Does the answer say that nothing but what is owed can be paid? A field called ``exact`` does."""
    return dict(heard.shown).get("exact", "").lower() in ("yes", "true", "1", "on")


def _meanings(heard: Heard, protocol: Protocol, terms: Terms) -> Mapping[str, str]:
    shown = dict(heard.shown)
    switch = protocol.dialect.get("show")
    agreed = terms.dialect.get("show", switch.default if switch else "")
    for position, item in enumerate(agreed.split(","), 1):
        what, _, rest = item.partition(":")
        field = rest.partition(":")[0] or f"field{position}"
        if field in shown:
            shown.setdefault(what, shown[field])
        elif not rest and len(heard.shown) == 1:
            # All that is agreed stands in one text: the name first, the debt last.
            shown.setdefault(what, heard.shown[0][1].partition(";" if what == "name" else "\0")[0])
    return shown
