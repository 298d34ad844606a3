"""What a node is told of the agreements whose doors it has, or had."""

from __future__ import annotations

from typing import Any

from kvit.domain.model import Agreement
from kvit.protocols.base import Terms


def why_not(agreement: Agreement) -> str:
    """Why a relay cannot serve this agreement; empty when it can."""
    if not agreement.has_door:
        return "it has no door"
    if agreement.private_key or agreement.public_key:
        return "its protocol signs with keys that stay in the office"
    if agreement.by_invoice:
        return "payers type numbers of invoices, and a relay's copy has accounts"
    return ""


def door_terms(agreement: Agreement, terms: Terms, *, is_closed: bool, is_complete: bool) -> dict[str, Any]:
    """An agreement as the node keeps it. Refunds of booked payments are the office's affair alone."""
    return {
        "agreement": agreement.agreement_id,
        "biller": agreement.biller_id,
        "protocol": agreement.protocol,
        "currency": agreement.currency,
        "exponent": agreement.exponent,
        "timezone": agreement.timezone,
        "networks": list(agreement.networks),
        "basic_login": agreement.basic_login,
        "basic_password": agreement.basic_password,
        "secret": agreement.secret,
        "dialect": dict(terms.dialect),
        "payer_fields": list(agreement.payer_fields),
        "services": [
            {"code": one.code, "min_minor": one.min_minor, "max_minor": one.max_minor}
            for one in agreement.services
        ],
        "min_minor": agreement.min_minor,
        "max_minor": agreement.max_minor,
        "valid_from": agreement.valid_from,
        "valid_until": agreement.valid_until,
        "exact": False,
        "closed": is_closed,
        "complete": is_complete,
        "refund": "refuse",
        "title": agreement.title,
    }
