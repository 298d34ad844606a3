"""Registers from real books: what they hold, what changes tell, and that nothing half is ever listed."""

from __future__ import annotations

import random
from hashlib import sha256
from threading import Barrier, Thread

import pytest

from kvit.domain.debts import ACCEPTED, REJECTED, SENT, SUPERSEDED, WRITTEN, Reject
from kvit.domain.errors import NotAllowed
from kvit.domain.file_terms import BY_ACCOUNT, BY_INVOICE_ROW, CHANGES, FULL
from kvit.services.debts.deciding import (
    Refusal,
    accept,
    find_register,
    mark_sent,
    placed,
    refuse_rows,
    reject,
)
from kvit.services.debts.making import Made
from kvit.services.debts.told import lines_of
from kvit.storage.file_store import Keeping
from tests.gateway import Gateway
from tests.services.debts.bank import Bank, opened_bank, terms_of

KINDS = (BY_ACCOUNT, BY_INVOICE_ROW)


@pytest.fixture
def bank(gateway: Gateway) -> Bank:
    return opened_bank(gateway.database, gateway.clock)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("paid", ["leave", "zero"])
@pytest.mark.parametrize("advance", ["zero", "negative"])
def test_a_full_register_is_the_books(bank: Bank, kind: str, paid: str, advance: str) -> None:
    bank.terms = terms_of(rows=kind, paid=paid, advance=advance)
    for seed in range(4):
        made = bank.send()
        rows = bank.rows_of(made.register)
        told = dict(rows)
        assert len(told) == len(rows) == made.register.row_count
        assert {key: amount for key, amount in told.items() if amount} == bank.owed()
        assert sum(told.values()) == made.register.total_minor
        numbers = [key[0] for key, _ in rows]
        assert numbers == sorted(numbers)
        if paid == "leave":
            assert all(told.values())
        kept = list(lines_of(bank.office.store.read(made.register.rows_digest)))
        assert [amount for _, amount in kept] == [amount for _, amount in rows]
        bank.change(random.Random(seed))  # noqa: S311


