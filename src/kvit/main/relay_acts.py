"""What a person does with relays: pairing, taking over, moving doors, and after a disaster."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from typing import Any

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.journal import digest_of
from kvit.domain.model import JournalRow
from kvit.domain.relay_rows import AT_OFFICE, AT_RELAY, TO_OFFICE, TO_RELAY, TRUSTED, RelayRow
from kvit.main.relays import Line, RelayRoom
from kvit.relay import receipts
from kvit.relay.office.alarms import Alarms
from kvit.relay.office.client import Node
from kvit.relay.office.doors import why_not
from kvit.storage.relays import RelayKeys

#: The key that a node which is not paired yet knows: the word in the file beside its data.
PAIRING = "pair"
#: The wait of the self-test, and how long a call beside it may take on a host that serves both.
_TRIAL_S = 3
_BESIDE_S = 1.0


@dataclass(frozen=True, slots=True)
class Pairing:
    """What pairing gave. ``status_key`` opens the node's page for its administrator."""

    row: RelayRow
    epoch: str
    is_trusted: bool
    status_key: str


def pair(room: RelayRoom, url: str, relay_id: str, code: str, *, with_trial: bool = True) -> Pairing:
    """Give a node this office's keys. One that this office had before keeps its number and key of receipts.

    Raises ``NodeUnreachable``, ``NodeNotTrusted``, ``NodeRefused`` (401: the code is wrong or used).
    """
    before = next((row for row in room.relays.all() if row.relay_id == relay_id), None)
    number = room.relays.next_number() if before is None else before.relay_number
    receipt_key = secrets.token_bytes(32) if before is None else room.keys(before).receipts
    key_id, key, status_key = "k" + secrets.token_hex(4), secrets.token_bytes(32), secrets.token_urlsafe(18)
    office_id = secrets.token_hex(8) if before is None else before.office_id
    body = {
        "relay": number, "key_id": key_id, "key": key.hex(), "receipt_key": receipt_key.hex(),
        "status_key": status_key, "office_id": office_id,
    }  # fmt: skip
    node = Node(url, {PAIRING: code.encode()}, 0, room.now_us, transport=room.transport)
    try:
        state = node.post("pair", body)
    finally:
        node.close()
    keys = RelayKeys({key_id: key}, receipt_key)
    row = RelayRow(
        room.biller.biller_id, relay_id, number, url.rstrip("/"), room.sealed(keys), office_id,
        int(state["generation"]), json.dumps(state.get("self_test", {})), room.now_us(), None,
        node.clock_offset_us, 0,
    )  # fmt: skip
    room.relays.save(row)
    place = room.relays.meet_epoch(relay_id, str(state["epoch"]), room.now_us())
    if with_trial:
        host = {**state.get("self_test", {}), **try_host(room, row)}
        row = row._replace(host=json.dumps(host))
        room.relays.save(row)
    return Pairing(row, place.epoch, place.state == TRUSTED, status_key)


def try_host(room: RelayRoom, row: RelayRow) -> dict[str, Any]:
    """Does the host serve others while one call waits? Else no call may wait, or a bank would."""
    waiting, beside = room.node(row), room.node(row)
    after = int(beside.get("state")["last_sequence"])
    poll = threading.Thread(target=_wait_there, args=(waiting, after), daemon=True)
    try:
        poll.start()
        time.sleep(0.3)
        began_s = time.monotonic()
        beside.get("state")
        beside_s = time.monotonic() - began_s
    finally:
        poll.join(_TRIAL_S + 60)
        waiting.close()
        beside.close()
    return {"long_polling": beside_s < _BESIDE_S, "beside_ms": int(beside_s * 1000)}


def _wait_there(node: Node, after: int) -> None:
    node.post("pull", {"after": after, "most": 1, "wait_s": _TRIAL_S}, _TRIAL_S)


def take_over(room: RelayRoom, relay_id: str) -> RelayRow:
    """Take the lease, whoever has it: from now on the other office is refused."""
    row = room.relays.find(relay_id)
    node = room.node(row)
    try:
        leased = node.post(
            "lease", {"office_id": row.office_id, "generation": row.generation + 1, "take_over": True}
        )
    finally:
        node.close()
    row = row._replace(generation=int(leased["generation"]))
    room.relays.save(row)
    return row


def fetch_all(room: RelayRoom, relay_id: str) -> int:
    """Fetch until nothing waits; how many rows came. Raises ``NotAllowed`` where that cannot be."""
    line, taken = room.line(relay_id), 0
    try:
        while True:
            done = line.puller.look()
            taken += done.taken
            if done.trouble:
                raise NotAllowed(f"what waits at the relay could not be fetched: {done.trouble}")
            if not done.waiting:
                return taken
    finally:
        line.close()


