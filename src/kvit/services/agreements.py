"""The contract with an agent as data: read from a file, checked, kept with its secrets encrypted.

A wrong setting is refused with its place and the reason, and nothing of the file is applied.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from ipaddress import IPv6Network, ip_network
from typing import Any, Literal, Protocol, get_args, get_type_hints
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from kvit.domain import days
from kvit.domain.errors import SettingsError
from kvit.domain.model import Agreement, Biller, Fee
from kvit.domain.money import exponent_of, parse_amount

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_PERCENT = re.compile(r"[0-9]{1,2}(\.[0-9]{1,4})?")


class Catalogue(Protocol):
    """What the list of protocols says about settings; handed in, since services know no protocol."""

    def names(self) -> list[str]: ...

    def dialect_problems(self, protocol: str, dialect: Mapping[str, str]) -> Mapping[str, str]:
        """Switch -> what is wrong with it; empty when nothing is."""
        ...

    def is_free_text(self, protocol: str, switch: str) -> bool:
        """May the switch be any text of a form, and not one of a few words?"""
        ...


class BasicSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HTTP Basic credentials that the agent sends."""

    login: str
    password: str


class FeeSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the agent keeps: percent of the sum plus a fixed part, within min and max."""

    percent: str = "0"
    fixed: str = "0"
    min: str = "0"
    max: str = ""


class AgreementSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[agreement]]`` of the file; sums are text in major units."""

    id: str
    protocol: str
    mode: Literal["test", "live"] = "live"
    title: str = ""
    currency: str = ""
    timezone: str = ""
    networks: list[str] = []
    basic: BasicSpec | None = None
    min_sum: str = ""
    max_sum: str = ""
    show_name: Literal["none", "masked", "full"] = "masked"
    valid_from: date | None = None
    valid_until: date | None = None
    fee: FeeSpec = FeeSpec()
    dialect: dict[str, Any] = {}


class AgreementFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agreement: list[AgreementSpec] = []


def read_file(data: bytes, biller: Biller, catalogue: Catalogue) -> list[Agreement]:
    """Every agreement of a TOML file, checked. Raises ``SettingsError`` naming the place and the reason."""
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"the file is not in UTF-8 (line {line}); save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SettingsError(f"the file is not TOML: {error}") from error
    try:
        parsed = msgspec.convert(values, AgreementFile)
    except msgspec.ValidationError as error:
        raise SettingsError(_readable(str(error))) from error
    if not parsed.agreement:
        raise SettingsError("the file has no [[agreement]]")
    agreements = [
        _checked(spec, f"agreement[{place}]", biller, catalogue)
        for place, spec in enumerate(parsed.agreement)
    ]
    names = [agreement.agreement_id for agreement in agreements]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise SettingsError(f"agreement[{place}].id: {name} is there twice")
    return agreements


_WORDS = {
    "str": "text in quotes", "int": "a whole number", "float": "a number", "bool": "true or false",
    "array": "a list", "object": "a table", "date": "a date like 2026-12-31", "null": "nothing",
}  # fmt: skip


def _readable(message: str) -> str:
    """``Expected `str`, got `int` - at `$.agreement[0].min_sum``` -> the place first, in words of TOML."""
    reason, _, place = message.partition(" - at ")
    place = place.strip("`").removeprefix("$.").removeprefix("$")
    if reason.startswith("Expected"):
        kinds = re.sub(r"\w+", lambda kind: _WORDS.get(kind[0], kind[0]), reason.partition("Expected")[2])
        reason = "must be" + kinds.replace("`", "").replace(" | nothing", "").replace(", got", ", not")
    elif reason.startswith("Object contains unknown field"):
        reason = f"there is no setting {reason.rpartition(' ')[2]} here"
    elif reason.startswith("Object missing required field"):
        reason = f"the setting {reason.rpartition(' ')[2]} is missing"
    elif reason.startswith("Invalid enum value"):
        choices = get_args(get_type_hints(AgreementSpec).get(place.rpartition(".")[2]))
        reason = f"must be one of: {', '.join(choices)}"
    return f"{place}: {reason}" if place else reason


def _wrong(place: str, reason: str) -> SettingsError:
    return SettingsError(f"{place}: {reason}")


def _checked(spec: AgreementSpec, place: str, biller: Biller, catalogue: Catalogue) -> Agreement:
    if not _ID.fullmatch(spec.id):
        raise _wrong(f"{place}.id", "1 to 40 small latin letters, digits, - and _; it is the door /pay/<id>")
    if spec.protocol not in catalogue.names():
        known = ", ".join(catalogue.names())
        raise _wrong(f"{place}.protocol", f"there is no {spec.protocol}; known: {known}")
    currency = spec.currency or biller.currency
    if currency != biller.currency:
        reason = f"the accounts of {biller.biller_id} are kept in {biller.currency}"
        raise _wrong(f"{place}.currency", reason)
    timezone = spec.timezone or biller.timezone
    try:
        days.zone(timezone)
    except ZoneInfoNotFoundError as error:
        raise _wrong(f"{place}.timezone", f"there is no time zone {timezone}") from error
    if spec.valid_from and spec.valid_until and spec.valid_until < spec.valid_from:
        raise _wrong(f"{place}.valid_until", "is before valid_from")
    if any(not character.isprintable() for character in spec.title):
        raise _wrong(f"{place}.title", "must be one line of plain text")
    _check_lock(spec, place)
    exponent = exponent_of(currency)
    low_minor, high_minor = _limits(spec, exponent, place)
    return Agreement(
        agreement_id=spec.id,
        biller_id=biller.biller_id,
        protocol=spec.protocol,
        mode=spec.mode,
        currency=currency,
        exponent=exponent,
        timezone=timezone,
        networks=tuple(spec.networks),
        basic_login=spec.basic.login if spec.basic else "",
        basic_password=spec.basic.password if spec.basic else "",
        min_minor=low_minor,
        max_minor=high_minor,
        show_name=spec.show_name,
        valid_from=spec.valid_from.isoformat() if spec.valid_from else "",
        valid_until=spec.valid_until.isoformat() if spec.valid_until else "",
        fee=_fee(spec.fee, exponent, f"{place}.fee"),
        dialect=tuple(sorted(_dialect(spec, f"{place}.dialect", catalogue).items())),
        title=spec.title or spec.id,
    )


