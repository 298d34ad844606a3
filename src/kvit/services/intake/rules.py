"""The rules that find a statement's accounts, as a person has set them; and what they would find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from kvit.domain import days
from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.file_rows import IN_SUSPENSE, LineRow, RuleRow
from kvit.domain.journal import digest_of
from kvit.domain.model import Agreement, Biller, JournalRow
from kvit.services.intake.matching import OFF, ON, PROPOSE, RULES, Hit, near_numbers
from kvit.services.intake.ports import IntakeBook
from kvit.services.intake.statements import StatementSource
from kvit.services.intake.writing import line_of

RULE_SET = "rule.set"
_SUSPENSE_MAX = 10_000
_PROPOSED_MAX = 5


class Trial(NamedTuple):
    """What a rule alone would find among the statement lines that are in suspense."""

    rule: str
    state: str
    matched: int
    lines: int


def settings(book: IntakeBook) -> dict[str, str]:
    """Rule -> ``on``, ``propose`` or ``off``."""
    return RULES | {row.rule: row.state for row in book.rules() if row.rule in RULES}


def set_rule(book: IntakeBook, rule: str, state: str, author: str, now: datetime) -> bool:
    """False if it is set so already. Raises ``NotFound`` and ``NotAllowed``."""
    if rule not in RULES:
        raise NotFound(f"there is no rule {rule}; known: {', '.join(RULES)}")
    if state not in (ON, PROPOSE, OFF):
        raise NotAllowed(f"a rule is {ON}, {PROPOSE} or {OFF}; nothing was changed")
    before = settings(book)[rule]
    if before == state:
        return False
    biller_id, now_us = book.biller().biller_id, days.to_us(now)
    book.set_rule(RuleRow(biller_id, rule, list(RULES).index(rule), "{}", state, author, now_us))
    (journal_id,) = book.take_ids(1)
    digest = digest_of(RULE_SET, rule, before, state)
    book.write_journal(JournalRow(biller_id, journal_id, now_us, author, RULE_SET, rule, digest, state))
    return True


def in_suspense(book: IntakeBook) -> list[LineRow]:
    """Lines whose money is in suspense."""
    return book.waiting([IN_SUSPENSE], _SUSPENSE_MAX)


def proposals(
    book: IntakeBook, rows: Sequence[LineRow], biller: Biller, rules: Mapping[str, str]
) -> dict[int, list[Hit]]:
    """Receipt -> accounts that the money may be of: by the rules, and by numbers that are nearly right."""
    found: dict[int, list[Hit]] = {}
    by_source: dict[str, list[LineRow]] = {}
    for row in rows:
        if row.receipt is not None:
            by_source.setdefault(row.source, []).append(row)
    for source, some in by_source.items():
        if source.startswith("bank:"):
            everything = dict.fromkeys(RULES, PROPOSE) | {
                rule: OFF for rule, state in rules.items() if state == OFF
            }
            reader = StatementSource(biller, source.removeprefix("bank:"), (), everything)
            matches = reader.match(book, [line_of(row) for row in some])
            for row, matched in zip(some, matches, strict=True):
                found[row.receipt or 0] = list(matched.proposals)[:_PROPOSED_MAX]
        else:
            for row in some:
                # A barcode is kept whole, whatever was cut off it to have the number.
                whole = [Hit("near", one, "the whole barcode") for one in book.existing([row.document])]
                found[row.receipt or 0] = whole + near_hits(book, row.file_number)
    return found


def near_hits(book: IntakeBook, number: str) -> list[Hit]:
    """Accounts whose number somebody may have mistyped as this one."""
    near = book.existing(near_numbers(number))
    return [Hit("near", one, f"nearly {number}") for one in sorted(near)][:_PROPOSED_MAX]


def trials(
    book: IntakeBook, biller: Biller, agreements: Sequence[Agreement], rules: Mapping[str, str]
) -> list[Trial]:
    """Each rule by itself over the statement lines that are in suspense."""
    rows = [row for row in in_suspense(book) if row.kind == "statement"]
    by_source: dict[str, list[LineRow]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    done = []
    for rule in RULES:
        alone = dict.fromkeys(RULES, OFF) | {rule: ON}
        matched = 0
        for source, some in by_source.items():
            reader = StatementSource(biller, source.removeprefix("bank:"), agreements, alone)
            matched += sum(one.hit is not None for one in reader.match(book, [line_of(row) for row in some]))
        done.append(Trial(rule, rules[rule], matched, len(rows)))
    return done
