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
from ipaddress import ip_network
from typing import Any, Literal, Protocol
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
    dialect: dict[str, str | bool | int] = {}


class AgreementFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agreement: list[AgreementSpec]


def read_file(data: bytes, biller: Biller, catalogue: Catalogue) -> list[Agreement]:
    """Every agreement of a TOML file, checked. Raises ``SettingsError`` naming the place and the reason."""
    try:
        values = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the file is not TOML in UTF-8: {error}") from error
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


def _readable(message: str) -> str:
    """``Expected `str`, got `int` - at `$.agreement[0].min_sum``` -> the place first, without the dollar."""
    reason, _, place = message.partition(" - at ")
    place = place.strip("`").removeprefix("$.").removeprefix("$")
    return f"{place}: {reason}" if place else reason


def _checked(spec: AgreementSpec, place: str, biller: Biller, catalogue: Catalogue) -> Agreement:
    def wrong(key: str, reason: str) -> SettingsError:
        return SettingsError(f"{place}.{key}: {reason}")

    if not _ID.fullmatch(spec.id):
        raise wrong("id", "1 to 40 small latin letters, digits, - and _; it becomes the door /pay/<id>")
    if spec.protocol not in catalogue.names():
        raise wrong("protocol", f"there is no {spec.protocol}; known: {', '.join(catalogue.names())}")
    dialect = {key: _switch_text(value) for key, value in spec.dialect.items()}
    for key, reason in catalogue.dialect_problems(spec.protocol, dialect).items():
        raise wrong(f"dialect.{key}", reason)
    currency = spec.currency or biller.currency
    if currency != biller.currency:
        raise wrong("currency", f"the accounts of {biller.biller_id} are kept in {biller.currency}")
    try:
        days.zone(spec.timezone or biller.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise wrong("timezone", f"there is no time zone {spec.timezone}") from error
    for number, network in enumerate(spec.networks):
        try:
            ip_network(network)
        except ValueError as error:
            raise wrong(f"networks[{number}]", str(error)) from error
    if spec.basic is None and not spec.networks:
        raise wrong("networks", "an agreement needs networks, basic, or both: else anybody could pay")
    if spec.basic is not None and (
        not spec.basic.login or not spec.basic.password or ":" in spec.basic.login
    ):
        raise wrong("basic", "login and password must not be empty, and the login has no colon")
    if spec.valid_from and spec.valid_until and spec.valid_until < spec.valid_from:
        raise wrong("valid_until", "is before valid_from")
    exponent = exponent_of(currency)
    low_minor = _sum(spec.min_sum, exponent, f"{place}.min_sum")
    high_minor = _sum(spec.max_sum, exponent, f"{place}.max_sum")
    if low_minor is not None and high_minor is not None and high_minor < low_minor:
        raise wrong("max_sum", "is below min_sum")
    return Agreement(
        agreement_id=spec.id,
        biller_id=biller.biller_id,
        protocol=spec.protocol,
        mode=spec.mode,
        currency=currency,
        exponent=exponent,
        timezone=spec.timezone or biller.timezone,
        networks=tuple(spec.networks),
        basic_login=spec.basic.login if spec.basic else "",
        basic_password=spec.basic.password if spec.basic else "",
        min_minor=low_minor,
        max_minor=high_minor,
        show_name=spec.show_name,
        valid_from=spec.valid_from.isoformat() if spec.valid_from else "",
        valid_until=spec.valid_until.isoformat() if spec.valid_until else "",
        fee=_fee(spec.fee, exponent, f"{place}.fee"),
        dialect=tuple(sorted(dialect.items())),
        title=spec.title or spec.id,
    )


def _switch_text(value: str | bool | int) -> str:
    """TOML's ``true`` and numbers as the switches' own text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _sum(text: str, exponent: int, place: str) -> int | None:
    if not text:
        return None
    amount_minor = parse_amount(text, exponent)
    if amount_minor is None:
        raise SettingsError(
            f'{place}: write a sum like "10.00", with at most {exponent} digits after the point'
        )
    return amount_minor


def _fee(spec: FeeSpec, exponent: int, place: str) -> Fee:
    if not _PERCENT.fullmatch(spec.percent):
        raise SettingsError(f'{place}.percent: write a percentage like "1.2"')
    whole, _, rest = spec.percent.partition(".")
    return Fee(
        percent_millionths=int(whole + rest.ljust(4, "0")),
        fixed_minor=_sum(spec.fixed, exponent, f"{place}.fixed") or 0,
        min_minor=_sum(spec.min, exponent, f"{place}.min") or 0,
        max_minor=_sum(spec.max, exponent, f"{place}.max"),
    )


def to_spec(agreement: Agreement) -> tuple[str, str]:
    """The agreement as two JSON texts: what may be seen, and its secrets."""
    values: dict[str, Any] = msgspec.to_builtins(agreement)
    secrets = {"basic_password": values.pop("basic_password")}
    del values["version"]
    return json.dumps(values, sort_keys=True, ensure_ascii=False), json.dumps(secrets, sort_keys=True)


def from_spec(spec: str, secrets: str, version: int) -> Agreement:
    """What ``to_spec`` gave, as the agreement again."""
    values = json.loads(spec) | json.loads(secrets) | {"version": version}
    return msgspec.convert(values, Agreement)


def same_terms(one: Agreement, other: Agreement) -> bool:
    return replace(one, version=0) == replace(other, version=0)
