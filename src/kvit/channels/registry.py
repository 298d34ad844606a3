"""Every kind of channel, and whether an agreement's settings for one are right."""

from __future__ import annotations

from importlib import import_module

from kvit.channels.base import Kind, Settings, option_problem, settings_of
from kvit.domain.file_terms import ChannelTerms

#: Each has a module of its name, loaded when it is used: the libraries of some take a second.
NAMES = ("folder", "sftp", "mail", "https")


def kind_of(name: str) -> Kind:
    """Raises ``KeyError`` for an unknown one."""
    if name not in NAMES:
        raise KeyError(name)
    kind: Kind = import_module(f"kvit.channels.{name}").KIND
    return kind


def channel_problems(terms: ChannelTerms) -> dict[str, str]:
    """Setting -> what is wrong with it; empty when nothing is.

    A setting is ``kind``, ``secret``, ``private_key`` or ``options.<name>``.
    """
    if terms.kind not in NAMES:
        return {"kind": f"there is no {terms.kind}; known: {', '.join(NAMES)}"}
    kind = kind_of(terms.kind)
    problems = {}
    for name, value in terms.options:
        if name not in kind.options:
            problems[f"options.{name}"] = f"{terms.kind} has no such option; known: {', '.join(kind.options)}"
            continue
        reason = option_problem(kind.options[name], value)
        if reason:
            problems[f"options.{name}"] = reason
    if terms.private_key and terms.kind != "sftp":
        problems["private_key"] = "only sftp has one; for https see the option certificate"
    return problems or kind.check(settings_of(kind, terms))


def open_settings(terms: ChannelTerms) -> tuple[Kind, Settings]:
    """For terms without problems."""
    kind = kind_of(terms.kind)
    return kind, settings_of(kind, terms)