def test_paid_clients_may_stay_so_that_they_are_found(bank: Bank) -> None:
    bank.terms = terms_of(paid="zero")
    bank.change(random.Random(7))  # noqa: S311
    told = dict(bank.rows_of(bank.send().register))
    assert 0 in told.values()
    assert len(told) >= len(bank.owed())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_full_and_changes_make_what_is_owed(
    bank: Bank, kind: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted, refused, never answered: after one more accepted register the bank is right."""
    chance = random.Random(seed)  # noqa: S311
    monkeypatch.setattr("kvit.storage.debts.SLICE_ROWS", (1, 2, 3, 7, 20, 500)[seed])
    bank.terms = terms_of(
        rows=kind, paid=chance.choice(["leave", "zero"]), advance=chance.choice(["zero", "negative"])
    )
    for _ in range(7):
        bank.change(chance)
        made = bank.send(chance.choice([FULL, CHANGES, CHANGES]))
        _answer(bank, made, chance)
        if chance.random() < 0.4:
            last = bank.send(CHANGES)
            bank.take(last.register)
            accept(bank.office, last.register.register_number)
            assert bank.held() == bank.owed()


def _answer(bank: Bank, made: Made, chance: random.Random) -> None:
    row = made.register
    number = row.register_number
    fate = chance.choice(["taken", "unheard", "lost", "refused", "partly"])
    if fate == "partly" and row.row_count > 1:
        refused = set(chance.sample(range(1, row.row_count + 1), chance.randrange(1, row.row_count)))
        bank.take(row, refused)
        rejects = [Reject(at, place, "", "", "no") for at, place in enumerate(sorted(refused), 1)]
        refuse_rows(bank.office, number, placed(bank.office, row, rejects), "")
        return
    if fate in ("taken", "unheard"):
        bank.take(row)
    if fate == "taken":
        accept(bank.office, number)
    elif fate == "refused":
        reject(bank.office, number, "wrong template")


def test_changes_are_only_what_changed(bank: Bank) -> None:
    first = bank.send()
    bank.take(first.register)
    accept(bank.office, 1)
    nothing = bank.send(CHANGES)
    assert nothing.register.row_count == 0
    assert bank.file_of(nothing.register) == b""
    assert nothing.register.base_number == 1
    assert any("Nothing has changed" in note for note in nothing.notes)
    before = bank.owed()
    bank.change(random.Random(3))  # noqa: S311
    now = bank.owed()
    made = bank.send(CHANGES)
    changed = {key for key in before.keys() | now.keys() if before.get(key, 0) != now.get(key, 0)}
    assert dict(bank.rows_of(made.register)) == {key: now.get(key, 0) for key in changed}


def test_an_unanswered_register_blocks_nothing(bank: Bank) -> None:
    accept(bank.office, bank.send().register.register_number)
    bank.change(random.Random(1))  # noqa: S311
    one, two = bank.send(CHANGES), bank.send(CHANGES)
    assert bank.file_of(one.register) == bank.file_of(two.register), "both against what was accepted"
    assert two.register.base_number == 1


def test_the_same_books_give_the_same_bytes(bank: Bank) -> None:
    one, two = bank.send(), bank.send()
    assert one.register.file_digest == two.register.file_digest
    assert (one.register.register_number, two.register.register_number) == (1, 2)
    data = bank.file_of(one.register)
    assert sha256(data).hexdigest() == one.register.file_digest
    bank.change(random.Random(5))  # noqa: S311
    assert bank.file_of(find_register(bank.office, 1)) == data, "whatever the books are by now"


def test_kinds_are_not_mixed(bank: Bank) -> None:
    accept(bank.office, bank.send().register.register_number)
    bank.terms = terms_of(rows=BY_INVOICE_ROW)
    with pytest.raises(NotAllowed, match="full register first"):
        bank.send(CHANGES)
    accept(bank.office, bank.send(FULL).register.register_number)
    assert bank.send(CHANGES).register.row_count == 0


def test_states(bank: Bank) -> None:
    for _ in range(4):
        bank.send()
    office = bank.office
    mark_sent(office, 1)
    assert find_register(office, 1).sent_at_us is not None
    assert mark_sent(office, 1).states == ()
    reject(office, 2, "no")
    accept(office, 3)
    states = [row.state for row in office.store.registers(bank.agreement.agreement_id)]
    assert states == [SUPERSEDED, REJECTED, ACCEPTED, WRITTEN]
    mark_sent(office, 4)
    assert find_register(office, 4).state == SENT
    assert mark_sent(office, 3).states == ()
    for number in (1, 2):
        with pytest.raises(NotAllowed, match="Nothing was changed"):
            accept(office, number)
    reject(office, 3, "they thought better of it")
    assert find_register(office, 3).state == REJECTED


def test_all_rows_refused_is_a_register_refused(bank: Bank) -> None:
    row = bank.send().register
    rejects = [Reject(at, at, "", "", "no") for at in range(1, row.row_count + 1)]
    refuse_rows(bank.office, 1, placed(bank.office, row, rejects), "all wrong")
    assert find_register(bank.office, 1).state == REJECTED


def test_refused_rows_come_once(bank: Bank) -> None:
    row = bank.send().register
    refusal = placed(bank.office, row, [Reject(1, 2, "", "", "no")])
    assert len(refuse_rows(bank.office, 1, refusal, "").rejects) == 1
    again = refuse_rows(bank.office, 1, refusal, "")
    assert (again.states, again.rejects) == ((), [])
    assert len(bank.office.store.rejects(row.agreement_id, 1)) == 1


def test_rows_are_found_by_client_and_document(bank: Bank) -> None:
    bank.terms = terms_of(rows=BY_INVOICE_ROW)
    row = bank.send().register
    keys = [key for key, _ in bank.rows_of(row)]
    number = keys[0][0]
    own = [place for place, key in enumerate(keys, 1) if key[0] == number]
    assert len(own) == 3
    every = placed(bank.office, row, [Reject(2, 0, number, "", "closed")])
    assert [one.row_number for one in every.rows] == own
    document = next(key[1] for key in keys if key[0] == number and key[1])
    one = placed(bank.office, row, [Reject(2, 0, number, document, "closed")])
    assert [each.row_key for each in one.rows] == [f"{number}\t{document}"]
    wrong = placed(
        bank.office, row,
        [
            Reject(2, 0, "nobody", "", ""), Reject(3, row.row_count + 1, "", "", ""),
            Reject(4, 1, "other", "", ""),
        ],
    )  # fmt: skip
    assert (list(wrong.rows), [each.line for each in wrong.unplaced]) == ([], [2, 3, 4])


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(1, 12))
def test_killed_at_any_step(bank: Bank, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    accept(bank.office, bank.send().register.register_number)
    steps = iter(range(1, 1_000))

    def dying(kind: type, name: str) -> None:
        done = getattr(kind, name)

        def work(*args: object, **named: object) -> object:
            if next(steps) == step:
                raise Killed
            return done(*args, **named)

        monkeypatch.setattr(kind, name, work)

    for name in ("add", "put_first", "_digest", "_write"):
        dying(Keeping, name)
    dying(type(bank.office.store), "add")
    try:
        bank.send()
    except Killed:
        listed = 1
    else:
        listed = 2
    monkeypatch.undo()
    rows = bank.office.store.registers(bank.agreement.agreement_id)
    assert [row.register_number for row in rows] == list(range(1, listed + 1))
    assert bank.send().register.register_number == listed + 1
    for row in bank.office.store.registers(bank.agreement.agreement_id):
        assert sha256(bank.file_of(row)).hexdigest() == row.file_digest


def test_several_at_once_have_numbers_of_their_own(bank: Bank) -> None:
    barrier = Barrier(3)
    numbers: list[int] = []

    def send() -> None:
        barrier.wait()
        numbers.append(bank.send().register.register_number)

    threads = [Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == [1, 2, 3]


def test_what_is_done_with_registers_is_in_the_journal(bank: Bank) -> None:
    from sqlalchemy import select

    from kvit.storage.schema import journal

    row = bank.send().register
    mark_sent(bank.office, 1)
    refuse_rows(
        bank.office, 1, Refusal(placed(bank.office, row, [Reject(1, 1, "", "", "no")]).rows, ()), "part"
    )
    with bank.database.read() as connection:
        found = connection.execute(
            select(journal.c.verb, journal.c.detail)
            .where(journal.c.biller_id == bank.town.biller_id, journal.c.verb.like("debts.%"))
            .order_by(journal.c.journal_id)
        ).all()
    assert [tuple(each) for each in found] == [
        ("debts.written", row.file_name), ("debts.sent", ""), ("debts.accepted", "part"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_biller_without_clients(gateway: Gateway, kind: str) -> None:
    nobody = opened_bank(gateway.database, gateway.clock, clients=0, names=())
    nobody.terms = terms_of(rows=kind)
    for contents in (FULL, CHANGES):
        made = nobody.send(contents)
        assert (made.register.row_count, nobody.file_of(made.register)) == (0, b"")
        assert any("is empty" in note for note in made.notes)
        accept(nobody.office, made.register.register_number)
