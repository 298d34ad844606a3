"""A run as a program reads it, and as a person prints it to hand it to a bank. Secrets are masked in both."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import jinja2

from kvit.domain.money import format_amount
from kvit.protocols.base import Terms
from kvit.protocols.kits.kit import basic_token
from kvit.simulator import texts, views
from kvit.simulator.agent import Exchange
from kvit.simulator.conformance.bench import said
from kvit.simulator.conformance.run import FAILED, PASSED, SKIPPED, Outcome, Report

MASK = "••••••"

#: A shorter word is not looked for in texts: it would be found everywhere.
_SECRET_MIN = 3
_AUTHORIZATION = re.compile(r"(?im)^((?:proxy-)?authorization: *\S+ +).*$")


def masked(text: str, terms: Terms) -> str:
    """A request or an answer without the secrets of ``terms``: in headers, queries, forms and bodies."""
    text = _AUTHORIZATION.sub(r"\g<1>" + MASK, text)
    for secret in _secrets(terms):
        text = text.replace(secret, MASK)
    return text


def _secrets(terms: Terms) -> list[str]:
    words = [word for word in (terms.basic_password, terms.secret) if len(word) >= _SECRET_MIN]
    token = basic_token(terms.basic_login, terms.basic_password).decode("ascii")
    found = [*words, *(quote(word, safe="") for word in words)]
    return sorted({*found, token} if words else {*found}, key=len, reverse=True)


def as_dict(report: Report) -> dict[str, Any]:
    """The whole run for programs, each request and answer with it."""
    return {
        **head(report),
        "steps": [_step(outcome, report.target.network.terms) for outcome in report.outcomes],
    }


def head(report: Report) -> dict[str, Any]:
    """What was tested, and the verdict."""
    target, network = report.target, report.target.network
    return {
        "protocol": network.protocol.name,
        "title": network.protocol.title,
        "agreement": network.terms.agreement_id,
        "url": network.base_url,
        "began": report.began.isoformat(timespec="seconds"),
        "number": target.number,
        "other_number": target.other,
        "unknown_number": target.unknown,
        "sum": format_amount(target.amount_minor, network.terms.exponent),
        "currency": network.terms.currency,
        "dialect": dict(network.terms.dialect),
        "passed": report.count(PASSED),
        "failed": report.count(FAILED),
        "skipped": report.count(SKIPPED),
        "good": report.good,
        "conclusion": conclusion(report),
    }


def conclusion(report: Report) -> str:
    """The verdict in one sentence."""
    failed, passed = report.count(FAILED), report.count(PASSED)
    skipped = report.count(SKIPPED)
    rest = f" {skipped} do not apply here." if skipped else ""
    if failed:
        return f"Not ready: {failed} of {passed + failed} steps failed.{rest}"
    return f"Ready: all {passed} steps passed.{rest}"


def _step(outcome: Outcome, terms: Terms) -> dict[str, Any]:
    step = outcome.step
    return {
        "key": step.key,
        "title": step.title,
        "verdict": outcome.verdict,
        "expected": step.expected,
        "came": list(outcome.said),
        "why": step.why,
        "exchanges": [_exchange(one, terms) for one in outcome.exchanges],
    }


def _exchange(exchange: Exchange, terms: Terms) -> dict[str, Any]:
    return {
        "command": views.KINDS[type(exchange.command)],
        "at": exchange.at.isoformat(timespec="milliseconds"),
        "elapsed_ms": exchange.elapsed_ms,
        "status": exchange.response.status if exchange.response else None,
        "heard": said(exchange),
        "request": masked(exchange.request_text, terms),
        "response": masked(exchange.response_text, terms)
        or texts.text(f"failure.{exchange.failure}" if exchange.failure else "wire.empty"),
    }


def as_html(report: Report) -> str:
    """One page that needs nothing beside itself, on a screen and on paper."""
    content = as_dict(report)
    return _page().render(
        report=content,
        protocol=report.target.network.protocol,
        steps=content["steps"],
        dialect=_changed(report),
        words={PASSED: "passed", FAILED: "failed", SKIPPED: "not tried"},
    )


def _changed(report: Report) -> Sequence[tuple[str, str]]:
    """The switches of the dialect that differ from the protocol's description."""
    switches = report.target.network.protocol.dialect
    given: Mapping[str, str] = report.target.network.terms.dialect
    return [(name, value) for name, value in given.items() if switches[name].default != value]


@cache
def _page() -> jinja2.Template:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("kvit.simulator"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("conformance.html")
