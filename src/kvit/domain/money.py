"""Money: integers of minor units with a currency. A float never gets in.

Standard library only, Python 3.9 syntax: this module also runs on cheap hosting.
"""

from __future__ import annotations

from typing import Optional

#: Digits after the point, by ISO 4217 code. Two unless listed here.
EXPONENTS = {
    "BHD": 3, "CLP": 0, "IQD": 3, "ISK": 0, "JOD": 3, "JPY": 0, "KRW": 0, "KWD": 3,
    "LYD": 3, "OMR": 3, "PYG": 0, "TND": 3, "UGX": 0, "VND": 0, "XAF": 0, "XOF": 0,
}  # fmt: skip

#: No single sum is larger than this, in minor units (a hundred trillion roubles).
AMOUNT_MINOR_MAX = 10**16


def exponent_of(currency: str) -> int:
    """Digits after the point of ``currency`` (an ISO 4217 code)."""
    return EXPONENTS.get(currency, 2)


def parse_amount(text: str, exponent: int = 2, *, fraction: str = "optional") -> Optional[int]:
    """``"152.00"`` -> ``15200``; ``None`` for anything that is not a plain decimal number.

    Refused: signs, spaces, commas, ``1e3``, Unicode digits, an empty whole or fractional part, more
    digits after the point than the currency has, more than sixteen digits in all.

    ``fraction``: ``"optional"`` takes ``152``, ``152.5`` and ``152.00``; ``"exact"`` only ``152.00``.
    """
    whole, point, rest = text.partition(".")
    if not text.isascii() or not whole.isdigit() or (point and not rest.isdigit()):
        return None
    if len(rest) > exponent:
        return None
    if fraction == "exact" and len(rest) != exponent:
        return None
    if len(whole) + exponent > 16:
        return None
    return int(whole + rest.ljust(exponent, "0"))


def format_amount(amount_minor: int, exponent: int = 2) -> str:
    """``15200`` -> ``"152.00"``. Negative sums keep their sign in front."""
    sign = "-" if amount_minor < 0 else ""
    digits = str(abs(amount_minor)).rjust(exponent + 1, "0")
    if exponent == 0:
        return sign + digits
    return sign + digits[:-exponent] + "." + digits[-exponent:]
