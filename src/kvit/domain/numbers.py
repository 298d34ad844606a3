"""Account numbers with check digits, so that a mistyped number is refused before money moves.

A number is a *payload* followed by its check digits; the client is told the whole, and the whole is the
account's number. Two schemes, both computed over ASCII digits only:

``luhn``   one check digit (ISO/IEC 7812-1, annex B). Finds every single wrong digit and every swap of
           neighbours except 09 and 90. Most terminal software can check it.
``mod97``  two check digits (ISO/IEC 7064, MOD 97-10). Finds every single wrong digit and every swap of any
           two digits.

``none`` stands for numbers without check digits: whatever the biller already uses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

#: Check digits at the end of a number, by scheme.
CHECK_DIGITS = {"none": 0, "luhn": 1, "mod97": 2}

SCHEMES = frozenset(CHECK_DIGITS)

#: No number is longer than this, check digits included.
NUMBER_LENGTH_MAX = 40

_DIGITS = frozenset("0123456789")
#: What a digit in a doubled place adds to the Luhn sum: the digits of its double.
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def is_valid(number: str, scheme: str) -> bool:
    """Whether ``number`` ends in the check digits that ``scheme`` asks for.

    Under ``none`` every number that is not empty passes. Under the other schemes anything but ASCII
    digits, spaces and hyphens included, does not. An unknown scheme is a ``KeyError``.
    """
    checks = CHECK_DIGITS[scheme]
    if not 1 <= len(number) <= NUMBER_LENGTH_MAX:
        return False
    if not checks:
        return True
    payload = number[:-checks]
    return bool(payload) and _DIGITS.issuperset(number) and with_check(payload, scheme) == number


def wrong_numbers(numbers: Collection[str], scheme: str) -> list[str]:
    """Those of ``numbers`` that are not valid; quick where there are no check digits to look at."""
    if not CHECK_DIGITS[scheme] and all(numbers) and max(map(len, numbers), default=0) <= NUMBER_LENGTH_MAX:
        return []
    return [number for number in numbers if not is_valid(number, scheme)]


def with_check(payload: str, scheme: str) -> str:
    """The full number: ``("100234", "luhn")`` -> ``"1002344"``, ``("100234", "mod97")`` -> ``"10023496"``.

    ``payload`` is ASCII digits, short enough that the whole has at most ``NUMBER_LENGTH_MAX``; anything
    else is a ``ValueError``. Under ``none`` it may be any text and comes back as it is.
    """
    checks = CHECK_DIGITS[scheme]
    if not 1 <= len(payload) <= NUMBER_LENGTH_MAX - checks:
        raise ValueError(f"a payload has 1 to {NUMBER_LENGTH_MAX - checks} characters")
    if not checks:
        return payload
    if not _DIGITS.issuperset(payload):
        raise ValueError("check digits are computed over the digits 0 to 9 only")
    return payload + (_luhn(payload) if scheme == "luhn" else _mod97(payload))


def payload_of(number: str, scheme: str) -> str:
    """``number`` less its check digits, right or wrong: ``("1002344", "luhn")`` -> ``"100234"``."""
    return number[: len(number) - CHECK_DIGITS[scheme]]


def numbers_left(after_payload: int, width: int) -> int:
    """How many payloads of ``width`` digits come after ``after_payload`` and do not begin with 0."""
    below_first: int = 10 ** (width - 1) - 1
    last: int = 10**width - 1
    return max(0, last - max(after_payload, below_first))


def next_numbers(after_payload: int, count: int, scheme: str, width: int) -> Iterator[str]:
    """The next ``count`` full numbers, in order, each with a payload of ``width`` digits.

    The first payload is the one after ``after_payload``, or the smallest one of ``width`` digits if that
    is larger: no number begins with 0, since spreadsheets and some banks' templates strip leading zeros.
    Fewer than ``count`` numbers come out where the width is used up; ``numbers_left`` tells beforehand.
    """
    if not 1 <= width <= NUMBER_LENGTH_MAX - CHECK_DIGITS[scheme]:
        raise ValueError(f"a payload has 1 to {NUMBER_LENGTH_MAX - CHECK_DIGITS[scheme]} digits")
    first = max(after_payload + 1, 10 ** (width - 1))
    for payload in range(first, min(first + count, 10**width)):
        yield with_check(str(payload), scheme)


def _luhn(payload: str) -> str:
    digits = [int(digit) for digit in reversed(payload)]
    total = sum(_DOUBLED[digit] for digit in digits[::2]) + sum(digits[1::2])
    return str(-total % 10)


def _mod97(payload: str) -> str:
    return f"{98 - int(payload) * 100 % 97:02d}"
