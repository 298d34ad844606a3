"""What an agreement allows: its dates, its services, its currency and its limits."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from kvit.domain.days import zone
from kvit.domain.messages import BadAmount, Refused
from kvit.domain.model import Agreement, ServiceTerms

#: Kept in the place of a service's code where the network named none, and the books know one.
NO_CODE = "-"


class Asked(Protocol):
    """What a question about a client and an announcement have in common."""

    @property
    def service(self) -> str: ...


def is_open(agreement: Agreement, now: datetime) -> bool:
    """Is ``now`` within the agreement's validity dates (both inclusive, in its zone)?"""
    if not agreement.valid_from and not agreement.valid_until:
        return True
    today = now.astimezone(zone(agreement.timezone)).date().isoformat()
    if agreement.valid_from and today < agreement.valid_from:
        return False
    return not agreement.valid_until or today <= agreement.valid_until


def service_terms(agreement: Agreement, code: str) -> ServiceTerms | None:
    """The service that a network's code stands for; ``None`` for one that is not collected for.

    An agreement that lists no services takes any code as it is. One that lists a single service means it
    where the network names none.
    """
    services = agreement.services
    if not services:
        return ServiceTerms(code, code)
    if not code and len(services) == 1:
        return services[0]
    return next((one for one in services if one.code == code), None)


def booked_service(agreement: Agreement, code: str) -> str:
    """The name under which the books know a network's service."""
    if not agreement.services:
        return code
    terms = service_terms(agreement, code)
    return code if terms is None else terms.service


def not_allowed(agreement: Agreement, command: Asked, currency: str, now: datetime) -> Refused | None:
    """The refusal that is about the agreement and not about the client."""
    if not is_open(agreement, now):
        return Refused("agreement-closed")
    if currency and currency != agreement.currency:
        return Refused("currency")
    if agreement.services and service_terms(agreement, command.service) is None:
        return Refused("service")
    return None


def outside_limits(agreement: Agreement, amount_minor: int, code: str = "") -> BadAmount | None:
    """The refusal, when the sum is zero or outside the limits of the agreement or of the service."""
    low_minor, high_minor = max(agreement.min_minor or 0, 1), agreement.max_minor
    terms = service_terms(agreement, code) if agreement.services else None
    if terms is not None:
        low_minor = max(low_minor, terms.min_minor or 0)
        highs = [high for high in (high_minor, terms.max_minor) if high is not None]
        high_minor = min(highs) if highs else None
    if amount_minor < low_minor or (high_minor is not None and amount_minor > high_minor):
        return BadAmount(amount_minor, low_minor, high_minor)
    return None