def _check_lock(spec: AgreementSpec, place: str) -> None:
    """Networks or credentials: who may use the door has to be said."""
    networks = []
    for number, text in enumerate(spec.networks):
        try:
            networks.append(ip_network(text))
        except ValueError as error:
            raise _wrong(f"{place}.networks[{number}]", str(error)) from error
        if isinstance(networks[-1], IPv6Network) and networks[-1].network_address.ipv4_mapped:
            raise _wrong(f"{place}.networks[{number}]", "write an IPv4 network as such, without ::ffff:")
    basic = spec.basic
    if basic is not None and (not basic.login or not basic.password or ":" in basic.login):
        raise _wrong(f"{place}.basic", "login and password must not be empty, and the login has no colon")
    if basic is None and (not networks or any(network.prefixlen == 0 for network in networks)):
        reason = "an agreement needs networks, basic, or both: else anybody could pay"
        raise _wrong(f"{place}.networks", reason)


def _limits(spec: AgreementSpec, exponent: int, place: str) -> tuple[int | None, int | None]:
    low_minor = _sum(spec.min_sum, exponent, f"{place}.min_sum")
    high_minor = _sum(spec.max_sum, exponent, f"{place}.max_sum")
    if high_minor == 0:
        raise _wrong(f"{place}.max_sum", "nothing could be paid; leave it out for no limit")
    if low_minor is not None and high_minor is not None and high_minor < low_minor:
        raise _wrong(f"{place}.max_sum", "is below min_sum")
    return low_minor, high_minor


def _dialect(spec: AgreementSpec, place: str, catalogue: Catalogue) -> dict[str, str]:
    """The switches as texts: TOML's ``true`` is ``on``, a number its digits."""
    texts: dict[str, str] = {}
    for name, value in spec.dialect.items():
        if isinstance(value, bool):
            texts[name] = "on" if value else "off"
        elif isinstance(value, str | int):
            texts[name] = str(value)
        else:
            raise _wrong(f"{place}.{name}", "must be text in quotes, a whole number, or true or false")
    for name, reason in catalogue.dialect_problems(spec.protocol, texts).items():
        raise _wrong(f"{place}.{name}", reason)
    for name, value in spec.dialect.items():
        if isinstance(value, bool) and catalogue.is_free_text(spec.protocol, name):
            raise _wrong(f"{place}.{name}", "must be text in quotes, not true or false")
    return texts


def _sum(text: str, exponent: int, place: str) -> int | None:
    if not text:
        return None
    amount_minor = parse_amount(text, exponent)
    if amount_minor is None:
        raise _wrong(place, f'write a sum like "10.00", with at most {exponent} digits after the point')
    return amount_minor


def _fee(spec: FeeSpec, exponent: int, place: str) -> Fee:
    if not _PERCENT.fullmatch(spec.percent):
        raise _wrong(f"{place}.percent", 'write a percentage like "1.2", below 100')
    whole, _, rest = spec.percent.partition(".")
    low_minor = _sum(spec.min, exponent, f"{place}.min") or 0
    high_minor = _sum(spec.max, exponent, f"{place}.max")
    if high_minor is not None and high_minor < low_minor:
        raise _wrong(f"{place}.max", "is below min")
    return Fee(
        percent_millionths=int(whole + rest.ljust(4, "0")),
        fixed_minor=_sum(spec.fixed, exponent, f"{place}.fixed") or 0,
        min_minor=low_minor,
        max_minor=high_minor,
    )


def to_spec(agreement: Agreement) -> tuple[str, str]:
    """The agreement as two JSON texts: what may be seen, and its secrets."""
    values: dict[str, Any] = msgspec.to_builtins(agreement)
    secrets = {"basic_password": values.pop("basic_password")}
    del values["version"]
    return json.dumps(values, sort_keys=True, ensure_ascii=False), json.dumps(secrets, sort_keys=True)


def from_spec(spec: str, secrets: str, version: int) -> Agreement:
    """What ``to_spec`` gave, as the agreement again. Raises ``SettingsError`` for anything else."""
    try:
        values = json.loads(spec) | json.loads(secrets) | {"version": version}
        return msgspec.convert(values, Agreement)
    except (ValueError, TypeError) as error:
        raise SettingsError("what is stored of the agreement is damaged; apply it again") from error


def same_terms(one: Agreement, other: Agreement) -> bool:
    return replace(one, version=0) == replace(other, version=0)
