"""R4: the services against the model: after every step, the same answers and the same sums."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import text

from kvit.domain import days
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.messages import (
    BadAmount,
    Command,
    Conflict,
    Found,
    Lookup,
    NoSuchAccount,
    NoSuchTxn,
    Post,
    Posted,
    Refused,
    Result,
    Status,
    Void,
    Voided,
)
from kvit.domain.model import Agreement, Biller
from kvit.services.corrections import void_payment
from kvit.services.receivables.office import accounts_job, charges_job, set_status
from kvit.services.receivables.run import Act
from kvit.storage.billers import find_biller
from kvit.storage.receivables import SqlReceivables
from tests.bureau import Client, Owed
from tests.faults.audited import audit
from tests.faults.conftest import Seen, load
from tests.gateway import NOON, Gateway
from tests.model import Account, Model, Terms
from tests.seeding import agreement_of, seed

numbers = st.sampled_from(["a", "a", "a", "b", "c", "nobody"])
txns = st.sampled_from([f"t{place}" for place in range(7)])
amounts = st.sampled_from([0, 1, 50, 300, 300, 499, 700, 1_200, 5_000])
services = st.sampled_from(["", "", "water", "waste"])
agreements = st.sampled_from(["qiwi", "qiwi", "bank"])
#: The network's day against ours; 40 days back and 3 ahead are broken clocks.
network_days = st.sampled_from([None, None, 0, -1, 1, -31, -40, 3])
currencies = st.sampled_from(["", "", "", "RUB", "KZT"])
posts = st.tuples(
    agreements,
    st.builds(Post, txn=txns, number=numbers, amount_minor=amounts, currency=currencies, service=services),
    network_days,
)


def told(result: Result) -> tuple[str, Any]:
    """A result in the model's words."""
    if isinstance(result, Posted | Voided):
        return (type(result).__name__.lower(), result.repeat)
    if isinstance(result, Found):
        return ("found", result.due_minor - result.advance_minor)
    if isinstance(result, BadAmount):
        return ("bad amount", result.amount_minor)
    if isinstance(result, Refused):
        return ("refused", result.reason)
    if isinstance(result, Conflict):
        return ("conflict", result.txn)
    if isinstance(result, NoSuchAccount):
        return ("no such account", result.number)
    assert isinstance(result, NoSuchTxn), result
    return ("no such txn", result.txn)


