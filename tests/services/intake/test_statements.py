"""Lines of the bank's statement: lump sums aside, payments to their clients, the rest in suspense."""

from __future__ import annotations

import pytest

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_terms import FileTerms, SettlementTerms
from kvit.services.intake import rules
from tests.gateway import Gateway
from tests.intake import OWN, Counter, line
from tests.seeding import Client, Due, agreement_of, seed

CLIENTS = [
    Client("1002344", [Due(70_000), Due(30_000, "2026-11-30", document="INV-9")], name="Тестов Тест"),
    Client("1002351", name="Пробный Пётр"),
]
AGENT = "30232810000000000001"


@pytest.fixture
def counter(gateway: Gateway) -> Counter:
    biller_id = seed(gateway.database, CLIENTS).biller_id
    files = FileTerms(settlement=SettlementTerms(payer_accounts=(AGENT,), words=("Пополнение по КИВИ",)))
    return Counter(gateway, biller_id, [agreement_of(biller_id, files=files)])


def test_a_payment_goes_from_the_bank_to_the_client(counter: Counter) -> None:
    paid = line("", 150_000, text="л/с 1002344", payer="Тестов", payer_account="40817")
    result = counter.statement(paid)
    assert result.counts == {"new": 1}
    assert result.outcome.counts.by_rule == {"number": 1}
    sides = {
        row["ledger_account"]: row["amount_minor"] for row in _entries_of(counter, result.decided[0].receipt)
    }
    assert sides == {f"bank:{OWN}": 150_000, "client:1002344": -150_000}
    assert counter.statement(paid, name="again.txt").counts == {"known": 1}
    assert counter.gateway.findings(counter.biller_id) == []


def test_an_invoice_in_the_purpose_is_settled_before_older_debts(counter: Counter) -> None:
    counter.statement(line("", 30_000, text="оплата счета INV-9"))
    still_open = {
        row["document"]: row["open_minor"] for row in counter.gateway.rows("charges", counter.biller_id)
    }
    assert still_open == {"": 70_000, "INV-9": 0}


def test_what_no_rule_knows_is_in_suspense(counter: Counter) -> None:
    result = counter.statement(line("", 100, text="за воду", payer="Тестов Тест"))
    assert result.counts == {"suspense": 1}
    assert [hit.number for hit in result.decided[0].proposals] == ["1002344"], "the name is only proposed"
    assert counter.paid() == {"": 100}


def test_a_payer_is_known_from_before(counter: Counter) -> None:
    counter.statement(line("", 100, text="л/с 1002351", payer_account="40817"))
    result = counter.statement(line("", 200, text="спасибо", payer_account="40817", day="2026-11-21"))
    assert (result.decided[0].rule, result.decided[0].number) == ("payer", "1002351")
    counter.statement(line("", 300, text="л/с 1002344", payer_account="40817", day="2026-11-21"))
    result = counter.statement(line("", 400, text="спасибо", payer_account="40817", day="2026-11-22"))
    assert result.counts == {"suspense": 1}, "now it has paid for two"


@pytest.mark.parametrize(
    "lump",
    [
        {"payer_account": AGENT, "text": "л/с 1002344"},
        {"text": "ПОПОЛНЕНИЕ ПО КИВИ л/с 1002344"},
    ],
    ids=["account", "word"],
)
def test_an_agents_lump_sum_is_no_clients_payment(counter: Counter, lump: dict[str, str]) -> None:
    result = counter.statement(line("", 985_000, **lump))
    assert result.counts == {"lumps": 1}
    assert counter.paid() == {}
    (kept,) = counter.gateway.rows("money_lines", counter.biller_id)
    assert (kept["state"], kept["number"]) == ("lump", counter.agreements[0].agreement_id)


@pytest.mark.parametrize("text", ["Перечисление по реестру 17 л/с 1002344", "Register of payments 1002344"])
def test_what_speaks_of_a_register_goes_to_no_client_by_itself(counter: Counter, text: str) -> None:
    assert counter.statement(line("", 985_000, text=text)).counts == {"suspense": 1}


def test_money_that_goes_out_is_seen_and_not_booked(counter: Counter) -> None:
    result = counter.statement(line("", 500, direction="out", text="л/с 1002344"))
    assert result.counts == {"ignored": 1}
    assert result.outcome.counts.total_minor == 0


def test_several_own_accounts_in_one_file(counter: Counter) -> None:
    lines = [line("", 100, text="л/с 1002344", own_account=own) for own in ("A", "B")]
    assert counter.statement(*lines).counts == {"new": 2}
    sources = {row["source"] for row in counter.gateway.rows("money_lines", counter.biller_id)}
    assert sources == {"bank:A", "bank:B"}


def test_rules_can_be_switched_and_tried(counter: Counter) -> None:
    store, now = counter.store, counter.gateway.clock.now()
    assert store.write(lambda book: rules.set_rule(book, "number", "off", "clerk", now))
    assert not store.write(lambda book: rules.set_rule(book, "number", "off", "clerk", now))
    one = line("", 100, text="л/с 1002344", payer="Тестов Тест")
    assert counter.statement(one).counts == {"suspense": 1}
    biller = counter.biller
    tried = store.read(lambda book: rules.trials(book, biller, (), rules.settings(book)))
    assert {one.rule: (one.state, one.matched, one.lines) for one in tried} == {
        "reference": ("on", 0, 1), "number": ("off", 1, 1), "invoice": ("on", 0, 1), "payer": ("on", 0, 1),
        "name": ("propose", 1, 1),
    }  # fmt: skip
    for rule, state, error in (("magic", "on", NotFound), ("name", "perhaps", NotAllowed)):
        with pytest.raises(error):
            store.write(lambda book, rule=rule, state=state: rules.set_rule(book, rule, state, "c", now))  # type: ignore[misc]


def test_proposals_for_what_was_mistyped(counter: Counter) -> None:
    counter.register(counter.agreements[0], line("1002345", 100, key="1"))
    biller = counter.biller
    found = counter.store.read(
        lambda book: rules.proposals(book, rules.in_suspense(book), biller, rules.settings(book))
    )
    ((hit,),) = found.values()
    assert (hit.number, hit.why) == ("1002344", "nearly 1002345")


def test_a_barcode_that_is_a_number_as_a_whole_is_proposed(counter: Counter) -> None:
    counter.register(counter.agreements[0], line("2344", 100, document="1002344"))
    biller = counter.biller
    found = counter.store.read(
        lambda book: rules.proposals(book, rules.in_suspense(book), biller, rules.settings(book))
    )
    assert [(hit.number, hit.why) for hits in found.values() for hit in hits] == [
        ("1002344", "the whole barcode")
    ]


def _entries_of(counter: Counter, receipt: int | None) -> list[dict[str, object]]:
    return [
        dict(row)
        for row in counter.gateway.rows("entries", counter.biller_id)
        if row["transaction_id"] == receipt
    ]
