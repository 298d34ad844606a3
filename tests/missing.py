"""What a test does when a part of the machine is missing: skip aloud, or in CI fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Whether this run decides if a change is good; there a missing part is a failure."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false", "no"}


def missing(part: str) -> NoReturn:
    """End the test that asked for ``part``: failed in CI, else skipped with the reason shown."""
    if in_ci():
        pytest.fail(f"{part} (CI is set, so this is a failure and not a skip)", pytrace=False)
    pytest.skip(part)
