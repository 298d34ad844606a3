"""The audit journal's digests and hash chain: seal and verify.

The chain seals digests, not personal data, so that a person's data can be erased later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from operator import attrgetter

from kvit.domain.model import AdjustmentRow, ChargeRow, HoldRow, JournalRow, NoteRow, PaymentRow

#: The chain's value before its first record.
GENESIS = b"\x00" * 32


def digest_of(*parts: str | int) -> bytes:
    """SHA-256 over the parts, each with its length in front, so that no two lists read the same."""
    text = "".join([f"{len(part)}:{part}" for part in map(str, parts)])
    return sha256(text.encode()).digest()


def payment_digest(payment: PaymentRow, number: str) -> bytes:
    """What must never change about a payment."""
    return digest_of(
        "payment", payment.agreement_id, payment.txn, payment.receipt, number, payment.amount_minor,
        payment.currency, payment.service, payment.payer_fee_minor, payment.biller_fee_minor,
        payment.network_time, payment.accounting_date, payment.received_at_us,
        *_also(payment.typed, payment.service_code),
    )  # fmt: skip


def hold_digest(hold: HoldRow, number: str) -> bytes:
    """What must never change about a hold."""
    return digest_of(
        "hold", hold.agreement_id, hold.txn, hold.receipt, number, hold.amount_minor, hold.currency,
        hold.service, hold.network_time, hold.held_at_us, hold.expires_at_us or 0, hold.targets,
        *_also(hold.typed, hold.service_code),
    )  # fmt: skip


def note_digest(note: NoteRow, agreement_id: str, txn: str) -> bytes:
    """What must never change about a note on the payment of this id."""
    return digest_of(
        "note", agreement_id, txn, note.receipt, note.note_id, note.kind, note.noted_at_us, note.fields
    )


def _also(typed: str, service_code: str) -> tuple[str, ...]:
    """Nothing for a plain payment, so that the digests of the first versions stay what they are."""
    return (typed, service_code) if typed or service_code else ()


def charges_digest(charges: Iterable[ChargeRow], numbers: Mapping[int, str]) -> bytes:
    """What must never change about the charges that one act made; ``numbers`` by account id.

    The act is the journal record whose id the charges carry as ``act_id``; the digest is its own.
    """
    # The same text as of ``digest_of``, over eight parts a charge; those that charges share are made once.
    sized = _Sized()
    parts = [sized["charges"]]
    for charge in sorted(charges, key=attrgetter("charge_id")):
        charge_id, number, document = str(charge.charge_id), numbers[charge.account_id], charge.document
        amount_minor, occurrence = str(charge.amount_minor), str(charge.occurrence)
        parts.append(
            f"{len(charge_id)}:{charge_id}{len(number)}:{number}{sized[charge.service]}{sized[charge.period]}"
            f"{len(document)}:{document}{sized[occurrence]}{len(amount_minor)}:{amount_minor}"
            f"{sized[charge.due_on]}"
        )
    return sha256("".join(parts).encode()).digest()


class _Sized(dict[str, str]):
    """A text -> the text with its length in front."""

    def __missing__(self, text: str) -> str:
        sized = self[text] = f"{len(text)}:{text}"
        return sized


def adjustment_digest(adjustment: AdjustmentRow, number: str, accounting_date: str) -> bytes:
    """What must never change about an adjustment; its journal record and transaction carry its id."""
    return digest_of(
        "adjustment", adjustment.adjustment_id, number,
        "" if adjustment.charge_id is None else adjustment.charge_id, adjustment.amount_minor,
        adjustment.as_of, adjustment.reason, adjustment.author, accounting_date,
    )  # fmt: skip


def chained(previous: bytes, position: int, record: JournalRow) -> bytes:
    """The chain's value after ``record``, the ``position``-th of its biller (from 1)."""
    head = digest_of(
        position, record.journal_id, record.at_us, record.actor, record.verb, record.subject,
        record.digest.hex(),
    )  # fmt: skip
    return sha256(previous + head).digest()
