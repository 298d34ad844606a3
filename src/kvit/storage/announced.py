"""What both engines read of holds and invoices, and how rows become what the services know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kvit.domain.model import AccountKey, PaymentKey, StoredInvoice
from kvit.services.ports import InvoiceView, Reservation

Row = Sequence[Any]

#: The columns of a ``StoredHold``, of hold ``h`` and its account ``a``.
HOLD_COLUMNS = """
h.receipt, h.account_id, coalesce(a.number, ''), h.amount_minor, h.currency, h.service, h.state,
h.held_at_us, h.expires_at_us, h.ended_at_us, h.network_at_us, h.network_time, h.reason, h.void_txn,
h.targets, h.fields, h.typed, h.service_code
"""

#: One invoice for a lookup: a row for each of its charges, and one (without an account) for each hold that
#: stands for it. The parameters are the biller and the number, twice.
INVOICE_VIEW = """
SELECT a.account_id, a.status, a.name, c.open_minor, NULL
FROM charges c JOIN accounts a ON a.biller_id = c.biller_id AND a.account_id = c.account_id
WHERE c.biller_id = {mark} AND c.document = {mark} AND c.document <> ''
UNION ALL
SELECT NULL, NULL, NULL, NULL, coalesce(h.expires_at_us, -1)
FROM holds h WHERE h.biller_id = {mark} AND h.typed = {mark} AND h.state = 'held'
"""

_PLACES = """
SELECT a.biller_id, a.account_id FROM unnest(%s::text[], %s::text[]) AS q (biller_id, number)
JOIN accounts a ON a.biller_id = q.biller_id AND a.number = q.number
UNION
SELECT c.biller_id, c.account_id FROM unnest(%s::text[], %s::text[]) AS q (biller_id, document)
JOIN charges c ON c.biller_id = q.biller_id AND c.document = q.document AND c.document <> ''
UNION
SELECT h.biller_id, h.account_id
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q (biller_id, agreement_id, txn)
JOIN holds h ON h.biller_id = q.biller_id AND h.agreement_id = q.agreement_id AND h.txn = q.txn
"""
#: PostgreSQL: the accounts of numbers, invoices and holds, locked in the one order; and their open charges.
LOCK_PLACES = f"""
SELECT a.biller_id, a.account_id, a.number, a.status, a.balance_minor FROM ({_PLACES}) AS place
JOIN accounts a ON a.biller_id = place.biller_id AND a.account_id = place.account_id
ORDER BY a.biller_id, a.account_id FOR NO KEY UPDATE OF a
"""
CHARGES_OF_PLACES = f"""
SELECT c.biller_id, c.account_id, c.charge_id, c.open_minor, c.due_on, c.service FROM ({_PLACES}) AS place
JOIN charges c ON c.biller_id = place.biller_id AND c.account_id = place.account_id AND c.open_minor > 0
"""
HOLDS = f"""
SELECT q.biller_id, q.agreement_id, q.txn, {HOLD_COLUMNS}
FROM unnest(%s::text[], %s::text[], %s::text[]) AS q (biller_id, agreement_id, txn)
CROSS JOIN LATERAL (
    SELECT * FROM holds WHERE biller_id = q.biller_id AND agreement_id = q.agreement_id AND txn = q.txn
    LIMIT 1
) h
LEFT JOIN accounts a ON a.biller_id = h.biller_id AND a.account_id = h.account_id
"""
INVOICES = """
SELECT q.biller_id, q.document, c.charge_id, c.account_id, a.number
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, document)
JOIN charges c ON c.biller_id = q.biller_id AND c.document = q.document AND c.document <> ''
JOIN accounts a ON a.biller_id = c.biller_id AND a.account_id = c.account_id
"""
RESERVED = """
SELECT h.biller_id, h.typed, h.agreement_id, h.txn, h.expires_at_us
FROM unnest(%s::text[], %s::text[]) AS q (biller_id, document)
JOIN holds h ON h.biller_id = q.biller_id AND h.typed = q.document AND h.state = 'held'
"""
HOLD_ENDS = """
UPDATE holds h SET state = q.state, ended_at_us = q.at_us, reason = q.reason, void_txn = q.void_txn,
    end_act_id = q.act_id
FROM unnest(
    %s::text[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::text[]
) AS q (state, at_us, reason, void_txn, act_id, biller_id, agreement_id, txn)
WHERE h.biller_id = q.biller_id AND h.agreement_id = q.agreement_id AND h.txn = q.txn
"""


def gathered_invoices(rows: Iterable[Row]) -> dict[AccountKey, StoredInvoice]:
    """``(biller, document, charge, account, number)`` rows as invoices.

    A document that names charges of several accounts is nobody's: which one is meant cannot be known.
    """
    found: dict[AccountKey, StoredInvoice] = {}
    shared: set[AccountKey] = set()
    for biller_id, document, charge_id, account_id, number in rows:
        key = AccountKey(biller_id, document)
        invoice = found.setdefault(key, StoredInvoice(account_id, number, []))
        invoice.charge_ids.append(charge_id)
        if invoice.account_id != account_id:
            shared.add(key)
    for invoice in found.values():
        invoice.charge_ids.sort()
    return {key: invoice for key, invoice in found.items() if key not in shared}


def gathered_reservations(rows: Iterable[Row]) -> dict[AccountKey, list[Reservation]]:
    """``(biller, document, agreement, txn, end)`` rows by document."""
    found: dict[AccountKey, list[Reservation]] = {}
    for biller_id, document, agreement_id, txn, expires_at_us in rows:
        payment = PaymentKey(biller_id, agreement_id, txn)
        found.setdefault(AccountKey(biller_id, document), []).append(Reservation(payment, expires_at_us))
    return found


def viewed_invoices(found: Iterable[tuple[AccountKey, Sequence[Row]]]) -> dict[AccountKey, InvoiceView]:
    """The rows of ``INVOICE_VIEW`` by key -> what a lookup needs; absent where there is no such invoice."""
    views: dict[AccountKey, InvoiceView] = {}
    for key, rows in found:
        owned = [row for row in rows if row[0] is not None]
        if len({row[0] for row in owned}) != 1:
            continue
        ends = [row[4] for row in rows if row[0] is None]
        held_until_us = None if -1 in ends else max(ends, default=0)
        _, status, name, _, _ = owned[0]
        views[key] = InvoiceView(status, sum(row[3] for row in owned), name, held_until_us)
    return views
