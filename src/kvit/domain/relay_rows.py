"""Row types of the tables about relays, fields in the order of the columns."""

from __future__ import annotations

from typing import NamedTuple

#: What became of a row of a relay's inbox.
POSTED_ROW = "posted"
IN_SUSPENSE = "suspense"
REPEATED = "repeat"
HELD_ROW = "held"
RELEASED_ROW = "released"
QUARANTINED = "quarantine"
RESOLVED = "resolved"
ROW_STATES = (POSTED_ROW, IN_SUSPENSE, REPEATED, HELD_ROW, RELEASED_ROW, QUARANTINED, RESOLVED)

#: An epoch of a relay's inbox: fetched, waiting for a person's word, or over.
TRUSTED = "trusted"
WAITING = "waiting"
OVER = "over"

#: Who serves an agreement's door. Between the two nobody does.
AT_OFFICE = "office"
AT_RELAY = "relay"
TO_RELAY = "to-relay"
TO_OFFICE = "to-office"


class RelayRow(NamedTuple):
    """A public node that this office fetches from.

    ``relay_number`` stands in its receipts (0 to 255, unique in the installation). ``secrets``: its keys,
    sealed. ``office_id`` and ``generation``: the lease that this office holds there. ``host``: what the
    self-test saw, as JSON. ``clock_offset_us``: how far its clock is ahead of ours. ``queue_rows``: rows that
    waited at the last pull.
    """

    biller_id: str
    relay_id: str
    relay_number: int
    url: str
    secrets: bytes
    office_id: str
    generation: int
    host: str
    paired_at_us: int
    last_pull_at_us: int | None
    clock_offset_us: int | None
    queue_rows: int


class RelayEpochRow(NamedTuple):
    """One life of a relay's inbox, known by the random id that was made with its database.

    ``pulled_through``: the last sequence whose row is in the books, changed in the same transaction as they
    are. ``acked_through``: what the node was told of that; ``high_water``: the highest that it has told of.
    """

    biller_id: str
    relay_id: str
    epoch: str
    state: str
    pulled_through: int
    acked_through: int
    high_water: int
    seen_at_us: int


class RelayInboxRow(NamedTuple):
    """One row of a relay's inbox, and what became of it.

    ``content``: all of it as JSON, where it waits for a person. ``relayed_at_us``: by the node's clock.
    """

    biller_id: str
    relay_id: str
    epoch: str
    sequence: int
    kind: str
    agreement_id: str
    txn: str
    receipt: int
    number: str
    amount_minor: int
    currency: str
    relayed_at_us: int
    content: str
    taken_at_us: int
    state: str
    reason: str


class RelayDoorRow(NamedTuple):
    """Where an agreement's door is. An agreement without a row is served by the office.

    ``snapshot_version``: of the copy of the debts that the relay has (0: none); ``as_of_us`` its instant.
    """

    biller_id: str
    agreement_id: str
    relay_id: str
    state: str
    version: int
    snapshot_version: int
    as_of_us: int
    changed_at_us: int


class RelayToldRow(NamedTuple):
    """What a relay was told of an account last: a digest of it, so that only changes are sent."""

    biller_id: str
    relay_id: str
    agreement_id: str
    number: str
    told: str


class RelayAlarmRow(NamedTuple):
    """Something about a relay that a person should know; ``cleared_at_us`` null: it still holds."""

    biller_id: str
    relay_id: str
    alarm: str
    raised_at_us: int
    detail: str
    seen_at_us: int
    cleared_at_us: int | None
