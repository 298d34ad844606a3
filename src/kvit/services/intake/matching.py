"""Whose money is it? Ordered rules from what a statement's line says to an account's number.

Pure: a rule names what it would have to look up (``wanted``), and is then asked with what was found. A
line has one account or none: where a rule finds several, nobody guesses, and all of them are proposed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kvit.domain.lines import MoneyLine
from kvit.domain.numbers import CHECK_DIGITS, NUMBER_LENGTH_MAX, is_valid

#: The rules in the order in which they are asked, and how each is set at first.
ON, PROPOSE, OFF = "on", "propose", "off"
RULES = {
    "reference": ON,
    "number": ON,
    "invoice": ON,
    "payer": ON,
    "name": PROPOSE,
}
RULE_MEANINGS = {
    "reference": "the statement's own field for a reference is the number of an account or of an invoice",
    "number": "the purpose of the payment names an account: by its check digits, or after a word such as л/с",
    "invoice": "the purpose of the payment names an invoice",
    "payer": "all earlier payments from the payer's bank account went to one client",
    "name": "the payer's name is that of exactly one client",
}

#: So much of a purpose is looked at.
_TEXT_LENGTH_MAX = 1_000
_TOKENS_MAX = 60
#: Longer numbers have too many neighbours.
_NEAR_LENGTH_MAX = 20
#: A number stands within so many characters of the word that announces it.
_WORD_REACH = 24
_NUMBER_WORDS = re.compile(
    r"(?:л\s*[/.\\]\s*с|\bлс(?![^\W\d])|лицев\w*|лиц\.|абонент\w*|\bдог(?:овор\w*)?\b|\bкод\b|кли?ент\w*|сч[её]т\w*"
    r"|\bсч\b|есепшот\w*|\bшот\w*|рахун\w*|\b[oо]/р\b|\bacc(?:ount|t)?(?![^\W\d])|\ba/c\b|customer|client|contract"
    r"|\bkd(?![^\W\d])|\bid(?![^\W\d]))",
    re.IGNORECASE,
)
_INVOICE_WORDS = re.compile(
    r"(?:сч[её]т\w*|инвойс\w*|накладн\w*|квитанц\w*|рахун\w*|шот\w*|invoice|\binv\b|\bbill\b|№|\bno\b)",
    re.IGNORECASE,
)
#: A run of digits that is not a part of a sum, a date, a time, or of a longer one.
_DIGITS = re.compile(r"(?<![\d.,:])(?<!\d-)\d+(?![\d:]|[.,-]\d)")
#: The same in groups: an account number that a teller has written with spaces or hyphens.
_GROUPS = re.compile(r"(?<![\d.,:-])\d{1,6}(?:[ -]\d{1,6}){1,7}(?![\d:]|[.,]\d)")
_DATE = re.compile(r"\b(?:\d{1,2}[./-]\d{1,2}[./-](?:\d{4}|\d{2})|\d{4}[./-]\d{1,2}[./-]\d{1,2})\b")
_TOKEN = re.compile(r"[0-9A-Za-zА-Яа-яЁё](?:[\w/.-]{0,58}[0-9A-Za-zА-Яа-яЁё])?")
_NAME_WORDS = re.compile(r"[^\W\d_]+")


class Hit(NamedTuple):
    """An account that a rule found: ``why`` is what it saw. ``document``: of the invoice, if it is one."""

    rule: str
    number: str
    why: str
    document: str = ""


class Match(NamedTuple):
    """``hit`` is applied; ``proposals`` are for a person."""

    hit: Hit | None
    proposals: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What has to be looked up for a line."""

    numbers: Mapping[str, bool]
    documents: Mapping[str, bool]
    payer_account: str
    name: str


@dataclass(slots=True)
class Found:
    """What was found: numbers that exist, owners of documents, of payers' accounts, and of names."""

    numbers: Collection[str] = ()
    owners: Mapping[str, set[str]] = field(default_factory=dict)
    payers: Mapping[str, set[str]] = field(default_factory=dict)
    names: Mapping[str, set[str]] = field(default_factory=dict)


def wanted(line: MoneyLine, scheme: str, lengths: Collection[int]) -> Wanted:
    """What the rules would look up. Of numbers and documents: whether that they exist is proof enough."""
    text = line.text[:_TEXT_LENGTH_MAX]
    return Wanted(
        dict(_numbers(text, scheme, lengths)),
        dict(_documents(text)),
        line.payer_account,
        name_key(line.payer),
    )


