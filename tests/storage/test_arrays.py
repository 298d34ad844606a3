"""Columns as PostgreSQL's array literals: whatever they hold comes back as it was."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvit.storage.postgres_hot import array
from tests.postgres import Cluster

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
whole = st.integers(-(2**63), 2**63 - 1)
ODD = ['"', "\\", "NULL", "{}", ",", " ", "a\\\"b'", "\n", ""]
COLUMNS = {
    "text": st.lists(
        texts | st.sampled_from(['"', "\\", "NULL", "{}", ",", " ", "a\\\"b'", "\n"]), min_size=1
    ),
    "bigint": st.lists(whole | st.none(), min_size=1),
    "bytea": st.lists(st.binary(max_size=40), min_size=1),
}


@pytest.fixture(scope="module")
def connection(postgres_cluster: Cluster) -> Any:  # noqa: ANN401
    with (
        postgres_cluster.database() as url,
        psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection,
    ):
        yield connection


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_comes_back(kind: str, connection: psycopg.Connection) -> None:
    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(COLUMNS[kind])
    def comes_back(values: list[Any]) -> None:
        row = connection.execute(f"SELECT %s::{kind}[]", [array(values)]).fetchone()
        assert row is not None
        assert row[0] == values

    comes_back()


def test_nothing_but_nulls(connection: psycopg.Connection) -> None:
    row = connection.execute("SELECT %s::bigint[]", [array([None, None])]).fetchone()
    assert row is not None
    assert row[0] == [None, None]
