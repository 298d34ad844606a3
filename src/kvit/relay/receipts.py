"""Receipts of a relay: numbers that prove, without the relay, that it gave them.

A receipt is a positive number below 2**63, and stays one for ever. From the highest bit down::

    bit 62       always 1: the office's own receipts never come so far
    bits 54-61   the relay's number, 0 to 255
    bits 24-53   the sequence, from 1: the place of the payment in the relay's inbox
    bits 0-23    the first 24 bits of HMAC-SHA256(receipt key, "kvit-receipt-1:<relay>:<epoch>:<sequence>")

So the office recognises its relay's receipts in a bank's register when the host and its disk are gone. A
guess is right once in 16 million; a receipt alone is never a proof of payment, the bank's register is.

Standard library only, Python 3.9 syntax: this module also runs on cheap hosting.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple, Optional

MARKER = 1 << 62
RELAY_MAX = (1 << 8) - 1
SEQUENCE_MAX = (1 << 30) - 1
MAC_MAX = (1 << 24) - 1


class Parts(NamedTuple):
    """What a receipt says of itself; ``mac`` has still to be looked at."""

    relay: int
    sequence: int
    mac: int


def make(relay: int, sequence: int, epoch: str, key: bytes) -> int:
    """The receipt of payment ``sequence``. Raises ``ValueError`` outside the fields' bounds."""
    if not 0 <= relay <= RELAY_MAX or not 1 <= sequence <= SEQUENCE_MAX:
        raise ValueError(f"no receipt has room for relay {relay}, sequence {sequence}")
    return MARKER | relay << 54 | sequence << 24 | _mac(relay, sequence, epoch, key)


def split(receipt: int) -> Optional[Parts]:
    """The fields of a receipt; ``None`` for a number that no relay gives."""
    if receipt >> 62 != 1:
        return None
    parts = Parts(receipt >> 54 & RELAY_MAX, receipt >> 24 & SEQUENCE_MAX, receipt & MAC_MAX)
    return parts if parts.sequence else None


def is_genuine(receipt: int, epoch: str, key: bytes) -> bool:
    """Was this receipt made with this key in this epoch?"""
    parts = split(receipt)
    if parts is None:
        return False
    expected = _mac(parts.relay, parts.sequence, epoch, key)
    return hmac.compare_digest(expected.to_bytes(3, "big"), parts.mac.to_bytes(3, "big"))


def _mac(relay: int, sequence: int, epoch: str, key: bytes) -> int:
    if not key:
        raise ValueError("no receipt is made with an empty key")
    text = f"kvit-receipt-1:{relay}:{epoch}:{sequence}".encode("ascii")
    return int.from_bytes(hmac.new(key, text, hashlib.sha256).digest()[:3], "big")