class GatewayMachine(RuleBasedStateMachine):
    """One biller's life."""

    def __init__(self, gateway: Gateway) -> None:
        super().__init__()
        self.gateway = gateway
        gateway.clock.instant = NOON
        self.model = Model()
        self.town = seed(gateway.database, [])
        with gateway.database.read() as connection:
            biller = find_biller(connection, self.town.biller_id)
        assert biller is not None
        self.biller: Biller = biller
        self.store = SqlReceivables(gateway.database, self.town.biller_id)
        self.agreements: dict[str, Agreement] = {
            name: agreement_of(self.town.biller_id, name) for name in ("qiwi", "bank")
        }
        self.receipts: dict[tuple[str, str], int] = {}
        self.first_answers: dict[tuple[str, str], Posted] = {}
        for number in ("a", "b"):
            self.open_account(number)

    # --- the office -----------------------------------------------------------------------------------

    def _import(self, job: Any) -> None:  # noqa: ANN401 - of accounts or of charges
        act = Act(
            self.biller, 1, "list.csv", "cli:anna", days.to_us(self.gateway.clock.now()), str(self.today)
        )
        assert job.errors == []
        self.store.write(lambda book: job.slice(book, 0, len(job.sizes), act))

    @rule(number=st.sampled_from(["b", "c"]))
    def open_account(self, number: str) -> None:
        self._import(accounts_job(self.store, self.biller, [Client(2, number, "Ким")]))
        self.model.accounts.setdefault(number, Account())

    @rule(number=numbers, status=st.sampled_from(["active", "active", "closed"]))
    def set_status(self, number: str, status: str) -> None:
        def change() -> bool:
            now = self.gateway.clock.now()
            return self.store.write(lambda book: set_status(book, number, status, "cli:anna", now))

        account = self.model.accounts.get(number)
        if account is None:
            with pytest.raises(NotFound):
                change()
            return
        assert change() == (account.status != status)
        account.status = status

    @rule(
        number=st.sampled_from(["a", "a", "b"]), place=st.integers(1, 6), amount_minor=amounts,
        day=st.sampled_from(["2026-09-30", "2026-10-31", "2026-11-30"]),
    )  # fmt: skip
    def set_charge(self, number: str, place: int, amount_minor: int, day: str) -> None:
        """A line of a file: a charge that is new, known, or known with another amount."""
        document, service = f"{number}-{place}", ("water", "waste")[place % 2]
        line = Owed(2, number, amount_minor, service, "2026-10", document, day)
        self._import(charges_job(self.store, [line]))
        self.model.set_charge(number, document, amount_minor, day, service)

    @rule(name=agreements, txn=txns)
    def void_by_person(self, name: str, txn: str) -> None:
        receipt = self.receipts.get((name, txn), 999_999_999)
        expected, is_repeat = self.model.void(self._terms(name), txn, by_network=False)

        def void() -> None:
            now = self.gateway.clock.now()
            self.gateway.corrections.run(
                lambda book: void_payment(book, self.biller.biller_id, receipt, "by mistake", "cli:anna", now)
            )

        if expected == "no such txn":
            with pytest.raises(NotFound):
                void()
        elif is_repeat:
            with pytest.raises(NotAllowed):
                void()
        else:
            void()

    @rule(
        name=agreements,
        low_minor=st.sampled_from([None, None, 0, 100]),
        high_minor=st.sampled_from([None, None, 1_000]),
        first=st.sampled_from([None, None, -1, 0, 1]),
        last=st.sampled_from([None, None, 1, 0, -1]),
    )
    def change_agreement(
        self, name: str, low_minor: int | None, high_minor: int | None, first: int | None, last: int | None
    ) -> None:
        self.agreements[name] = replace(
            self.agreements[name], min_minor=low_minor, max_minor=high_minor,
            valid_from="" if first is None else str(self.today + timedelta(days=first)),
            valid_until="" if last is None else str(self.today + timedelta(days=last)),
        )  # fmt: skip

    @rule(hours=st.sampled_from([1, 11, 24]))
    def time_passes(self, hours: int) -> None:
        self.gateway.clock.forward(hours=hours)

    # --- the agents -----------------------------------------------------------------------------------

    @rule(batch=st.lists(posts, min_size=1, max_size=4))
    def post(self, batch: list[tuple[str, Post, int | None]]) -> None:
        """One batch: new, repeated, conflicting, too much, too little, for nobody."""
        demands, expected = [], []
        for name, post, offset in batch:
            day = None if offset is None else self.today + timedelta(days=offset)
            network_time = "" if day is None else f"{day}T12:00:00"
            demands.append((self.agreements[name], replace(post, network_time=network_time)))
            expected.append(self.model.post(self._terms(name), self.today, post, day))
        results = self.gateway.post(demands)
        assert [told(result) for result in results] == expected
        for (name, post, _), result in zip(batch, results, strict=True):
            self._compare(name, post.txn, result)

    @rule(name=agreements, number=numbers)
    def lookup(self, name: str, number: str) -> None:
        expected = self.model.lookup(self._terms(name), self.today, number)
        assert told(self._ask(name, Lookup("1", number))) == expected

    @rule(name=agreements, txn=txns)
    def status(self, name: str, txn: str) -> None:
        result = self._ask(name, Status(txn))
        assert told(result) == self.model.status(self._terms(name), txn)
        self._compare(name, txn, result)

    @rule(name=agreements, txn=txns, by_receipt=st.booleans())
    def void_by_network(self, name: str, txn: str, by_receipt: bool) -> None:
        receipt = self.receipts.get((name, txn), 0) if by_receipt else 0
        result = self._ask(name, Void(receipt=receipt) if receipt else Void(txn=txn))
        assert told(result) == self.model.void(self._terms(name), txn, by_network=True)
        self._compare(name, txn, result)

    def _ask(self, name: str, command: Command) -> Result:
        return self.gateway.ask(self.agreements[name], command)

    def _compare(self, name: str, txn: str, result: Result) -> None:
        """Whatever is said of a payment is what was said at first."""
        if not isinstance(result, Posted | Voided):
            return
        first = self.first_answers.get((name, txn))
        if first is None:
            assert isinstance(result, Posted)
            self.first_answers[name, txn] = replace(result, repeat=True)
            self.receipts[name, txn] = result.receipt
            return
        said = result.posted if isinstance(result, Voided) else result
        assert said == replace(first, repeat=said.repeat if said else True)

    # --- after every step --------------------------------------------------------------------------

    @property
    def today(self) -> date:
        """In Moscow, three hours ahead of the clock."""
        return (self.gateway.clock.now() + timedelta(hours=3)).date()

    def _terms(self, name: str) -> Terms:
        agreement = self.agreements[name]
        return Terms(
            name,
            1 if agreement.min_minor is None else agreement.min_minor,
            10**15 if agreement.max_minor is None else agreement.max_minor,
            date.fromisoformat(agreement.valid_from) if agreement.valid_from else date.min,
            date.fromisoformat(agreement.valid_until) if agreement.valid_until else date.max,
        )

    @invariant()
    def sums_agree(self) -> None:
        self.check()

    def check(self) -> None:
        """The same accounts, charges, payments and allocations here and there."""
        model = self.model
        accounts = {number: (a.status, model.owed_minor(number)) for number, a in model.accounts.items()}
        charges = {d: model.open_minor(number, d) for number, a in model.accounts.items() for d in a.charges}
        payments, parts = {}, {}
        for (name, txn), p in model.payments.items():
            payments[name, txn] = (p.number, p.amount_minor, p.state, p.attempts, p.unused_minor, p.day)
            for document, part_minor in p.shares.items():
                if part_minor:
                    parts[name, txn, document] = part_minor
        assert self._stored() == (accounts, charges, payments, parts)

    def _stored(self) -> tuple[dict[Any, Any], ...]:
        with self.gateway.database.read() as connection:
            found = [
                connection.execute(text(query), {"biller": self.biller.biller_id}).all() for query in _QUERIES
            ]
        accounts, charges, payments, parts = (
            {row[:width] if width > 1 else row[0]: row[width:] for row in rows}
            for rows, width in zip(found, (1, 1, 2, 3), strict=True)
        )
        return (
            {number: tuple(rest) for number, rest in accounts.items()},
            {document: rest[0] for document, rest in charges.items()},
            {(self._name(key[0]), key[1]): tuple(rest) for key, rest in payments.items()},
            {(self._name(key[0]), *key[1:]): int(rest[0]) for key, rest in parts.items()},
        )

    def _name(self, agreement_id: str) -> str:
        return agreement_id.partition("-")[0]

    def teardown(self) -> None:
        assert self.gateway.findings(self.biller.biller_id) == []


