"""A running demo for the browser's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demonstration import Demo, copied_demo, demo_template, running_demo


@pytest.fixture(scope="session")
def demo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """`kvit demo`, as everybody starts it, with books of its own."""
    template = demo_template(tmp_path_factory.getbasetemp())
    copied = copied_demo(template, tmp_path_factory.mktemp("browser") / "kvit-demo")
    with running_demo(copied.folder) as demo:
        yield demo
