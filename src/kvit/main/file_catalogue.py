"""What the lists of formats and channels say about an agreement's settings for files."""

from __future__ import annotations

from collections.abc import Mapping

from kvit.channels.registry import channel_problems
from kvit.domain.file_terms import FileTerms, RegisterTerms
from kvit.domain.lines import REGISTER
from kvit.files.debts.catalogue import debt_problems
from kvit.files.formats import FORMATS
from kvit.services.schedule.times import schedule_problems


def file_problems(terms: FileTerms) -> Mapping[str, str]:
    """Place (``debts.options.encoding``) -> what is wrong there; empty when nothing is."""
    found: dict[str, str] = {}
    if terms.debts is not None:
        found |= _below("debts", debt_problems(terms.debts))
    if terms.register is not None:
        found |= _below("register", register_problems(terms.register))
    if terms.settlement is not None and not (terms.settlement.payer_accounts or terms.settlement.words):
        found["settlement"] = "name payer_accounts or words, by which the lump sum is known"
    if terms.channel is not None:
        found |= _below("channel", channel_problems(terms.channel))
    if terms.schedule is not None:
        found |= _below("schedule", schedule_problems(terms.schedule))
        if terms.channel is None and (terms.schedule.send or terms.schedule.fetch):
            found["schedule"] = "send and fetch need a channel"
        elif terms.debts is None and terms.schedule.send:
            found["schedule"] = "send needs [agreement.debts], which says what is sent"
    return found


def register_problems(terms: RegisterTerms) -> dict[str, str]:
    """The same for the registers that come in, from ``register`` on."""
    known = {name: form for name, form in FORMATS.items() if form.kind == REGISTER}
    if not terms.format:
        return {}
    form = known.get(terms.format)
    if form is None:
        return {"format": f"there is no format {terms.format}; known: {', '.join(known)}"}
    found = {}
    for name, value in terms.options:
        option = form.options.get(name)
        if option is None:
            names = ", ".join(form.options) or "none"
            found[f"options.{name}"] = f"{terms.format} has no such option; known: {names}"
        elif option.choices and value not in option.choices:
            found[f"options.{name}"] = f"must be one of: {', '.join(option.choices)}"
    return found


def _below(part: str, problems: Mapping[str, str]) -> dict[str, str]:
    return {f"{part}.{place}": reason for place, reason in problems.items()}
