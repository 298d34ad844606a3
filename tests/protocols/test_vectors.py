"""Every vector of every protocol, one test each: the same as ``run_vectors.py`` does without pytest."""

from __future__ import annotations

import pytest

from kvit.protocols.registry import PROTOCOLS
from tests.protocols import run_vectors

VECTORS = [vector for folder in run_vectors.protocol_folders() for vector in run_vectors.load_all(folder)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector.protocol}/{vector.name}")
def test_vector(vector: run_vectors.Vector) -> None:
    problems = run_vectors.problems_of(vector, PROTOCOLS[vector.protocol])
    assert problems == [], vector.about


def test_every_protocol_has_vectors_and_the_reverse() -> None:
    assert {folder.name for folder in run_vectors.protocol_folders()} == set(PROTOCOLS)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_required_cases_are_there(name: str) -> None:
    vectors = [vector for vector in VECTORS if vector.protocol == name]
    assert run_vectors.missing_cases(vectors, PROTOCOLS[name]) == []


def test_a_wrong_expectation_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner sees each part of a vector that does not hold."""
    vector = next(vector for vector in VECTORS if vector.case == "paid")
    other = next(vector for vector in VECTORS if vector.case == "not found")
    protocol = PROTOCOLS[vector.protocol]
    for wrong in (
        vector._replace(decoded=other.decoded),
        vector._replace(answer=other.answer),
        vector._replace(heard={"step": "again"}),
        vector._replace(same_answer_as=other.name),
    ):
        assert run_vectors.problems_of(wrong, protocol) != []
    monkeypatch.setattr(run_vectors, "REQUIRED_CASES", ("a case that nobody shows",))
    assert run_vectors.missing_cases(VECTORS, protocol) == ["a case that nobody shows"]
