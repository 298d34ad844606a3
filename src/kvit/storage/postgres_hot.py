"""The hot statements on PostgreSQL: fixed texts that stay prepared, and their parameters.

A batch is sent as one array a column, so that the text never changes with the size of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from kvit.services.ports import PostingPlan
from kvit.storage.rows import single_insert, unnest_insert

Row = tuple[Any, ...]


class Statement(NamedTuple):
    """One statement in two forms: for a lone row with plain parameters, for many with an array a column."""

    one: str
    many: str

    def parameters(self, rows: Sequence[Row]) -> list[str]:
        """Rows -> one array literal a column, for ``many``."""
        return [array(column) for column in zip(*rows, strict=True)]


def columns(rows: Sequence[Row], width: int) -> list[str]:
    """Rows of ``width`` values, none of them too -> one array literal a column."""
    return [array(column) for column in zip(*rows, strict=True)] if rows else ["{}"] * width


def array(values: Sequence[Any]) -> str:
    """A column of texts, of whole numbers (or nulls), or of bytes as PostgreSQL writes an array of them.

    The driver looks at each value of a list on its own, which took two fifths of a batch's time.
    """
    first = next((value for value in values if value is not None), None)
    if isinstance(first, str):
        joined = '","'.join(values)
        if "\\" in joined or joined.count('"') != 2 * (len(values) - 1):
            joined = '","'.join([value.replace("\\", "\\\\").replace('"', '\\"') for value in values])
        return '{"' + joined + '"}'
    if isinstance(first, bytes):
        return "{" + ",".join(['"\\\\x' + value.hex() + '"' for value in values]) + "}"
    if None in values:
        return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"
    return "{" + ",".join(map(str, values)) + "}"


# LATERAL with a limit: one index probe a key, whatever the statistics said when the plan was made.
_FOUND = """
p.receipt, p.account_id, coalesce(a.number, ''), p.amount_minor, p.currency, p.service, p.state,
p.received_at_us, p.network_at_us, p.attempts, p.typed, p.service_code
"""
FIND = Statement(
    f"""
SELECT p.biller_id, p.agreement_id, p.txn, {_FOUND}
FROM payments p LEFT JOIN accounts a ON a.biller_id = p.biller_id AND a.account_id = p.account_id
WHERE p.biller_id = %s AND p.agreement_id = %s AND p.txn = %s
""",
    f"""
SELECT q.biller_id, q.agreement_id, q.txn, {_FOUND}
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q (biller_id, agreement_id, txn)
CROSS JOIN LATERAL (
    SELECT * FROM payments WHERE biller_id = q.biller_id AND agreement_id = q.agreement_id AND txn = q.txn
    LIMIT 1
) p
LEFT JOIN LATERAL (
    SELECT number FROM accounts WHERE biller_id = p.biller_id AND account_id = p.account_id LIMIT 1
) a ON true
""",
)
VOIDS = Statement(
    "SELECT * FROM voids WHERE biller_id = %s AND receipt = %s",
    """
SELECT v.* FROM unnest(%s::text[], %s::bigint[]) AS q (biller_id, receipt)
CROSS JOIN LATERAL (SELECT * FROM voids WHERE biller_id = q.biller_id AND receipt = q.receipt LIMIT 1) v
""",
)
LOCK = Statement(
    """
SELECT biller_id, account_id, number, status, balance_minor FROM accounts
WHERE biller_id = %s AND number = %s FOR NO KEY UPDATE
""",
    """
SELECT a.biller_id, a.account_id, a.number, a.status, a.balance_minor
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
ORDER BY a.biller_id, a.account_id FOR NO KEY UPDATE OF a
""",
)
_OPEN = "c.biller_id, c.account_id, c.charge_id, c.open_minor, c.due_on, c.service"
CHARGES = Statement(
    f"""
SELECT {_OPEN} FROM accounts a
JOIN charges c ON c.biller_id = a.biller_id AND c.account_id = a.account_id AND c.open_minor > 0
WHERE a.biller_id = %s AND a.number = %s
""",
    f"""
