"""What an agreement says about a relay that may serve its door. Data only."""

from __future__ import annotations

from dataclasses import dataclass

#: Ids from here up are receipts that a relay has given; the books' own series never comes so far.
RELAY_RECEIPTS_FROM = 1 << 62

#: What a relay does once its copy of the debts is too old.
DATED = "dated"
REFUSE = "refuse"
ANY = "any"


@dataclass(frozen=True, slots=True)
class RelayTerms:
    """Bounds of what a relay may take by itself, in minor units; ``None``: no bound.

    ``payment_max_minor`` of one payment, ``account_day_max_minor`` of one client in a day (of UTC),
    ``day_max_minor`` of the whole door in a day. A copy of the debts older than ``hours_max`` is too old
    (0: never); then ``policy`` holds: answer from it all the same, say "try later", or take any sum.
    """

    payment_max_minor: int | None = None
    account_day_max_minor: int | None = None
    day_max_minor: int | None = None
    hours_max: int = 72
    policy: str = REFUSE


#: An agreement that says nothing about relays.
NO_RELAY = RelayTerms()