#: Of one biller: each query's first columns are the key of what the others say.
_QUERIES = (
    "SELECT number, status, balance_minor FROM accounts WHERE biller_id = :biller",
    "SELECT document, open_minor FROM charges WHERE biller_id = :biller",
    """SELECT p.agreement_id, p.txn, a.number, p.amount_minor, p.state, p.attempts, p.advance_minor,
    p.accounting_date FROM payments p JOIN accounts a ON a.biller_id = p.biller_id
    AND a.account_id = p.account_id WHERE p.biller_id = :biller""",
    """SELECT p.agreement_id, p.txn, c.document, sum(s.amount_minor) FROM allocations s
    JOIN payments p ON p.biller_id = s.biller_id AND p.receipt = s.source_id
    JOIN charges c ON c.biller_id = s.biller_id AND c.charge_id = s.charge_id
    WHERE s.biller_id = :biller GROUP BY p.agreement_id, p.txn, c.document HAVING sum(s.amount_minor) <> 0""",
)


#: Stories on each engine; the whole load is what fits into four minutes.
STORIES = {"sqlite": load(100, 400), "postgres": load(20, 100)}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_gateway_does_what_the_model_says(gateway: Gateway, seen: Seen) -> None:
    class Machine(GatewayMachine):
        steps = 0

        def __init__(self) -> None:
            super().__init__(gateway)

        def check(self) -> None:
            Machine.steps += 1
            super().check()

        def teardown(self) -> None:
            super().teardown()
            assert audit(gateway.database, self.biller.biller_id) == []

    stories = STORIES["postgres" if gateway.database.is_postgres else "sqlite"]
    wanted = settings(
        max_examples=stories, stateful_step_count=load(30, 100), suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(Machine, settings=wanted)
    seen(stories=stories, steps=Machine.steps)
