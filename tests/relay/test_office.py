"""The office and a real node: pairing, fetching, copies, doors, and what is strange."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.relay_terms import RELAY_RECEIPTS_FROM
from kvit.main.relay_acts import (
    accept_epoch,
    fetch_all,
    move_to_office,
    pair,
    resolve,
    take_over,
    verify_receipts,
)
from kvit.main.relays import send_copies
from kvit.relay.office.client import NodeRefused
from kvit.relay.office.pulling import Round
from kvit.storage.relay_doors import doors_away
from tests.relay.hosting import Affiliate, affiliate_at

Way = Callable[[httpx2.Request], httpx2.Response]


@pytest.fixture
def office(books_url: str, tmp_path: Path) -> Iterator[Affiliate]:
    with affiliate_at(books_url, tmp_path) as affiliate:
        yield affiliate


def look(office: Affiliate) -> Round:
    line = office.room.line("main")
    try:
        return line.puller.look()
    finally:
        line.close()


def alarms(office: Affiliate) -> list[str]:
    return sorted(one.alarm for one in office.room.relays.alarms("main"))


def test_a_payment_at_the_relay_arrives_in_the_books(office: Affiliate) -> None:
    assert office.host.due("1001") == 50_000
    assert office.host.pay("77", "1001", 20_000, times=2)
    assert office.host.due("1001") == 30_000
    assert (look(office).states, look(office).taken) == ({"posted": 1}, 0)
    assert office.bureau.due("1001") == 30_000
    send_copies(office.room, "main", ["kassa"])
    assert office.host.due("1001") == 30_000, "what the copy contains is not taken off twice"
    (status,) = office.room.status()
    assert (status["pulled_through"], status["acked_through"], status["alarms"]) == (1, 1, [])


def test_a_copy_is_sent_whole_once_and_then_what_has_changed(office: Affiliate) -> None:
    office.bureau.clients("2001", "2002", "2003", "2004")
    office.bureau.charge("2001", 700)
    (sent,) = send_copies(office.room, "main", ["kassa"])
    assert (sent.is_whole, sent.rows) == (True, 7)
    office.bureau.charge("2002", 900)
    (sent,) = send_copies(office.room, "main", ["kassa"])
    assert (sent.is_whole, sent.rows) == (False, 1)
    assert (office.host.due("2001"), office.host.due("2002")) == (700, 900)
    assert send_copies(office.room, "main", ["kassa"])[0].rows == 0
    office.room.relays.note_copy("kassa", 0, 0)
    (sent,) = send_copies(office.room, "main", ["kassa"])
    assert sent.is_whole, "what is there is not known any more"
    assert office.host.due("2002") == 900


def test_full_names_stay_in_the_office(office: Affiliate) -> None:
    everything = b"".join(path.read_bytes() for path in office.host.folder.iterdir())
    assert "Клиент".encode() not in everything
    assert "К***".encode() in everything


def test_an_answer_that_was_altered_is_not_believed(office: Affiliate) -> None:
    assert office.host.pay("77", "1001", 20_000)

    def altered(request: httpx2.Request, way: Way) -> httpx2.Response:
        answer = way(request)
        body = answer.content.replace(b"20000", b"90000")
        return httpx2.Response(answer.status_code, headers=dict(answer.headers), content=body)

    office.host.line = altered
    assert "not signed" in look(office).trouble
    assert alarms(office) == ["answer"]
    office.host.line = None
    assert look(office).states == {"posted": 1}
    assert alarms(office) == []


def test_a_wiped_node_stops_the_office_until_a_person_says_so(office: Affiliate) -> None:
    assert office.host.pay("77", "1001", 100)
    look(office)
    assert office.host.pay("78", "1001", 200)
    office.wiped()
    assert "401" in look(office).trouble
    assert alarms(office) == ["key"]
    paired = pair(office.room, "https://relay.example", "main", office.host.code, with_trial=False)
    assert not paired.is_trusted
    assert look(office).trouble
    assert "epoch" in alarms(office)
    assert accept_epoch(office.room, "main") == paired.epoch
    assert office.host.pay("78", "1001", 200), "the bank asks again: it is taken, once"
    assert office.host.pay("77", "1001", 100), "and this one is known in the office"
    assert look(office).states == {"posted": 1, "repeat": 1}
    assert alarms(office) == ["receipt"]
    assert office.room.status()[0]["quarantined"] == []
    assert office.bureau.due("1001") == 50_000 - 300


def test_a_node_restored_from_an_older_copy_stops_the_office(office: Affiliate) -> None:
    file = office.host.folder / "relay.sqlite"
    before = file.read_bytes()
    assert office.host.pay("77", "1001", 100)
    look(office)
    file.write_bytes(before)
    assert "ends at row 0" in look(office).trouble
    assert alarms(office) == ["back"]


def test_an_office_restored_from_an_older_copy_stops_itself(office: Affiliate) -> None:
    assert office.host.pay("77", "1001", 100)
    line = office.room.line("main")
    line.node.post("ack", {"through": 1})
    line.close()
    assert "acknowledged" in look(office).trouble
    assert alarms(office) == ["behind"]
    assert office.bureau.due("1001") == 50_000


def test_a_second_office_is_refused_until_it_takes_over(office: Affiliate) -> None:
    row = office.room.relays.find("main")
    take_over(office.room, "main")
    ours = office.room.relays.find("main")
    office.room.relays.save(row)
    assert office.host.pay("77", "1001", 100)
    assert "generation" in look(office).trouble
    assert alarms(office) == ["generation"]
    office.room.relays.save(ours)
    assert look(office).states == {"posted": 1}
    assert alarms(office) == []


@pytest.mark.parametrize("off_s", [-3_600, 400, 86_400])
def test_a_relay_whose_clock_is_wrong_is_spoken_to_by_its_clock(office: Affiliate, off_s: int) -> None:
    office.host.clock_off_us = off_s * 1_000_000
    assert office.host.pay("77", "1001", 100)
    assert look(office).states == {"posted": 1}
    assert alarms(office) == ["clock"]
    office.host.clock_off_us = 0
    look(office)
    assert alarms(office) == []


def test_a_door_goes_back_to_the_office_when_its_inbox_is_empty(office: Affiliate) -> None:
    assert office.host.pay("77", "1001", 100)
    with office.bureau.database.read() as connection:
        assert doors_away(connection) == {"kassa": "relay"}
    assert move_to_office(office.room, "kassa") == 1
    assert office.bureau.due("1001") == 49_900
    assert not office.host.pay("78", "1001", 100), "the relay takes nothing new"
    assert office.host.pay("77", "1001", 100), "and confirms what it took"
    with office.bureau.database.read() as connection:
        assert doors_away(connection) == {}


def test_a_door_that_could_not_be_closed_there_stays_closed_here(office: Affiliate) -> None:
    def away(_request: httpx2.Request, _way: Way) -> httpx2.Response:
        raise httpx2.ConnectError("away")

    office.host.line = away
    with pytest.raises(Exception, match="could not be reached"):
        move_to_office(office.room, "kassa")
    with office.bureau.database.read() as connection:
        assert doors_away(connection) == {"kassa": "to-office"}
    office.host.line = None
    assert move_to_office(office.room, "kassa") == 0
    with office.bureau.database.read() as connection:
        assert doors_away(connection) == {}


def test_a_wrong_pairing_code_is_refused(office: Affiliate) -> None:
    with pytest.raises(NodeRefused, match="401"):
        pair(office.room, "https://relay.example", "other", "0" * 24)
    assert [row.relay_id for row in office.room.relays.all()] == ["main"]


def test_receipts_of_a_lost_disk_are_verified(office: Affiliate) -> None:
    assert office.host.pay("77", "1001", 100)
    look(office)
    assert office.host.pay("78", "1001", 200)
    import sqlite3

    with sqlite3.connect(office.host.folder / "relay.sqlite") as connection:
        told = [row[0] for row in connection.execute("SELECT receipt FROM payments ORDER BY receipt")]
    connection.close()
    office.wiped()
    found = verify_receipts(office.room, "main", [*told, told[0] ^ 1, 12, RELAY_RECEIPTS_FROM])
    assert [(one.genuine, one.is_booked) for one in found] == [
        (True, True), (True, False), (False, False), (False, False), (False, False),
    ]  # fmt: skip


def test_what_cannot_be_fetched_keeps_the_doors_closed(office: Affiliate) -> None:
    office.wiped()
    with pytest.raises(NotAllowed, match="could not be fetched"):
        fetch_all(office.room, "main")


def test_silence_and_a_late_office(office: Affiliate) -> None:
    """Days later, all of it arrives, on the days that the network said."""
    for day in range(3):
        assert office.host.pay(f"7{day}", "1002", 100)
        office.bureau.clock.at += timedelta(days=1)
    assert look(office).states == {"posted": 3}
    dates = {str(row["accounting_date"]) for row in _payments(office)}
    assert dates == {"2026-10-20", "2026-10-21", "2026-10-22"}


def _payments(office: Affiliate) -> list[dict[str, object]]:
    from sqlalchemy import select

    from kvit.storage.schema import payments

    with office.bureau.database.read() as connection:
        return [dict(row) for row in connection.execute(select(payments)).mappings()]


def test_what_waits_for_a_person_is_shown_whole(office: Affiliate) -> None:
    assert office.host.pay("77", "1001", 100)
    look(office)
    import sqlite3

    with sqlite3.connect(office.host.folder / "relay.sqlite") as connection:
        connection.execute("DELETE FROM payments")
    connection.close()
    assert office.host.pay("77", "1001", 900), "the host has forgotten what it took"
    assert look(office).states == {"quarantine": 1}
    (waiting,) = office.room.status()[0]["quarantined"]
    assert (waiting["txn"], waiting["row"]["amount_minor"]) == ("77", 900)
    assert alarms(office) == ["quarantine"]
    assert office.bureau.due("1001") == 49_900
    with pytest.raises(NotAllowed):
        resolve(office.room, "main", 2, " ", "cli:anna")
    with pytest.raises(NotFound):
        resolve(office.room, "main", 1, "seen", "cli:anna")
    assert resolve(office.room, "main", 2, "the bank has taken it back", "cli:anna") == 0
    assert alarms(office) == []
