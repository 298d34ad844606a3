"""What the simulator is told of an agreement, beside the agent's terms."""

from __future__ import annotations

from kvit.domain.model import Agreement
from kvit.simulator.orders import Contract

#: The sum of a check before the payer has named one, in whole units of the currency.
_CHECK_UNITS = 100


def contract_of(agreement: Agreement) -> Contract:
    """The first service that the agreement lists, and a sum that its limits allow."""
    service = agreement.services[0].code if agreement.services else ""
    least_minor = max(agreement.min_minor or 0, 1)
    check_minor = max(_CHECK_UNITS * 10**agreement.exponent, least_minor)
    if agreement.max_minor is not None:
        check_minor = min(check_minor, agreement.max_minor)
    return Contract(service, check_minor, least_minor)
