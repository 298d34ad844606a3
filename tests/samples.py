"""Real files for tests to read where they are: a folder beside the checkout, never a part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def sample(path: str) -> Path:
    """A file of the shared samples; the test is skipped where there are none.

    The folder is ``../shared/samples`` beside the checkout, or ``samples`` in what ``KVIT_SHARED`` names.
    """
    shared = Path(os.environ.get("KVIT_SHARED") or Path(__file__).parents[2] / "shared")
    if not (shared / "samples").is_dir():
        pytest.skip("the shared samples are not here")
    return shared / "samples" / path
