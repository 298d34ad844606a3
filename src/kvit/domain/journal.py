"""The audit journal's digests and hash chain: seal and verify.

The chain seals digests, not personal data, so that a person's data can be erased later.
"""

from __future__ import annotations

from hashlib import sha256

from kvit.domain.model import JournalRow, PaymentRow

#: The chain's value before its first record.
GENESIS = b"\x00" * 32


def digest_of(*parts: str | int) -> bytes:
    """SHA-256 over the parts, each with its length in front, so that no two lists read the same."""
    text = "".join(f"{len(part)}:{part}" for part in map(str, parts))
    return sha256(text.encode()).digest()


def payment_digest(payment: PaymentRow, number: str) -> bytes:
    """What must never change about a payment."""
    return digest_of(
        "payment", payment.agreement_id, payment.txn, payment.receipt, number, payment.amount_minor,
        payment.currency, payment.service, payment.accounting_date, payment.received_at_us,
    )  # fmt: skip


def chained(previous: bytes, position: int, record: JournalRow) -> bytes:
    """The chain's value after ``record``, the ``position``-th of its biller (from 1)."""
    head = digest_of(
        position, record.journal_id, record.at_us, record.actor, record.verb, record.subject,
        record.digest.hex(),
    )  # fmt: skip
    return sha256(previous + head).digest()
