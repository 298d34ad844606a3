"""Which agreement a command is about."""

from __future__ import annotations

from kvit.domain import days
from kvit.domain.errors import NotFound
from kvit.domain.model import Agreement, Biller
from kvit.main import House, load_agreements


def agreements_of(opened: House, owner: Biller) -> list[Agreement]:
    """The biller's agreements, by id."""
    return [one for one in load_agreements(opened) if one.biller_id == owner.biller_id]


def choose_agreement(opened: House, owner: Biller, agreement_id: str) -> Agreement:
    """The one named, or the only one. Raises ``NotFound`` saying which there are."""
    known = agreements_of(opened, owner)
    if not agreement_id and len(known) == 1:
        return known[0]
    for one in known:
        if one.agreement_id == agreement_id:
            return one
    names = ", ".join(one.agreement_id for one in known) or "none"
    what = f"there is no agreement {agreement_id}" if agreement_id else "add --agreement"
    raise NotFound(f"{what}; known: {names}")


def today_of(opened: House, owner: Biller) -> str:
    """The day it is for the biller, in ISO."""
    return days.from_us(days.to_us(opened.clock.now()), owner.timezone).date().isoformat()
