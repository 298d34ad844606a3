"""The contract with an agent as data: read from a file, checked, kept with its secrets encrypted.

A wrong setting is refused with its place and the reason, and nothing of the file is applied.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import IPv6Network, ip_network
from typing import Any, Protocol
from zoneinfo import ZoneInfoNotFoundError

import msgspec

from kvit.domain import days
from kvit.domain.errors import SettingsError
from kvit.domain.file_terms import FileTerms
from kvit.domain.model import BY_INVOICE, FILES_ONLY, Agreement, Biller, Fee, ServiceTerms
from kvit.domain.money import exponent_of, parse_amount
from kvit.domain.relay_terms import NO_RELAY, RelayTerms
from kvit.services.agreement_spec import AgreementSpec, FeeSpec, RelaySpec, parse_file
from kvit.services.file_spec import file_terms

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_FIELD = re.compile(r"[A-Za-z0-9_]{1,40}(\.[A-Za-z0-9_]{1,40}){0,3}")
_FIELDS_MAX = 5
#: Bounds of a relay, and a year.
_CAPS = ("max_sum", "account_day_max", "day_max")
_HOURS_MAX = 8_784
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

    def locks(self, protocol: str) -> Collection[str]:
        """What the protocol asks of an agreement to know its agent: ``basic``, ``secret``, ``key``."""
        ...

    def may_hold(self, protocol: str) -> bool:
        """Does it announce payments before it posts them?"""
        ...

    def file_problems(self, terms: FileTerms) -> Mapping[str, str]:
        """Place (``debts.options.encoding``) -> what is wrong with the format, option or time there."""
        ...

    def read_text(self, text: str) -> str:
        """A key of any kind as it stands in its file, from that text or the file's path. Raises
        ``SettingsError`` with the reason."""
        ...

    def read_key(self, text: str, *, is_private: bool) -> str:
        """A key as PEM, from PEM or from a file's path. Raises ``SettingsError`` with the reason."""
        ...


def read_file(data: bytes, biller: Biller, catalogue: Catalogue) -> list[Agreement]:
    """Every agreement of a TOML file, checked. Raises ``SettingsError`` naming the place and the reason."""
    parsed = parse_file(data)
    agreements = [
        _checked(spec, f"agreement[{place}]", biller, catalogue) for place, spec in enumerate(parsed)
    ]
    names = [agreement.agreement_id for agreement in agreements]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise SettingsError(f"agreement[{place}].id: {name} is there twice")
    return agreements


def _wrong(place: str, reason: str) -> SettingsError:
    return SettingsError(f"{place}: {reason}")


def _checked(spec: AgreementSpec, place: str, biller: Biller, catalogue: Catalogue) -> Agreement:
    if not _ID.fullmatch(spec.id):
        raise _wrong(f"{place}.id", "1 to 40 small latin letters, digits, - and _; it is the door /pay/<id>")
    if spec.protocol != FILES_ONLY and spec.protocol not in catalogue.names():
        known = ", ".join([*catalogue.names(), FILES_ONLY])
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
    has_door = spec.protocol != FILES_ONLY
    if has_door:
        _check_lock(spec, place, catalogue.locks(spec.protocol))
    else:
        _check_no_door(spec, place)
    terms = _with_key(file_terms(spec), place, catalogue)
    for inside, reason in catalogue.file_problems(terms).items():
        raise _wrong(f"{place}.{inside}", reason)
    exponent = exponent_of(currency)
    low_minor, high_minor = _limits(spec.min_sum, spec.max_sum, exponent, place)
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
        dialect=tuple(sorted(_dialect(spec, f"{place}.dialect", catalogue).items())) if has_door else (),
        title=spec.title or spec.id,
        secret=spec.secret,
        public_key=_key(spec.public_key, f"{place}.public_key", catalogue, is_private=False),
        private_key=_key(spec.private_key, f"{place}.private_key", catalogue, is_private=True),
        services=_services(spec, exponent, place),
        payer_key=BY_INVOICE if spec.payer_key == BY_INVOICE else "",
        payer_fields=_payer_fields(spec, place),
        may_refund=spec.refund == "allow",
        may_hold=has_door and catalogue.may_hold(spec.protocol),
        files=terms,
        relay=NO_RELAY if spec.relay is None else _relay(spec.relay, exponent, f"{place}.relay"),
    )


def _relay(spec: RelaySpec, exponent: int, place: str) -> RelayTerms:
    caps = {name: _sum(getattr(spec, name), exponent, f"{place}.{name}") for name in _CAPS}
    for name, cap_minor in caps.items():
        if cap_minor == 0:
            raise _wrong(f"{place}.{name}", "nothing could be paid; leave it out for no bound")
    if not 0 <= spec.hours <= _HOURS_MAX:
        raise _wrong(f"{place}.hours", f"must be 0 (for ever) to {_HOURS_MAX}")
    return RelayTerms(caps["max_sum"], caps["account_day_max"], caps["day_max"], spec.hours, spec.when_old)


