"""What every codec asks of a result before it writes it: does it answer the question, and what kind is it?

Standard library only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

from typing import Mapping, Tuple

from kvit.domain.messages import (
    EXPIRED,
    REFUSALS,
    BadAmount,
    Conflict,
    Denied,
    Found,
    Held,
    Malformed,
    NoSuchAccount,
    NoSuchTxn,
    Noted,
    Posted,
    Refused,
    Result,
    Statement,
    TryLater,
    Voided,
)

#: The good news that a kind of command may get. Any other is a fault of ours, and has to be asked again.
FITS: Mapping[str, Tuple[type, ...]] = {
    "Lookup": (Found,),
    "Hold": (Held, Posted, Voided),
    "Post": (Posted, Voided),
    "Void": (Voided,),
    "Status": (Posted, Voided),
    "ListPosted": (Statement,),
    "Note": (Noted,),
}

_GOOD_NEWS = (Found, Held, Posted, Voided, Statement, Noted)

_BAD_NEWS: Mapping[type, str] = {
    NoSuchAccount: "no-such-account",
    NoSuchTxn: "no-such-txn",
    Conflict: "conflict",
    Malformed: "malformed",
    Denied: "denied",
    TryLater: "try-later",
}


def fitting(kind: str, result: Result, *, two_phase: bool = False) -> Result:
    """``result``; "try later" for good news that does not answer this ``kind`` of command.

    Only where payments are held first (``two_phase``) can a payment that is held be a state of one.
    """
    if not isinstance(result, _GOOD_NEWS) or isinstance(result, FITS.get(kind, ())):
        return result
    if two_phase and kind == "Status" and isinstance(result, Held):
        return result
    return TryLater("an answer to another question")


def bad_news(result: Result) -> str:
    """The key of a "no" in a table of codes; empty for good news.

    ``no-such-account``, ``no-such-txn``, ``conflict``, ``malformed``, ``denied``, ``try-later``,
    ``too-small``, ``too-large``, or one of ``REFUSALS``. What we do not know ourselves is ``try-later``.
    """
    if isinstance(result, _GOOD_NEWS):
        return ""
    if isinstance(result, BadAmount):
        above = result.high_minor is not None and result.amount_minor > result.high_minor
        return "too-large" if above else "too-small"
    if isinstance(result, Refused):
        return result.reason if result.reason in REFUSALS else "try-later"
    return _BAD_NEWS.get(type(result), "try-later")


def has_expired(result: Result) -> bool:
    """Did a hold end by itself? Whoever takes a payment back may write the same word for why."""
    if not isinstance(result, Voided) or result.posted is not None or result.reason != EXPIRED:
        return False
    return result.held is None or result.held.expires_at == result.at