def match(line: MoneyLine, asked: Wanted, found: Found, settings: Mapping[str, str]) -> Match:
    """Ask the rules in their order; the first one that finds anything decides."""
    proposals: list[Hit] = []
    for rule, first_state in RULES.items():
        state = settings.get(rule, first_state)
        if state == OFF:
            continue
        sure, near = _ask(rule, line, asked, found)
        if state == ON and len({hit.number for hit in sure}) == 1:
            return Match(sure[0], tuple(proposals))
        proposals += sure + near
        if sure:  # several: that a later rule knows one of them is no proof
            break
    return Match(None, tuple({hit.number: hit for hit in reversed(proposals)}.values()))


def _ask(rule: str, line: MoneyLine, asked: Wanted, found: Found) -> tuple[list[Hit], list[Hit]]:
    """What the rule is sure of, and what only looks like it."""
    if rule == "reference":
        number = plain_number(line.number)
        if number in found.numbers:
            return [Hit(rule, number, f"reference {line.number}")], []
        owners = found.owners.get(line.number, set()) if line.number else set()
        return [Hit(rule, owner, f"reference {line.number}", line.number) for owner in sorted(owners)], []
    if rule == "number":
        return _split(
            (sure, Hit(rule, number, f"number {number} in the purpose"))
            for number, sure in asked.numbers.items()
            if number in found.numbers
        )
    if rule == "invoice":
        return _split(
            (sure, Hit(rule, owner, f"invoice {document} in the purpose", document))
            for document, sure in asked.documents.items()
            for owner in sorted(found.owners.get(document, ()))
        )
    if rule == "payer":
        owners = found.payers.get(asked.payer_account, set()) if asked.payer_account else set()
        why = f"paid from {asked.payer_account} before"
        return [Hit(rule, owner, why) for owner in sorted(owners)], []
    owners = found.names.get(asked.name, set()) if asked.name else set()
    return [Hit(rule, owner, f"the name {line.payer}") for owner in sorted(owners)], []


def _split(hits: Iterable[tuple[bool, Hit]]) -> tuple[list[Hit], list[Hit]]:
    sure: list[Hit] = []
    near: list[Hit] = []
    for is_sure, hit in hits:
        (sure if is_sure else near).append(hit)
    return sure, near


def plain_number(text: str) -> str:
    """A number without the spaces, dots and hyphens that people put between its digits."""
    bare = re.sub(r"[ \u00a0.-]", "", text)
    return bare if bare.isdigit() and bare.isascii() else text.strip()


def near_numbers(number: str) -> set[str]:
    """Numbers that somebody who mistypes may mean: a digit wrong, two swapped, zeros lost or added."""
    number = plain_number(number)
    if not (number.isdigit() and number.isascii() and 3 <= len(number) <= _NEAR_LENGTH_MAX):
        return set()
    near = {number.lstrip("0"), "0" + number, "00" + number}
    for place, digit in enumerate(number):
        before, after = number[:place], number[place + 1 :]
        near.update(before + other + after for other in "0123456789")
        near.update((before + after, before + digit + digit + after))
        if after:
            near.add(before + after[0] + digit + after[1:])
    return near - {number, ""}


def name_key(name: str) -> str:
    """What two spellings of a name have in common; empty unless it has two words at least."""
    words = sorted(word.casefold().replace("ё", "е") for word in _NAME_WORDS.findall(name))
    return " ".join(words) if len(words) >= 2 else ""


def _numbers(text: str, scheme: str, lengths: Collection[int]) -> Iterator[tuple[str, bool]]:
    """Digits that may be an account's number; surely one with right check digits, or after such a word."""
    text = _DATE.sub(lambda found: " " * len(found.group()), text)
    has_checks = CHECK_DIGITS[scheme] > 0
    ends = [word.end() for word in _NUMBER_WORDS.finditer(text)]
    seen: set[str] = set()
    places = [(one.start(), one.group()) for one in _DIGITS.finditer(text)]
    places += [(one.start(), re.sub("[ -]", "", one.group())) for one in _GROUPS.finditer(text)]
    for start, number in sorted(places)[:_TOKENS_MAX]:
        if len(number) not in lengths or len(number) > NUMBER_LENGTH_MAX or number in seen:
            continue
        seen.add(number)
        is_named = any(0 <= start - end <= _WORD_REACH for end in ends)
        if has_checks:
            if is_valid(number, scheme):
                yield number, is_named or len(number) >= 6
        else:
            yield number, is_named


def _documents(text: str) -> Iterator[tuple[str, bool]]:
    """Words that may be an invoice's number; surely one after such a word, or with letters and digits."""
    ends = [word.end() for word in _INVOICE_WORDS.finditer(text)]
    seen: set[str] = set()
    for found in _TOKEN.finditer(text):
        token = found.group()
        if len(seen) >= _TOKENS_MAX:
            return
        if token in seen or not any(sign.isdigit() for sign in token):
            continue
        seen.add(token)
        is_mixed = len(token) >= 5 and not token.isdigit()
        is_named = any(0 <= found.start() - end <= _WORD_REACH for end in ends)
        yield token, is_named or is_mixed
