"""Ways to falsify books behind kvit's back, from clumsy to careful, and which checks must notice.

Each is a few statements on books made by ``tests.filled``, whose guards were taken away. Names in
``:colons`` come from ``Target``. A careful forger keeps everything that SQL can see consistent.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

from sqlalchemy import Connection, text

from kvit.storage.schema import MUTABLE

GAIN = 1_000


@dataclass(frozen=True)
class Target:
    """What is tampered with: ids within the biller ``water``."""

    receipt: int  # a posted payment that settles something and has an unused rest
    charge: int  # settled in part by it
    other_charge: int  # of the same account
    account: int
    number: str
    stranger: int  # another account
    stranger_number: str
    strange_charge: int  # of that account, with something open
    voided: int  # the receipt of a voided payment
    void: int  # its void's transaction
    change: int  # an adjustment of a charge
    credit: int  # an adjustment that is a credit
    act: int  # an import of charges
    middle: int  # position of a record in the middle of the chain
    gain: int = GAIN


class Tampering(NamedTuple):
    name: str
    checks: set[str]
    statements: tuple[str, ...]


def tampering(name: str, checks: str, *statements: str) -> Tampering:
    return Tampering(name, set(checks.split()), statements)


_SHIFT = "UPDATE accounts SET balance_minor = balance_minor {0} :gain WHERE account_id = :account"
_LEAVE_OUT = "DELETE FROM {0} WHERE {1} = :receipt"
_WITHOUT_PAYMENT = tuple(
    _LEAVE_OUT.format(table, key)
    for table, key in (
        ("payments", "receipt"),
        ("transactions", "transaction_id"),
        ("entries", "transaction_id"),
        ("outbox", "outbox_id"),
    )
)
_REBALANCE = (
    "UPDATE accounts SET balance_minor = (SELECT sum(amount_minor) FROM entries "
    "WHERE ledger_account = 'client:' || number) WHERE biller_id = 'water'"
)
_REOPEN = (
    "UPDATE charges SET open_minor = open_minor + coalesce((SELECT sum(amount_minor) FROM allocations a "
    "WHERE a.charge_id = charges.charge_id AND source_id = :{0}), 0) WHERE biller_id = 'water'"
)


_CHANGED_HOLD = (
    "UPDATE holds SET {0} WHERE receipt = "
    "(SELECT min(receipt) FROM holds WHERE biller_id = 'water' AND state = '{1}')"
)


def changed_hold(state: str, change: str) -> str:
    """Change one hold that is in ``state``."""
    return _CHANGED_HOLD.format(change, state)


HOLDS = (
    tampering("hold called posted", "hold", changed_hold("released", "state = 'posted'")),
    tampering("hold that ended stands again", "journal",
              changed_hold("expired", "state = 'held', end_act_id = NULL, ended_at_us = NULL")),
    tampering("sum of a hold", "hold journal",
              changed_hold("posted", "amount_minor = amount_minor + :gain")),
    tampering("end of a hold put off", "journal", changed_hold("held", "expires_at_us = 1")),
    tampering("hold removed", "journal",
              "DELETE FROM holds WHERE biller_id = 'water' AND state = 'held'"),
    tampering("money of nobody given to a client", "payment balance",
              "UPDATE payments SET account_id = :account WHERE account_id = 0 AND biller_id = 'water'"),
    tampering("note given to a payment that is not there", "note journal",
              "UPDATE notes SET receipt = 7 WHERE biller_id = 'water'"),
    tampering("note removed", "journal", "DELETE FROM notes WHERE biller_id = 'water'"),
)  # fmt: skip

_CHANGED_PART = (
    "UPDATE assignments SET {0} WHERE assignment_id = "
    "(SELECT min(assignment_id) FROM assignments WHERE biller_id = 'water' AND kind = '{1}')"
)
_LOST_PART = "DELETE FROM assignments WHERE biller_id = 'water' AND kind = 'assigned' AND amount_minor = 100"
_GROWN_RETURN = (
    "UPDATE entries SET amount_minor = amount_minor * 2 WHERE transaction_id = "
    "(SELECT assignment_id FROM assignments WHERE biller_id = 'water' AND kind = 'returned')"
)


def changed_part(kind: str, change: str) -> str:
    """Change one part of the money that left suspense."""
    return _CHANGED_PART.format(change, kind)


SUSPENSE = (
    tampering("part of suspense grown", "suspense",
              changed_part("assigned", "amount_minor = amount_minor + 10000")),
    tampering("part of suspense said to be another client's", "suspense",
              changed_part("assigned", "account_id = :stranger")),
    tampering("part of suspense taken from another payment", "suspense",
              changed_part("assigned", "receipt = :receipt")),
    tampering("why money was given away", "suspense", changed_part("assigned", "reason = 'mine'")),
    tampering("who sent money back", "suspense", changed_part("returned", "author = 'somebody'")),
    tampering("part that goes back grown, with its entries", "journal", _GROWN_RETURN,
              changed_part("returned", "amount_minor = amount_minor * 2")),
    tampering("part of suspense forgotten", "suspense", _LOST_PART),
)  # fmt: skip

PAYMENTS = (
    tampering("sum of a payment", "payment journal advance",
              "UPDATE payments SET amount_minor = amount_minor + :gain WHERE receipt = :receipt"),
    tampering("sum of a payment, with everything that depends on it", "journal",
              "UPDATE payments SET amount_minor = amount_minor + :gain, "
              "advance_minor = advance_minor + :gain WHERE receipt = :receipt",
              "UPDATE entries SET amount_minor = amount_minor + :gain "
              "WHERE transaction_id = :receipt AND amount_minor > 0",
              "UPDATE entries SET amount_minor = amount_minor - :gain "
              "WHERE transaction_id = :receipt AND amount_minor < 0",
              _SHIFT.format("-")),
    tampering("day of a payment", "payment journal",
              "UPDATE payments SET accounting_date = '2026-01-31' WHERE receipt = :receipt"),
    tampering("day of a payment and of its transaction", "journal",
              "UPDATE payments SET accounting_date = '2026-01-31' WHERE receipt = :receipt",
              "UPDATE transactions SET accounting_date = '2026-01-31' WHERE transaction_id = :receipt"),
    tampering("instant of a payment", "journal",
              "UPDATE payments SET received_at_us = received_at_us - 1 WHERE receipt = :receipt"),
    tampering("txn of a payment", "journal",
              "UPDATE payments SET txn = 'another' WHERE receipt = :receipt"),
    tampering("agreement of a payment, with its clearing account", "journal",
              "UPDATE payments SET agreement_id = 'cash' WHERE receipt = :receipt",
              "UPDATE entries SET ledger_account = 'clearing:cash' "
              "WHERE transaction_id = :receipt AND amount_minor > 0"),
    tampering("currency of a payment", "payment journal",
              "UPDATE payments SET currency = 'KZT' WHERE receipt = :receipt"),
    tampering("service of a payment", "journal",
              "UPDATE payments SET service = 'heat' WHERE receipt = :receipt"),
    tampering("payment given to another client", "payment journal allocation balance",
              "UPDATE payments SET account_id = :stranger WHERE receipt = :receipt"),
    tampering("payment given to another client, with its entries and balances", "journal allocation",
              "UPDATE payments SET account_id = :stranger WHERE receipt = :receipt",
              "UPDATE entries SET ledger_account = 'client:' || :stranger_number "
              "WHERE transaction_id = :receipt AND amount_minor < 0",
              _REBALANCE),
    tampering("fee above the sum", "payment",
              "UPDATE payments SET biller_fee_minor = amount_minor + 1 WHERE receipt = :receipt"),
    tampering("state that does not exist", "payment",
              "UPDATE payments SET state = 'gone' WHERE receipt = :receipt"),
    tampering("payment inserted", "payment outbox journal balance",
              "INSERT INTO payments SELECT biller_id, agreement_id, 'forged', receipt + 50000, account_id, "
              "amount_minor, currency, service, state, attempts, amount_minor, payer_fee_minor, "
              "biller_fee_minor, network_time, network_at_us, received_at_us, accounting_date, fields, "
              "typed, service_code FROM payments WHERE receipt = :receipt"),
    tampering("payment removed", "transaction allocation outbox journal balance",
              _LEAVE_OUT.format("payments", "receipt")),
    tampering("payment removed with all that came with it", "journal",
              *_WITHOUT_PAYMENT,
              _REOPEN.format("receipt"), _LEAVE_OUT.format("allocations", "source_id"),
              _REBALANCE),
    tampering("payment removed with all that came with it, and its record", "chain",
              *_WITHOUT_PAYMENT, _LEAVE_OUT.format("journal", "journal_id"),
              _REOPEN.format("receipt"), _LEAVE_OUT.format("allocations", "source_id"),
              _REBALANCE),
    tampering("payment called voided", "void advance",
              "UPDATE payments SET state = 'voided' WHERE receipt = :receipt"),
    tampering("void called off", "void",
              "UPDATE payments SET state = 'posted', advance_minor = amount_minor WHERE receipt = :voided"),
    tampering("void removed with all that came with it", "journal",
              "UPDATE payments SET state = 'posted', advance_minor = amount_minor WHERE receipt = :voided",
              "DELETE FROM voids WHERE receipt = :voided",
              "DELETE FROM transactions WHERE transaction_id = :void",
              "DELETE FROM entries WHERE transaction_id = :void",
              "DELETE FROM outbox WHERE outbox_id = :void",
              _REBALANCE),
    tampering("reason of a void", "void",
              "UPDATE voids SET reason = 'because' WHERE receipt = :voided"),
    tampering("void of another payment", "void",
              "UPDATE voids SET receipt = :receipt WHERE receipt = :voided"),
    tampering("author of a void, everywhere but in the chain", "chain",
              "UPDATE voids SET author = 'cli:boris' WHERE receipt = :voided",
              "UPDATE transactions SET author = 'cli:boris' WHERE transaction_id = :void",
              "UPDATE journal SET actor = 'cli:boris' WHERE journal_id = :void"),
)  # fmt: skip

LEDGER = (
    tampering("one side of a transaction", "transaction balance",
              "UPDATE entries SET amount_minor = amount_minor - :gain "
              "WHERE transaction_id = :receipt AND amount_minor < 0"),
    tampering("both sides of a transaction", "payment balance",
              "UPDATE entries SET amount_minor = amount_minor + :gain "
              "WHERE transaction_id = :receipt AND amount_minor > 0",
              "UPDATE entries SET amount_minor = amount_minor - :gain "
              "WHERE transaction_id = :receipt AND amount_minor < 0"),
    tampering("sides swapped", "payment balance",
              "UPDATE entries SET amount_minor = -amount_minor WHERE transaction_id = :receipt"),
    tampering("client of an entry", "payment balance",
              "UPDATE entries SET ledger_account = 'client:' || :stranger_number "
              "WHERE transaction_id = :receipt AND amount_minor < 0"),
    tampering("currency of a transaction", "payment",
              "UPDATE entries SET currency = 'KZT' WHERE transaction_id = :receipt"),
    tampering("entry removed", "transaction payment",
              "DELETE FROM entries WHERE transaction_id = :receipt AND amount_minor > 0"),
    tampering("two entries added", "payment balance",
              "INSERT INTO entries VALUES ('water', :receipt, 'refund', :gain, 'RUB')",
              "INSERT INTO entries VALUES ('water', :receipt, 'client:' || :stranger_number, -:gain, 'RUB')"),
    tampering("transaction removed", "transaction payment",
              "DELETE FROM transactions WHERE transaction_id = :receipt"),
    tampering("transaction re-dated", "payment",
              "UPDATE transactions SET accounting_date = '2026-01-31' WHERE transaction_id = :receipt"),
    tampering("instant of a transaction", "journal outbox",
              "UPDATE transactions SET created_at_us = created_at_us - 1 WHERE transaction_id = :receipt"),
    tampering("author of a transaction", "journal",
              "UPDATE transactions SET author = 'cli:boris' WHERE transaction_id = :receipt"),
    tampering("kind of a transaction", "transaction",
              "UPDATE transactions SET kind = 'charge' WHERE transaction_id = :receipt"),
    tampering("transaction of nothing, balanced and with the client's balance", "transaction",
              "INSERT INTO transactions "
              "VALUES ('water', 199999, 'refund', '2026-08-09', 1, NULL, '', 'cli:boris')",
              "INSERT INTO entries VALUES ('water', 199999, 'refund', :gain, 'RUB')",
              "INSERT INTO entries VALUES ('water', 199999, 'client:' || :number, -:gain, 'RUB')",
              _SHIFT.format("-"),
              "UPDATE payments SET advance_minor = advance_minor + :gain WHERE receipt = :receipt"),
    tampering("balance of a client", "balance", _SHIFT.format("-")),
    tampering("number of a client", "payment charge balance",
              "UPDATE accounts SET number = '999999' WHERE account_id = :account"),
    tampering("client removed", "payment charge",
              "DELETE FROM accounts WHERE account_id = :account"),
    tampering("series of ids turned back", "ids",
              "UPDATE ids SET next_id = 100002"),
    tampering("biller of an entry", "transaction biller",
              "UPDATE entries SET biller_id = 'nobody' WHERE transaction_id = :receipt AND amount_minor > 0"),
)  # fmt: skip

RECEIVABLES = (
    tampering("sum of a charge", "charge open-sum",
              "UPDATE charges SET amount_minor = amount_minor - :gain WHERE charge_id = :charge"),
    tampering("sum of a charge, with everything that depends on it", "charge",
              "UPDATE charges SET amount_minor = amount_minor - :gain, open_minor = open_minor - :gain "
              "WHERE charge_id = :strange_charge",
              "UPDATE entries SET amount_minor = amount_minor - :gain "
              "WHERE transaction_id = :strange_charge AND amount_minor > 0",
              "UPDATE entries SET amount_minor = amount_minor + :gain "
              "WHERE transaction_id = :strange_charge AND amount_minor < 0",
              "UPDATE accounts SET balance_minor = balance_minor - :gain WHERE account_id = :stranger"),
    tampering("due day of a charge", "charge",
              "UPDATE charges SET due_on = '2030-01-01' WHERE charge_id = :charge"),
    tampering("day of a transaction of a charge", "charge",
              "UPDATE transactions SET accounting_date = '2026-01-31' WHERE transaction_id = :charge"),
    tampering("income of a charge", "charge",
              "UPDATE entries SET ledger_account = 'opening' "
              "WHERE transaction_id = :charge AND amount_minor < 0"),
    tampering("author of a charge", "charge",
              "UPDATE transactions SET author = 'cli:boris' WHERE transaction_id = :charge"),
    tampering("charge removed with its transaction", "charge allocation balance",
              "DELETE FROM charges WHERE charge_id = :charge",
              "DELETE FROM transactions WHERE transaction_id = :charge",
              "DELETE FROM entries WHERE transaction_id = :charge"),
    tampering("charges of an act taken from it", "journal charge",
              "UPDATE charges SET act_id = :act + 1 WHERE act_id = :act"),
    tampering("open sum of a charge", "open-sum balance",
              "UPDATE charges SET open_minor = open_minor - :gain WHERE charge_id = :strange_charge"),
    tampering("unused rest of a payment", "advance balance",
              "UPDATE payments SET advance_minor = advance_minor + :gain WHERE receipt = :receipt"),
    tampering("unused rest of a credit", "advance balance",
              "UPDATE adjustments SET advance_minor = advance_minor + :gain WHERE adjustment_id = :credit"),
    tampering("open sum and unused rest together", "open-sum advance",
              "UPDATE charges SET open_minor = open_minor + 1 WHERE charge_id = :charge",
              "UPDATE payments SET advance_minor = advance_minor + 1 WHERE receipt = :receipt"),
    tampering("allocation added", "open-sum advance allocation",
              "INSERT INTO allocations VALUES ('water', :receipt, :charge, 1, :gain)"),
    tampering("allocation removed", "open-sum advance",
              "DELETE FROM allocations WHERE source_id = :receipt AND charge_id = :charge"),
    tampering("what is settled moved to another charge", "allocation",
              "INSERT INTO allocations VALUES ('water', :receipt, :charge, 1, -1)",
              "INSERT INTO allocations VALUES ('water', :receipt, :other_charge, 1, 1)",
              "UPDATE charges SET open_minor = open_minor + 1 WHERE charge_id = :charge",
              "UPDATE charges SET open_minor = open_minor - 1 WHERE charge_id = :other_charge"),
    tampering("what is settled moved to another client's charge", "allocation",
              "INSERT INTO allocations VALUES ('water', :receipt, :charge, :void, -1)",
              "INSERT INTO allocations VALUES ('water', :receipt, :strange_charge, :void, 1)",
              "UPDATE charges SET open_minor = open_minor + 1 WHERE charge_id = :charge",
              "UPDATE charges SET open_minor = open_minor - 1 WHERE charge_id = :strange_charge"),
    tampering("allocation of nothing", "allocation",
              "INSERT INTO allocations VALUES ('water', 1, :strange_charge, :act, 1)"),
    tampering("sum of a change", "adjustment journal",
              "UPDATE adjustments SET amount_minor = amount_minor - 1 WHERE adjustment_id = :change"),
    tampering("reason of a change", "journal",
              "UPDATE adjustments SET reason = 'gift' WHERE adjustment_id = :change"),
    tampering("credit raised, with everything that depends on it", "journal",
              "UPDATE adjustments SET amount_minor = amount_minor - 1, advance_minor = advance_minor + 1 "
              "WHERE adjustment_id = :credit",
              "UPDATE entries SET amount_minor = amount_minor + 1 "
              "WHERE transaction_id = :credit AND amount_minor > 0",
              "UPDATE entries SET amount_minor = amount_minor - 1 "
              "WHERE transaction_id = :credit AND amount_minor < 0",
              _REBALANCE),
    tampering("credit removed with all that came with it", "journal",
              _REOPEN.format("credit"),
              "DELETE FROM allocations WHERE source_id = :credit",
              "DELETE FROM adjustments WHERE adjustment_id = :credit",
              "DELETE FROM transactions WHERE transaction_id = :credit",
              "DELETE FROM entries WHERE transaction_id = :credit",
              _REBALANCE),
)  # fmt: skip

RECORDS = (
    tampering("outbox row removed", "outbox", "DELETE FROM outbox WHERE outbox_id = :receipt"),
    tampering("outbox row of nothing", "outbox",
              "INSERT INTO outbox VALUES ('water', :act, 'payment.posted', '77', 1)"),
    tampering("outbox row told as something else", "outbox",
              "UPDATE outbox SET kind = 'payment.voided' WHERE outbox_id = :receipt"),
    tampering("instant of an outbox row", "outbox",
              "UPDATE outbox SET created_at_us = created_at_us + 1 WHERE outbox_id = :receipt"),
    tampering("record edited", "chain journal",
              "UPDATE journal SET actor = 'agent:cash' WHERE journal_id = :receipt"),
    tampering("digest of a record", "chain journal",
              "UPDATE journal SET digest = (SELECT digest FROM journal WHERE journal_id = :void) "
              "WHERE journal_id = :receipt"),
    tampering("record of an act edited", "chain",
              "UPDATE journal SET subject = '9' WHERE journal_id = :act"),
    tampering("record removed", "chain",
              "DELETE FROM journal WHERE position = :middle AND biller_id = 'water'"),
    tampering("record inserted", "chain",
              "UPDATE journal SET position = -position WHERE position > :middle AND biller_id = 'water'",
              "INSERT INTO journal SELECT biller_id, 199998, at_us, actor, 'test', '1', digest, '', "
              ":middle + 1, chain FROM journal WHERE position = :middle AND biller_id = 'water'",
              "UPDATE journal SET position = 1 - position WHERE position < 0 AND biller_id = 'water'"),
    tampering("two records swapped", "chain",
              "UPDATE journal SET position = -1 WHERE position = :middle AND biller_id = 'water'",
              "UPDATE journal SET position = :middle WHERE position = :middle + 1 AND biller_id = 'water'",
              "UPDATE journal SET position = :middle + 1 WHERE position = -1 AND biller_id = 'water'"),
    tampering("first record removed", "chain",
              "DELETE FROM journal WHERE position = 1 AND biller_id = 'water'"),
    tampering("tail cut off", "journal",
              "DELETE FROM journal WHERE position > :middle AND biller_id = 'water'"),
    tampering("chain wiped out", "unsealed",
              "UPDATE journal SET position = NULL, chain = NULL WHERE biller_id = 'water'"),
)  # fmt: skip

_SETTLED = (
    "UPDATE settlements SET {0} WHERE settlement_id = "
    "(SELECT max(settlement_id) FROM settlements WHERE biller_id = 'water' AND state = '{1}')"
)
_SETTLED_SIDES = (
    "UPDATE entries SET {0} WHERE ledger_account LIKE '{1}:%' AND transaction_id = "
    "(SELECT max(settlement_id) FROM settlements WHERE biller_id = 'water')"
)
_UNDOING = (
    "UPDATE {0} SET {1} WHERE transaction_id = "
    "(SELECT max(transaction_id) FROM transactions WHERE biller_id = 'water' AND kind = 'settlement-undone')"
)


def settled(change: str, state: str = "posted") -> str:
    """Change the newest settlement that is in ``state``."""
    return _SETTLED.format(change, state)


SETTLEMENTS = (
    tampering("what an agent paid out", "settlement journal", settled("net_minor = net_minor + :gain")),
    tampering("what an agent kept, with its entries", "journal",
              settled("fee_minor = fee_minor + :gain, gross_minor = gross_minor + :gain"),
              _SETTLED_SIDES.format("amount_minor = amount_minor + :gain", "fees"),
              _SETTLED_SIDES.format("amount_minor = amount_minor - :gain", "clearing")),
    tampering("a difference that nobody names", "settlement journal", settled("difference_minor = 0")),
    tampering("why there is a difference", "settlement journal", settled("reason = ''")),
    tampering("days of a settlement", "journal", settled("first_day = '2026-07-01'")),
    tampering("settlement called undone", "settlement", settled("state = 'undone'")),
    tampering("settlement that was undone stands again", "settlement", settled("state = 'posted'", "undone")),
    tampering("undoing of a settlement grown", "settlement",
              _UNDOING.format("entries", "amount_minor = amount_minor * 2")),
    tampering("undoing of another settlement", "settlement transaction",
              _UNDOING.format("transactions", "reverses = 7")),
    tampering("settlement removed", "transaction journal",
              "DELETE FROM settlements WHERE biller_id = 'water' AND state = 'posted'"),
    tampering("settlement removed with its transactions", "journal",
              "DELETE FROM entries WHERE transaction_id IN (SELECT settlement_id FROM settlements "
              "WHERE biller_id = 'water' AND state = 'posted')",
              "DELETE FROM transactions WHERE transaction_id IN (SELECT settlement_id FROM settlements "
              "WHERE biller_id = 'water' AND state = 'posted')",
              "DELETE FROM settlements WHERE biller_id = 'water' AND state = 'posted'"),
)  # fmt: skip

DECISIONS = (
    tampering("what was decided about a finding", "journal",
              "UPDATE resolutions SET finding = 'another' WHERE biller_id = 'water'"),
    tampering("why it was decided", "journal",
              "UPDATE resolutions SET reason = 'because' WHERE biller_id = 'water'"),
    tampering("decision removed", "journal", "DELETE FROM resolutions WHERE biller_id = 'water'"),
)  # fmt: skip

_DATED = "UPDATE {0} SET accounting_date = '2026-08-02' WHERE {1} = :receipt"
PERIODS = (
    tampering("payment moved into a closed period", "period journal",
              _DATED.format("payments", "receipt"), _DATED.format("transactions", "transaction_id")),
    tampering("payment that was announced, moved into a closed period", "period",
              "UPDATE transactions SET accounting_date = '2026-08-02' WHERE transaction_id = "
              "(SELECT min(receipt) FROM holds WHERE biller_id = 'water' AND state = 'posted')"),
    tampering("period opened again", "period",
              "UPDATE billers SET closed_through = '' WHERE biller_id = 'water'"),
    tampering("period closed without a record", "period",
              "UPDATE billers SET closed_through = '2026-12-31' WHERE biller_id = 'water'"),
    tampering("record of a close removed", "period chain",
              "DELETE FROM journal WHERE biller_id = 'water' AND verb = 'period.closed'"),
    tampering("close of another day", "period chain",
              "UPDATE journal SET subject = '2026-08-01' "
              "WHERE biller_id = 'water' AND verb = 'period.closed'"),
    tampering("what was accepted at a close", "journal",
              "UPDATE journal SET detail = 'nothing' WHERE biller_id = 'water' AND verb = 'period.closed'"),
)  # fmt: skip

TAMPERINGS = (
    *DECISIONS,
    *SETTLEMENTS,
    *PERIODS,
    *SUSPENSE,
    *HOLDS,
    *PAYMENTS,
    *LEDGER,
    *RECEIVABLES,
    *RECORDS,
)


def take_guards_away(connection: Connection) -> None:
    """What the owner of a database can always do."""
    if connection.dialect.name == "postgresql":
        for table in MUTABLE:
            connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        return
    for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        connection.execute(text(f"DROP TRIGGER {name}"))


def tamper(connection: Connection, tampering: Tampering, target: Target) -> None:
    """Do it; every statement must hit something."""
    take_guards_away(connection)
    for written in tampering.statements:
        is_series = connection.dialect.name == "postgresql" and "UPDATE ids" in written
        statement = "ALTER SEQUENCE book_ids RESTART WITH 100002" if is_series else written
        names = {name: value for name, value in asdict(target).items() if f":{name}" in statement}
        changed = connection.execute(text(statement), names)
        assert changed.rowcount != 0, f"{tampering.name}: {statement} hit nothing"
