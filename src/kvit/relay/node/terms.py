"""The agreements that the office has sent: what they allow, and their protocols."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Dict, List, Mapping, Optional, Tuple
from zoneinfo import ZoneInfo

import kvit.protocols
from kvit.domain.messages import BadAmount, Refused
from kvit.domain.networks import Networks
from kvit.protocols.base import Protocol, Terms

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_SHARED = frozenset({"base", "kits", "registry"})


@dataclass(frozen=True)
class ServiceLimits:
    """One of several services at a door: the network's code, and limits of its own."""

    code: str
    min_minor: Optional[int] = None
    max_minor: Optional[int] = None


@dataclass(frozen=True)
class Contract:
    """One agreement as the node keeps it.

    ``exact``: payers type an invoice's number, and pay its one sum once. ``closed``: the door is being moved;
    only what is in the inbox is confirmed. ``complete``: every payment of this agreement came through this
    inbox, so that an unknown one was never made. ``refund``: ``refuse``, or ``office``: asked, decided there.
    """

    agreement: str
    biller: str
    protocol: str
    currency: str
    exponent: int
    zone_name: str
    networks: Tuple[str, ...]
    terms: Terms
    services: Tuple[ServiceLimits, ...]
    min_minor: Optional[int]
    max_minor: Optional[int]
    valid_from: str
    valid_until: str
    exact: bool
    closed: bool
    complete: bool
    refund: str
    title: str

    @property
    def zone(self) -> tzinfo:
        """The agreement's zone; UTC where the host does not know it."""
        return zone_of(self.zone_name)

    def admits(self, address: str) -> bool:
        """An agreement without networks relies on its credentials alone."""
        return not self.networks or address in Networks(self.networks)

    def service(self, code: str) -> Optional[ServiceLimits]:
        """The service that a network's code stands for; ``None`` for one that is not collected for."""
        if not self.services:
            return ServiceLimits(code)
        if not code and len(self.services) == 1:
            return self.services[0]
        return next((service for service in self.services if service.code == code), None)

    def not_allowed(self, service: str, currency: str, now_us: int) -> Optional[Refused]:
        """The refusal that is about the agreement and not about the client."""
        today = moment(now_us, self.zone).date().isoformat()
        if (self.valid_from and today < self.valid_from) or (self.valid_until and today > self.valid_until):
            return Refused("agreement-closed")
        if currency and currency != self.currency:
            return Refused("currency")
        return None if self.service(service) is not None else Refused("service")

    def outside_limits(
        self, amount_minor: int, service: str, cap_minor: Optional[int]
    ) -> Optional[BadAmount]:
        """The refusal, when the sum is zero or outside the limits of agreement, service or relay."""
        terms = self.service(service) or ServiceLimits(service)
        low_minor = max(self.min_minor or 0, terms.min_minor or 0, 1)
        highs = [high for high in (self.max_minor, terms.max_minor, cap_minor) if high is not None]
        high_minor = min(highs) if highs else None
        if amount_minor < low_minor or (high_minor is not None and amount_minor > high_minor):
            return BadAmount(amount_minor, low_minor, high_minor)
        return None


def zone_of(name: str) -> tzinfo:
    """A zone by its name; UTC where the host has no such data: the instant is right all the same."""
    try:
        return ZoneInfo(name) if name else timezone.utc
    except (OSError, ValueError, KeyError):
        return timezone.utc


def moment(at_us: int, zone: tzinfo) -> datetime:
    """Microseconds since 1970 -> an aware instant."""
    return (_EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


def instant_us(network_time: str, zone: tzinfo) -> Optional[int]:
    """ISO text -> microseconds since 1970; ``None`` when it is empty or no time at all."""
    try:
        at = datetime.fromisoformat(network_time) if network_time else None
        if at is None:
            return None
        delta = (at if at.tzinfo else at.replace(tzinfo=zone)) - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def packed_protocols() -> List[str]:
    """The protocols that this build can speak."""
    return sorted(found.name for found in iter_modules(kvit.protocols.__path__) if found.name not in _SHARED)


def protocol_of(name: str) -> Optional[Protocol]:
    """A packed protocol; ``None`` for one that this build does not have."""
    if name not in packed_protocols():
        return None
    found: Protocol = import_module("kvit.protocols." + name).PROTOCOL
    return found


def contract(connection: sqlite3.Connection, agreement: str) -> Optional[Contract]:
    """One agreement of those that the office has sent."""
    row = connection.execute("SELECT terms FROM agreements WHERE agreement = ?", (agreement,)).fetchone()
    return None if row is None else contract_of(json.loads(row[0]))


def contract_of(written: Mapping[str, Any]) -> Contract:
    """What the office wrote of an agreement. Raises ``ValueError`` saying which part cannot be used."""
    agreement = _text(written, "agreement")
    if not agreement or "/" in agreement:
        raise ValueError("agreement: has no id, or one with a slash")
    exponent = _count(written, "exponent")
    networks = tuple(_texts(written, "networks"))
    Networks(networks)
    terms = Terms(
        agreement_id=agreement,
        currency=_text(written, "currency"),
        exponent=2 if exponent is None else exponent,
        basic_login=_text(written, "basic_login"),
        basic_password=_text(written, "basic_password"),
        dialect=_pairs(written, "dialect"),
        secret=_text(written, "secret"),
        payer_fields=tuple(_texts(written, "payer_fields")),
    )
    return Contract(
        agreement=agreement,
        biller=_text(written, "biller"),
        protocol=_text(written, "protocol"),
        currency=terms.currency,
        exponent=terms.exponent,
        zone_name=_text(written, "timezone"),
        networks=networks,
        terms=terms,
        services=tuple(_service(one) for one in written.get("services") or ()),
        min_minor=_count(written, "min_minor"),
        max_minor=_count(written, "max_minor"),
        valid_from=_text(written, "valid_from"),
        valid_until=_text(written, "valid_until"),
        exact=written.get("exact") is True,
        closed=written.get("closed") is True,
        complete=written.get("complete") is True,
        refund="office" if written.get("refund") == "office" else "refuse",
        title=_text(written, "title"),
    )


def _service(written: Mapping[str, Any]) -> ServiceLimits:
    return ServiceLimits(_text(written, "code"), _count(written, "min_minor"), _count(written, "max_minor"))


def _text(written: Mapping[str, Any], name: str) -> str:
    value = written.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(name + ": must be text")
    return value


def _texts(written: Mapping[str, Any], name: str) -> List[str]:
    values = written.get(name) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(name + ": must be a list of texts")
    return values


def _pairs(written: Mapping[str, Any], name: str) -> Dict[str, str]:
    values = written.get(name) or {}
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ValueError(name + ": must be names with texts")
    return values


def _count(written: Mapping[str, Any], name: str) -> Optional[int]:
    value = written.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(name + ": must be a whole number")
    return value