def move_to_relay(room: RelayRoom, agreement_id: str, relay_id: str, wait_s: float) -> None:
    """Close the office's door, wait until no server has it open, then open the relay's.

    Broken off in between, neither is open; run again, it goes on. ``wait_s``: how long servers may take to
    notice and to end what they are at. Raises ``NotFound``, ``NotAllowed``, and what a node raises.
    """
    row = room.relays.find(relay_id)
    agreement = room.agreements().get(agreement_id)
    if agreement is None:
        raise NotFound(f"there is no agreement {agreement_id}")
    reason = why_not(agreement)
    if reason:
        raise NotAllowed(f"a relay cannot serve {agreement_id}: {reason}; nothing was changed")
    door = next((one for one in room.relays.doors() if one.agreement_id == agreement_id), None)
    if door is not None and door.state in (AT_RELAY, TO_OFFICE) and door.relay_id != row.relay_id:
        raise NotAllowed(f"{agreement_id} is served by {door.relay_id}; move it to the office first")
    standing = room.relays.standing_holds(agreement_id, room.now_us())
    if standing:
        raise NotAllowed(f"{standing} payments are announced and not posted; try again when they are over")
    line = room.line(row.relay_id)
    try:
        line.node.get("state")  # a relay that cannot be reached gets no door
        if door is None or door.state in (AT_OFFICE, TO_RELAY):
            room.relays.set_door(agreement_id, row.relay_id, TO_RELAY, room.now_us())
            time.sleep(wait_s)
        room.send_doors(line, closed=[agreement_id])
        sent = line.copies.renew(agreement)
        if not sent.version:
            raise NotAllowed(f"the copy of the debts did not arrive ({sent.trouble}); run this again")
        room.relays.set_door(agreement_id, row.relay_id, AT_RELAY, room.now_us())
        room.send_doors(line)
    finally:
        line.close()


def move_to_office(room: RelayRoom, agreement_id: str) -> int:
    """Close the relay's door, fetch what it has, then open the office's; how many rows came."""
    door = next((one for one in room.relays.doors() if one.agreement_id == agreement_id), None)
    if door is None or door.state == AT_OFFICE:
        return 0
    room.relays.set_door(agreement_id, door.relay_id, TO_OFFICE, room.now_us())
    line = room.line(door.relay_id)
    try:
        room.send_doors(line)
    finally:
        line.close()
    taken = fetch_all(room, door.relay_id)
    room.relays.set_door(agreement_id, door.relay_id, AT_OFFICE, room.now_us())
    return taken


def accept_epoch(room: RelayRoom, relay_id: str) -> str:
    """From now on the node's present inbox is the one that is fetched, from its first row.

    The copies that it has are unknown, and go anew. Raises ``NotAllowed`` where there is nothing to accept.
    """
    line = room.line(relay_id)
    try:
        epoch = str(line.node.get("state")["epoch"])
        place = room.relays.meet_epoch(line.row.relay_id, epoch, room.now_us())
        if place.state == TRUSTED:
            raise NotAllowed("the relay's inbox is the one that is fetched already; nothing was changed")
        room.relays.trust(line.row.relay_id, epoch)
        _restock(room, line)
    finally:
        line.close()
    return epoch


def _restock(room: RelayRoom, line: Line) -> None:
    """A node with an empty disk gets its agreements and copies again."""
    line.alarms.clear("epoch")
    line.alarms.clear("key")
    room.send_doors(line)
    known = room.agreements()
    for agreement_id in room.served_by(line.row.relay_id):
        room.relays.note_copy(agreement_id, 0, 0)
        line.copies.renew(known[agreement_id])


@dataclass(frozen=True, slots=True)
class FoundReceipt:
    """A receipt of a bank's register: did this relay give it, in which epoch, and is it in the books?"""

    receipt: int
    genuine: bool
    epoch: str
    sequence: int
    is_booked: bool


def verify_receipts(room: RelayRoom, relay_id: str, given: list[int]) -> list[FoundReceipt]:
    """Which of these receipts the relay has given, in any of its lives, and which are missing here."""
    row = room.relays.find(relay_id)
    key, epochs = room.keys(row).receipts, [one.epoch for one in room.relays.epochs(row.relay_id)]
    found, booked = [], room.relays.booked_receipts(given)
    for receipt in given:
        parts = receipts.split(receipt)
        epoch = next((one for one in epochs if receipts.is_genuine(receipt, one, key)), "")
        is_ours = parts is not None and parts.relay == row.relay_number and bool(epoch)
        sequence = parts.sequence if parts else 0
        found.append(FoundReceipt(receipt, is_ours, epoch, sequence, receipt in booked))
    return found


def resolve(room: RelayRoom, relay_id: str, sequence: int, reason: str, author: str) -> int:
    """Say what was done about a row in quarantine; how many are left. Raises ``NotAllowed``, ``NotFound``."""
    if not reason.strip():
        raise NotAllowed("say with --reason what was done about it; nothing was changed")
    row, now_us, biller_id = room.relays.find(relay_id), room.now_us(), room.biller.biller_id
    subject = f"{row.relay_id}/{sequence}"

    def record(journal_id: int) -> JournalRow:
        digest = digest_of("relay-row", biller_id, subject)
        return JournalRow(biller_id, journal_id, now_us, author, "relay.resolved", subject, digest, reason)

    left = room.relays.resolve(row.relay_id, sequence, reason.strip(), record)
    if not left:
        Alarms(room.relays, row.relay_id, room.now_us).clear("quarantine")
    return left
