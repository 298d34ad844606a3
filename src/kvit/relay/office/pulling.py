"""Fetching: rows by cursor into the books, then the acknowledgement; what is strange stops it and is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kvit.domain.errors import DatabaseUnavailable
from kvit.domain.relay_rows import QUARANTINED, REPEATED, TRUSTED, RelayEpochRow
from kvit.relay.office.alarms import Alarms
from kvit.relay.office.client import Node, NodeNotTrusted, NodeRefused, NodeUnreachable
from kvit.relay.office.ports import Relays
from kvit.services.relaying.taking import SLICE_ROWS, Taking
from kvit.services.relaying.words import Envelope, read_row

#: A relay whose clock is further off than this may date payments wrongly.
CLOCK_US_MAX = 120 * 1_000_000
#: More waiting rows than this are worth a look.
QUEUE_ROWS_MAX = 1_000
#: Rows asked for at a time.
PULL_ROWS = SLICE_ROWS

#: Epoch, rows that follow -> what became of them.
Take = Callable[[str, Sequence[Envelope]], Taking]


@dataclass(slots=True)
class Round:
    """One look at a relay. ``trouble``: why it ended early, empty when it did not."""

    taken: int = 0
    waiting: int = 0
    trouble: str = ""
    states: dict[str, int] = field(default_factory=dict)

    @property
    def is_well(self) -> bool:
        return not self.trouble


class Puller:
    """Fetches from one relay; one at a time in the whole installation (the caller sees to it)."""

    def __init__(
        self, relay_id: str, node: Node, relays: Relays, take: Take, alarms: Alarms, now_us: Callable[[], int]
    ) -> None:
        self._relay_id, self._node, self._relays = relay_id, node, relays
        self._take, self._alarms, self._now_us = take, alarms, now_us
        self._is_known = False

    def look(self, wait_s: int = 0) -> Round:
        """Fetch what is there, at most ``PULL_ROWS``. Raises ``DatabaseUnavailable``."""
        done = Round()
        try:
            self._look(done, wait_s)
        except NodeUnreachable as error:
            done.trouble = str(error)
        except NodeNotTrusted as error:
            done.trouble = str(error)
            self._alarms.sound("answer", str(error))
        except NodeRefused as error:
            done.trouble = str(error)
            self._refused(error)
        if done.trouble:
            self._is_known = False
        return done

    def _look(self, done: Round, wait_s: int) -> None:
        if not self._is_known:
            done.trouble = self._get_acquainted()
            if done.trouble:
                return
        place = self._relays.epoch(self._relay_id)
        assert place is not None, "acquainted, so there is an epoch"
        after = place.pulled_through
        asked = {"after": after, "most": PULL_ROWS, "wait_s": wait_s}
        answer = self._node.post("pull", asked, wait_s)
        high_water = _whole(answer, "high_water")
        done.trouble = self._strange(place, answer, high_water)
        if done.trouble:
            return
        self._relays.note_epoch(self._relay_id, place.epoch, high_water=high_water)
        rows = [row for row in map(read_row, _objects(answer, "rows")) if row is not None]
        taking = self._take(place.epoch, rows) if rows else Taking(after)
        self._judge(done, taking, high_water)
        self._acknowledge(place, taking.through)
        done.waiting = high_water - taking.through
        self._relays.note_pull(self._relay_id, self._now_us(), self._node.clock_offset_us, done.waiting)
        self._well(done, high_water)

    def _get_acquainted(self) -> str:
        """Before the first row: is it the inbox that we know, and are we the office that it knows?"""
        state = self._node.get("state")
        epoch, last, acked = (
            str(state.get("epoch", "")),
            _whole(state, "last_sequence"),
            _whole(state, "acked"),
        )
        place = self._relays.meet_epoch(self._relay_id, epoch, self._now_us())
        if place.state != TRUSTED:
            detail = f"the inbox {epoch} is not the one that is fetched from"
            self._alarms.sound("epoch", detail)
            return detail
        if last < max(place.pulled_through, place.high_water):
            detail = f"it ends at row {last}, and had {max(place.pulled_through, place.high_water)} before"
            self._alarms.sound("back", detail)
            return detail
        if acked > place.pulled_through:
            detail = f"{acked} rows were acknowledged to it, and these books have {place.pulled_through}"
            self._alarms.sound("behind", detail)
            return detail
        for alarm in ("epoch", "key", "back", "behind", "generation"):
            self._alarms.clear(alarm)
        self._is_known = True
        return ""

    def _strange(self, place: RelayEpochRow, answer: dict[str, Any], high_water: int) -> str:
        if answer.get("epoch") != place.epoch:
            self._relays.meet_epoch(self._relay_id, str(answer.get("epoch", "")), self._now_us())
            self._alarms.sound("epoch", f"the inbox is {answer.get('epoch')} now")
            return "the inbox is another one"
        if high_water < max(place.pulled_through, place.high_water):
            self._alarms.sound("back", f"it ends at row {high_water}, and had {place.high_water} before")
            return "the inbox has become shorter"
        forgotten = _whole(answer, "forgotten_through")
        if forgotten > place.pulled_through:
            self._alarms.sound("gap", f"rows through {forgotten} are forgotten there and not in these books")
            return "rows are missing that the relay has forgotten"
        return ""

    def _judge(self, done: Round, taking: Taking, high_water: int) -> None:
        done.taken, done.states = len(taking.verdicts), taking.states()
        waiting = [one for one in taking.verdicts if one.state == QUARANTINED]
        if waiting:
            first = waiting[0]
            self._alarms.sound("quarantine", f"row {first.row.sequence}: {first.reason}")
        other = [one for one in taking.verdicts if one.state == REPEATED and one.reason]
        if other:
            self._alarms.sound("receipt", f"row {other[0].row.sequence}: {other[0].reason}")
        if taking.is_stopped:
            done.trouble = "the inbox is not trusted any more"
        elif taking.gap_after:
            done.trouble = f"row {taking.gap_after + 1} is missing"
            self._alarms.sound("gap", done.trouble)
        elif not taking.verdicts and high_water > taking.through:
            done.trouble = f"row {taking.through + 1} is there and was not sent"
            self._alarms.sound("gap", done.trouble)
        else:
            self._alarms.clear("gap")

    def _acknowledge(self, place: RelayEpochRow, through: int) -> None:
        """After the commit. One that is lost is made up for by the next."""
        if through <= place.acked_through:
            return
        acked = _whole(self._node.post("ack", {"through": through}), "acked")
        self._relays.note_epoch(self._relay_id, place.epoch, acked_through=min(acked, through))

    def _well(self, done: Round, high_water: int) -> None:
        offset_us = self._node.clock_offset_us
        off = f"it is {offset_us // 1_000_000} s off" if abs(offset_us) > CLOCK_US_MAX else ""
        self._alarms.set("clock", off)
        waiting = done.waiting
        self._alarms.set("queue", f"{waiting} of {high_water} rows" if waiting > QUEUE_ROWS_MAX else "")
        self._alarms.clear("answer")
        self._alarms.clear("silent")

    def _refused(self, error: NodeRefused) -> None:
        if error.status == 401:
            self._alarms.sound("key", f"it answered {error.error or error.status}")
        elif error.status == 409 and error.error in ("generation", "lease"):
            ours = self._node.generation
            self._alarms.sound("generation", f"ours is {ours}, the relay's {error.facts.get('generation')}")


def _whole(facts: dict[str, Any], name: str) -> int:
    """A count of a signed answer; a node that sends something else is no node of ours."""
    value = facts.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise NodeNotTrusted(f"the relay's answer has no {name}")
    return value


def _objects(facts: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = facts.get(name)
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise NodeNotTrusted(f"the relay's answer has no {name}")
    return values


__all__ = ["DatabaseUnavailable", "Puller", "Round", "Take"]
