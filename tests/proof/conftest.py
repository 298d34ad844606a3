"""Proofs on books of each engine."""

from __future__ import annotations

from tests.services.conftest import gateway, shared_gateway

__all__ = ["gateway", "shared_gateway"]
