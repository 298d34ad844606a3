"""Every kind of channel, and whether an agreement's settings for one are right."""

from __future__ import annotations

from kvit.channels import folder
from kvit.channels.base import Kind, Settings, option_problem, settings_of
from kvit.domain.file_terms import ChannelTerms

KINDS: dict[str, Kind] = {"folder": folder.KIND}


def channel_problems(terms: ChannelTerms) -> dict[str, str]:
    """Setting -> what is wrong with it; empty when nothing is.

    A setting is ``kind``, ``secret``, ``private_key`` or ``options.<name>``.
    """
    kind = KINDS.get(terms.kind)
    if kind is None:
        return {"kind": f"there is no {terms.kind}; known: {', '.join(KINDS)}"}
    problems = {}
    for name, value in terms.options:
        if name not in kind.options:
            problems[f"options.{name}"] = f"{terms.kind} has no such option; known: {', '.join(kind.options)}"
            continue
        reason = option_problem(kind.options[name], value)
        if reason:
            problems[f"options.{name}"] = reason
    return problems or kind.check(settings_of(kind, terms))


def open_settings(terms: ChannelTerms) -> tuple[Kind, Settings]:
    """For terms without problems."""
    kind = KINDS[terms.kind]
    return kind, settings_of(kind, terms)
