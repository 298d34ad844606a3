"""What may be wrong with a relay: the names of alarms, and raising and clearing them."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kvit.relay.office.ports import Relays

_log = logging.getLogger("kvit.relay")

#: The alarms: name -> what it means and what to do.
ALARMS = {
    "epoch": "its inbox is a new one: the disk was lost. Fetching has stopped; run `kvit relay recover`.",
    "key": "it does not know this office's key: its disk was lost, or another office was paired with it.",
    "back": "its inbox has become shorter: the disk was restored from an older copy. Fetching has stopped.",
    "gap": "the relay's rows have a gap. What follows it is not booked.",
    "answer": "an answer was not signed by the relay. It was not believed.",
    "generation": "another office fetches from this relay with a later lease. This one has stopped.",
    "behind": "the relay was told of more rows than these books have: they are an older copy of the office.",
    "clock": "the relay's clock is wrong. Days of payments without a time of the network may be wrong too.",
    "silent": "the relay has not been reached for long. Payments wait there.",
    "queue": "many rows wait at the relay.",
    "quarantine": "rows of the relay could not be booked as they say and wait for a person.",
    "receipt": "a payment is booked under another receipt than the relay has told its bank.",
    "copy": "the copy of the debts at the relay could not be renewed.",
}
#: Fetching stops while one of these holds.
STOPPING = ("epoch", "key", "back", "generation", "behind")


class Alarms:
    """One relay's alarms: rows in the books, and a line in the log when one begins or ends."""

    def __init__(self, relays: Relays, relay_id: str, now_us: Callable[[], int]) -> None:
        self._relays, self._relay_id, self._now_us = relays, relay_id, now_us

    def sound(self, alarm: str, detail: str) -> None:
        assert alarm in ALARMS, alarm
        if self._relays.raise_alarm(self._relay_id, alarm, detail, self._now_us()):
            _log.error("relay %s: %s: %s (%s)", self._relay_id, alarm, ALARMS[alarm], detail)

    def clear(self, alarm: str) -> None:
        assert alarm in ALARMS, alarm
        if self._relays.clear_alarm(self._relay_id, alarm, self._now_us()):
            _log.info("relay %s: %s is over", self._relay_id, alarm)

    def set(self, alarm: str, detail: str) -> None:
        """Sounds while there is a detail, is over without one."""
        if detail:
            self.sound(alarm, detail)
        else:
            self.clear(alarm)