def _check_no_door(spec: AgreementSpec, place: str) -> None:
    """Settings of a door would only seem to do something."""
    for name in ("networks", "basic", "secret", "public_key", "private_key", "dialect", "relay"):
        if getattr(spec, name):
            raise _wrong(f"{place}.{name}", f'protocol "{FILES_ONLY}" has no door, so it has no {name}')


def _with_key(terms: FileTerms, place: str, catalogue: Catalogue) -> FileTerms:
    """The channel's key in place of the path that it may be."""
    channel = terms.channel
    if channel is None or not channel.private_key:
        return terms
    try:
        key = catalogue.read_text(channel.private_key)
    except SettingsError as error:
        raise _wrong(f"{place}.channel.private_key", str(error)) from error
    return replace(terms, channel=replace(channel, private_key=key))


def _key(text: str, place: str, catalogue: Catalogue, *, is_private: bool) -> str:
    if not text:
        return ""
    try:
        return catalogue.read_key(text, is_private=is_private)
    except SettingsError as error:
        raise _wrong(place, str(error)) from error


def _payer_fields(spec: AgreementSpec, place: str) -> tuple[str, ...]:
    if isinstance(spec.payer_key, str):
        if spec.payer_key in ("account", BY_INVOICE):
            return ()
        raise _wrong(f"{place}.payer_key", 'must be "account", "invoice", or a list of the names of fields')
    fields = tuple(spec.payer_key)
    good = all(_FIELD.fullmatch(name) for name in fields)
    if not good or not 1 <= len(fields) <= _FIELDS_MAX or len(set(fields)) != len(fields):
        reason = (
            f'1 to {_FIELDS_MAX} different names of fields, such as ["account.contract"], ["data1", "data2"]'
        )
        raise _wrong(f"{place}.payer_key", reason)
    return fields


def _services(spec: AgreementSpec, exponent: int, place: str) -> tuple[ServiceTerms, ...]:
    """A list of codes, or a table of them with what each is."""
    if isinstance(spec.services, list):
        if len(set(spec.services)) != len(spec.services) or not all(spec.services):
            raise _wrong(f"{place}.services", "each code once, and none of them empty")
        return tuple(ServiceTerms(code, code) for code in spec.services)
    services = []
    for code, one in spec.services.items():
        inside = f"{place}.services.{code}"
        low_minor, high_minor = _limits(one.min_sum, one.max_sum, exponent, inside)
        services.append(ServiceTerms(code, one.service or code, low_minor, high_minor, one.title))
    return tuple(services)


def _check_lock(spec: AgreementSpec, place: str, locks: Collection[str]) -> None:
    """Networks or credentials: who may use the door has to be said, in a way that the protocol looks at."""
    given = {"basic": spec.basic, "secret": spec.secret, "key": spec.public_key}
    for name, value in given.items():
        if value and name not in locks:
            setting = "public_key" if name == "key" else name
            raise _wrong(f"{place}.{setting}", f"the protocol {spec.protocol} does not ask for it")
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
    for name in ("public_key", "private_key") if "key" in locks else ():
        if not getattr(spec, name):
            raise _wrong(f"{place}.{name}", f"{spec.protocol} signs both ways, so both keys are needed")
    is_locked = any(given.values())
    if not is_locked and (not networks or any(network.prefixlen == 0 for network in networks)):
        others = [{"key": "public_key"}.get(lock, lock) for lock in locks]
        if others:
            reason = f"an agreement needs networks, {' or '.join(others)}, or both: else anybody could pay"
        else:
            reason = f"{spec.protocol} has no credentials, so it needs networks: else anybody could pay"
        raise _wrong(f"{place}.networks", reason)


def _limits(low: str, high: str, exponent: int, place: str) -> tuple[int | None, int | None]:
    low_minor = _sum(low, exponent, f"{place}.min_sum")
    high_minor = _sum(high, exponent, f"{place}.max_sum")
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


#: What is kept encrypted, and never shown.
SECRETS = ("basic_password", "secret", "private_key")
CHANNEL_SECRETS = ("secret", "private_key")


def to_spec(agreement: Agreement) -> tuple[str, str]:
    """The agreement as two JSON texts: what may be seen, and its secrets."""
    values: dict[str, Any] = msgspec.to_builtins(agreement)
    secrets = {name: values.pop(name) for name in SECRETS}
    channel = values["files"]["channel"]
    if channel is not None:
        secrets["channel"] = {name: channel.pop(name) for name in CHANNEL_SECRETS}
    del values["version"]
    return json.dumps(values, sort_keys=True, ensure_ascii=False), json.dumps(secrets, sort_keys=True)


def from_spec(spec: str, secrets: str, version: int) -> Agreement:
    """What ``to_spec`` gave, as the agreement again. Raises ``SettingsError`` for anything else."""
    try:
        values = json.loads(spec) | json.loads(secrets) | {"version": version}
        channel = values.pop("channel", None)
        if channel:
            values["files"]["channel"] |= channel
        return msgspec.convert(values, Agreement)
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError("what is stored of the agreement is damaged; apply it again") from error


def same_terms(one: Agreement, other: Agreement) -> bool:
    return replace(one, version=0) == replace(other, version=0)