SELECT {_OPEN} FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
JOIN charges c ON c.biller_id = a.biller_id AND c.account_id = a.account_id AND c.open_minor > 0
""",
)
CLOSED = "SELECT biller_id, closed_through FROM billers WHERE biller_id = ANY(%s::text[])"
IDS = "SELECT nextval('book_ids') FROM generate_series(1, %s)"


def _update(table: str, column: str, key: tuple[tuple[str, str], ...], value: str) -> Statement:
    """Add to ``column`` of the rows with these keys; the parameters are the key's values, then the sum."""
    names = [name for name, _ in key]
    arrays = ", ".join(f"%s::{kind}[]" for _, kind in (*key, ("", value)))
    # The sum is the last parameter in both forms: a row of values feeds the lone form as it stands.
    lone_key = " AND ".join(f"t.{name} = q.{name}" for name in names)
    marks = ", ".join(f"%s::{kind}" for _, kind in (*key, ("", value)))
    listed = ", ".join((*names, "delta"))
    change = f"UPDATE {table} t SET {column} = t.{column} + q.delta FROM"
    return Statement(
        f"{change} (VALUES ({marks})) AS q ({listed}) WHERE {lone_key}",
        f"{change} unnest({arrays}) AS q ({listed}) WHERE {lone_key}",
    )


_PAYMENT_KEY = (("biller_id", "text"), ("agreement_id", "text"), ("txn", "text"))
ATTEMPTS = _update("payments", "attempts", _PAYMENT_KEY, "integer")
HOLD_ATTEMPTS = _update("holds", "attempts", _PAYMENT_KEY, "integer")
BALANCES = _update("accounts", "balance_minor", (("biller_id", "text"), ("account_id", "bigint")), "bigint")
OPEN_SUMS = _update("charges", "open_minor", (("biller_id", "text"), ("charge_id", "bigint")), "bigint")
VIEW_ONE = "SELECT status, balance_minor, name FROM accounts WHERE biller_id = %s AND number = %s"
VIEW = """
SELECT a.biller_id, a.number, a.status, a.balance_minor, a.name
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
"""
INSERTS = {
    name: Statement(single_insert(name), unnest_insert(name))
    for name in ("holds", "payments", "transactions", "entries", "allocations", "outbox", "journal")
}

#: A lone payment: what is known before its account is locked, as one row, and all that is written, as one.
START = f"""
SELECT nextval('book_ids'), (SELECT closed_through FROM billers WHERE biller_id = %(biller_id)s), p.*
FROM (VALUES (1)) AS one
LEFT JOIN LATERAL (
    SELECT {_FOUND} FROM payments p
    LEFT JOIN accounts a ON a.biller_id = p.biller_id AND a.account_id = p.account_id
    WHERE p.biller_id = %(biller_id)s AND p.agreement_id = %(agreement_id)s AND p.txn = %(txn)s LIMIT 1
) AS p ON true
"""
_LONE = ("payments", "transactions", "outbox", "journal")
_LISTED = (INSERTS["entries"], INSERTS["allocations"], BALANCES, OPEN_SUMS)
_WRITE_ONE = (
    "WITH "
    + ", ".join(f"w{place} AS ({INSERTS[name].one})" for place, name in enumerate(_LONE))
    + ", "
    + ", ".join(f"v{place} AS ({statement.many})" for place, statement in enumerate(_LISTED))
    + " SELECT 1"
)
#: With PostgreSQL's own marks: the driver reads a text as long as this anew each time to find its own.
WRITE_ONE = "".join(
    f"{part}${place}" if place <= _WRITE_ONE.count("%s") else part
    for place, part in enumerate(_WRITE_ONE.split("%s"), 1)
)


def write_one_parameters(plan: PostingPlan) -> list[Any]:
    """The parameters of ``WRITE_ONE``: a plan of one payment, with what it is allocated to."""
    flat: list[Any] = [*plan.payments[0], *plan.transactions[0], *plan.outbox[0], *plan.journal[0]]
    for rows, width in ((plan.entries, 5), (plan.allocations, 5), (plan.balances, 3), (plan.open_sums, 3)):
        flat += columns(rows, width)
    return flat


def is_lone(plan: PostingPlan) -> bool:
    """Is it one new payment and nothing else?"""
    others = plan.attempts or plan.hold_attempts or plan.hold_ends or plan.holds
    return len(plan.payments) == 1 and len(plan.journal) == 1 and not others
