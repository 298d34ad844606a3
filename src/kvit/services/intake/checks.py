"""What is looked at in every line first: is it money, is it new, can it be read?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from hashlib import sha256

from kvit.domain.file_rows import IGNORED as IGNORED_STATE
from kvit.domain.file_rows import QUARANTINE, UNDONE
from kvit.domain.lines import OUT, REGISTER, BadLine, MoneyLine
from kvit.domain.money import AMOUNT_MINOR_MAX
from kvit.services.intake.ports import KnownLine
from kvit.services.intake.words import IGNORED, KNOWN, QUARANTINED, VERDICT_OF, Decided, Item


def quarantined(item: Item, reason: str, rule: str = "") -> Decided:
    return Decided(item.key, item.line, QUARANTINED, QUARANTINE, rule=rule, reason=reason)


def sift(
    items: Sequence[Item],
    known: Mapping[str, KnownLine],
    kind: str,
    currency: str,
    today: str,
    import_id: int,
) -> tuple[list[Decided], list[Item], dict[str, int]]:
    """Decided already; still to be decided; and how often lines were taken back before, by key.

    ``import_id``: what this import has written before it was broken off is told as it was.
    """
    decided: list[Decided] = []
    rest: list[Item] = []
    generations: dict[str, int] = {}
    for item in items:
        before = known.get(item.key)
        if before is not None and before.state != UNDONE:
            decided.append(_known(item, before, known, import_id))
            continue
        if before is not None:
            generations[item.key] = before.generation
        plain = outright(item, kind, currency, today)
        if plain is None:
            rest.append(item)
        else:
            plain.generation, plain.is_kept = generations.get(item.key, 0), item.key in generations
            decided.append(plain)
    return decided, rest, generations


def differing_key(item: Item) -> str:
    """Under which a known line with other content is kept."""
    line = item.line
    assert isinstance(line, MoneyLine)
    text = f"{line.number}|{line.amount_minor}|{line.direction}|{line.is_reversal}"
    return f"{item.key}~{sha256(text.encode()).hexdigest()[:12]}"


def _known(item: Item, before: KnownLine, known: Mapping[str, KnownLine], import_id: int) -> Decided:
    line = item.line
    if isinstance(line, MoneyLine):
        theirs = (line.number, line.amount_minor, line.direction)
        if theirs != (before.file_number, before.amount_minor, before.direction):
            again = known.get(differing_key(item))
            if again is not None and again.state != UNDONE:
                return _told(item, again, import_id)
            changed = f"came before as {before.file_number or 'no number'}, {before.amount_minor} minor units"
            reason = f"the line with this id {changed}: find out from the agent which of them is right"
            differing = quarantined(Item(differing_key(item), line), reason)
            if again is not None:
                differing.generation, differing.is_kept = again.generation, True
            return differing
    return _told(item, before, import_id)


def _told(item: Item, before: KnownLine, import_id: int) -> Decided:
    is_own = before.import_id == import_id and before.state in VERDICT_OF
    verdict = VERDICT_OF[before.state] if is_own else KNOWN
    return Decided(
        item.key, item.line, verdict, number=before.number, rule=before.rule, receipt=before.receipt
    )


def outright(item: Item, kind: str, currency: str, today: str) -> Decided | None:
    """Lines about which nothing has to be asked."""
    line = item.line
    if isinstance(line, BadLine):
        return quarantined(item, line.reason)
    if not line.is_final:
        # It may come again as money, word for word the same: so it leaves no trace.
        return Decided(item.key, line, IGNORED, reason="not booked yet: pending or for information")
    if line.currency and line.currency != currency:
        return quarantined(item, f"is in {line.currency}, and the accounts are kept in {currency}")
    if not _is_day(line.day) or line.day > today:
        return quarantined(item, f"the day {line.day or '(none)'} cannot be: today is {today}")
    if line.amount_minor > AMOUNT_MINOR_MAX:
        return quarantined(item, "the sum is too large to be true")
    if line.amount_minor == 0:
        return Decided(item.key, line, IGNORED, IGNORED_STATE, reason="no money: the sum is zero")
    if line.is_reversal:
        reason = "takes an earlier payment back: void that payment, then drop this line"
        return quarantined(item, reason, "reversal")
    if line.direction == OUT:
        if kind == REGISTER:
            return quarantined(item, "money that goes out has no place in a register of payments")
        return Decided(item.key, line, IGNORED, IGNORED_STATE, reason="money that goes out")
    return None


@lru_cache(maxsize=64)  # the lines of a file share their days
def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
