"""The relay's copy of the debts: whole once, then what has changed; numbers, masked names and sums alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from kvit.domain.masking import display_name
from kvit.domain.model import Agreement
from kvit.relay.office.alarms import Alarms
from kvit.relay.office.client import Node, NodeNotTrusted, NodeRefused, NodeUnreachable
from kvit.relay.office.ports import Copy, Relays

#: Accounts in one call: some hundred kilobytes.
PART_ROWS = 5_000
#: From this part of all accounts on, the whole copy is sent and not the changes.
WHOLE_FROM = 3

Row = list[str | int]


class Sent(NamedTuple):
    """What was sent. ``rows``: accounts in it; ``version`` 0: nothing was."""

    version: int
    rows: int
    is_whole: bool
    trouble: str = ""


class _Told(NamedTuple):
    row: Row
    digest: str
    before: str | None


class Copies:
    """Keeps one relay's copies. One at a time in the whole installation (the caller sees to it)."""

    def __init__(
        self, relay_id: str, node: Node, relays: Relays, alarms: Alarms, now_us: Callable[[], int]
    ) -> None:
        self._relay_id, self._node, self._relays = relay_id, node, relays
        self._alarms, self._now_us = alarms, now_us

    def renew(self, agreement: Agreement) -> Sent:
        """Send what the relay does not have yet, under a new date. Raises ``DatabaseUnavailable``."""
        agreement_id = agreement.agreement_id
        known = next((one for one in self._relays.doors() if one.agreement_id == agreement_id), None)
        version = known.snapshot_version if known is not None and known.relay_id == self._relay_id else 0
        try:
            try:
                sent = self._send(agreement, version, version + 1)
            except NodeRefused as refused:
                if refused.status != 409 or refused.error != "snapshot":
                    raise
                there = self._node.get("state").get("snapshots", {}).get(agreement_id, {}).get("version", 0)
                sent = self._send(agreement, 0, max(int(there), version) + 1)
        except (NodeUnreachable, NodeNotTrusted, NodeRefused, ValueError, TypeError) as error:
            if not isinstance(error, NodeUnreachable):
                self._alarms.sound("copy", f"{agreement_id}: {error}")
            return Sent(0, 0, False, str(error))
        self._alarms.clear("copy")
        return sent

    def _send(self, agreement: Agreement, base: int, version: int) -> Sent:
        epoch = self._relays.epoch(self._relay_id)
        assert epoch is not None, "a relay without an inbox has no door"
        agreement_id, as_of_us = agreement.agreement_id, self._now_us()
        with self._relays.copy(self._relay_id, agreement_id) as copy:
            changed, gone, count = _changes(copy, agreement, base)
            is_whole = not base or (len(changed) + len(gone)) * WHOLE_FROM > count
            head = self._head(agreement, 0 if is_whole else base, version, as_of_us)
            head["includes_through"] = copy.pulled_through(epoch.epoch)
            told = _all(copy, agreement) if is_whole else iter(changed)
            noted: list[tuple[str, str]] = []
            parts = 0
            while rows := list(islice(told, PART_ROWS)):
                parts += 1
                accounts = [one.row for one in rows]
                self._node.post("snapshot", {**head, "part": parts, "accounts": accounts})
                noted += [(str(one.row[0]), one.digest) for one in rows]
            if not is_whole or not parts:
                parts += 1
                removed = [] if is_whole else gone
                self._node.post("snapshot", {**head, "part": parts, "accounts": [], "removed": removed})
        self._node.post("snapshot/commit", {"agreement": agreement_id, "version": version, "parts": parts})
        self._relays.note_told(self._relay_id, agreement_id, noted, gone, anew=is_whole)
        self._relays.note_copy(agreement_id, version, as_of_us)
        return Sent(version, len(noted), is_whole)

    def _head(self, agreement: Agreement, base: int, version: int, as_of_us: int) -> dict[str, Any]:
        terms = agreement.relay
        caps = {
            "payment": terms.payment_max_minor,
            "account_day": terms.account_day_max_minor,
            "day": terms.day_max_minor,
        }
        return {
            "agreement": agreement.agreement_id,
            "version": version,
            "base_version": base,
            "as_of_us": as_of_us,
            "expires_at_us": as_of_us + terms.hours_max * 3_600_000_000 if terms.hours_max else 0,
            "policy": terms.policy,
            "caps": {name: cap for name, cap in caps.items() if cap is not None},
            "closing": [],
        }


def _changes(copy: Copy, agreement: Agreement, base: int) -> tuple[list[_Told], list[str], int]:
    """What differs from what was told, what is gone, and how many accounts there are."""
    if not base:
        return [], [], 0
    changed, count = [], 0
    for count, one in enumerate(_all(copy, agreement), start=1):  # noqa: B007 - the last count is wanted
        if one.digest != one.before:
            changed.append(one)
    return changed, copy.gone(), count


def _all(copy: Copy, agreement: Agreement) -> Iterator[_Told]:
    """Every account as the relay may know it: a full name never leaves the office."""
    show = "none" if agreement.show_name == "none" else "masked"
    for number, name, balance_minor, status, before in copy.accounts():
        row: Row = [number, display_name(name, show), balance_minor, status]
        yield _Told(row, _digest(row), before)


def _digest(row: Iterable[str | int]) -> str:
    return hashlib.sha256("\n".join(map(str, row)).encode()).hexdigest()[:16]
