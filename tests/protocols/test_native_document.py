"""The OpenAPI document says what the code does: each operation, code and member; every vector fits it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from kvit.protocols import native
from tests.protocols import run_vectors

PAGES = Path(__file__).parents[2] / "docs" / "protocols"
DOCUMENT = json.loads((PAGES / "native.openapi.json").read_text(encoding="utf-8"))
SCHEMAS = DOCUMENT["components"]["schemas"]
VECTORS = run_vectors.load_all(run_vectors.HERE / "native")

#: The words of JSON Schema that ``misfit`` knows, and those that only describe.
KNOWN = {
    "$ref", "type", "const", "enum", "pattern", "minLength", "maxLength", "properties", "required", "items",
    "additionalProperties", "propertyNames", "maxProperties", "oneOf",
}  # fmt: skip
DESCRIBING = {"description", "default"}
TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "boolean": bool}


def misfit(value: Any, schema: dict[str, Any], place: str = "$") -> str:  # noqa: ANN401 - any JSON
    """Where a value does not fit its schema; empty where it does."""
    assert schema.keys() <= KNOWN | DESCRIBING, f"{place}: the test does not know {schema.keys() - KNOWN}"
    if "$ref" in schema:
        return misfit(value, SCHEMAS[schema["$ref"].removeprefix("#/components/schemas/")], place)
    if "oneOf" in schema:
        found = [misfit(value, one, place) for one in schema["oneOf"]]
        return "" if found.count("") == 1 else f"{place}: fits {found.count('')} of several: {found}"
    if "type" in schema and not isinstance(value, TYPES[schema["type"]]):
        return f"{place}: no {schema['type']}"
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return f"{place}: not one of the words"
    if isinstance(value, str):
        long = not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**6)
        return f"{place}: {value!r}" if long or not re.search(schema.get("pattern", ""), value) else ""
    if isinstance(value, list):
        return next(filter(None, (misfit(one, schema["items"], place + "[]") for one in value)), "")
    return object_misfit(value, schema, place) if isinstance(value, dict) else ""


def object_misfit(value: dict[str, Any], schema: dict[str, Any], place: str) -> str:
    if missing := set(schema.get("required", ())) - value.keys():
        return f"{place}: without {missing}"
    if len(value) > schema.get("maxProperties", 10**6):
        return f"{place}: too many members"
    for name, inner in value.items():
        of_member = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
        if of_member is False or misfit(name, schema.get("propertyNames", {}), place):
            return f"{place}: no member {name}"
        if found := misfit(inner, of_member, f"{place}.{name}"):
            return found
    return ""


def operation_of(path: str) -> dict[str, Any]:
    operation: dict[str, Any] = DOCUMENT["paths"]["/" + path]["post"]
    return operation


def body_of(path: str) -> dict[str, Any]:
    schema: dict[str, Any] = operation_of(path)["requestBody"]["content"]["application/json"]["schema"]
    return schema


def test_every_operation_is_described() -> None:
    assert set(DOCUMENT["paths"]) == {"/" + path for path in native.MEMBERS}
    assert all(list(item) == ["post"] for item in DOCUMENT["paths"].values())
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_every_code_and_status_is_described() -> None:
    codes = {code for code, _, _ in native.CODES.values()}
    assert set(SCHEMAS["Code"]["enum"]) == codes
    by_status: dict[int, set[str]] = {}
    for code, status, _ in native.CODES.values():
        by_status.setdefault(status, set()).add(code)
    for path in native.MEMBERS:
        responses = operation_of(path)["responses"]
        assert {int(status) for status in responses} == set(by_status)
        for status, wanted in by_status.items():
            schema = responses[str(status)]["content"]["application/json"]["schema"]
            told: set[str] = set()
            for one in schema.get("oneOf", [schema]):
                code = SCHEMAS[one["$ref"].rpartition("/")[2]]["properties"]["code"]
                told |= set(code.get("enum", [code.get("const")]))
            assert told == wanted
            assert ("Kvit-Signature" in responses[str(status)].get("headers", {})) == (status != 401)


@pytest.mark.parametrize("path", native.MEMBERS)
def test_every_member_of_a_request_is_described(path: str) -> None:
    schema = SCHEMAS[body_of(path)["$ref"].rpartition("/")[2]]
    numbered = {"number"} if path in ("check", "hold", "pay") else set()
    assert set(schema["properties"]) == set(native.MEMBERS[path]) | numbered
    assert schema["additionalProperties"] is False
    example = operation_of(path)["requestBody"]["content"]["application/json"]["example"]
    assert misfit(example, body_of(path)) == ""


def test_every_schema_is_used_and_there() -> None:
    text = json.dumps(DOCUMENT)
    used = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert used | {"Code"} == set(SCHEMAS)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_every_vector_fits_the_document(vector: run_vectors.Vector) -> None:
    """A request that is decoded fits its schema, and each answer its own."""
    path = vector.request.path
    if path not in native.MEMBERS:
        return
    if type(vector.decoded).__name__ in native.PROTOCOL.commands and not vector.terms.payer_fields:
        assert misfit(parsed(vector.request.body), body_of(path)) == ""
    response = operation_of(path)["responses"][str(vector.answer.status)]
    assert misfit(parsed(vector.answer.body), response["content"]["application/json"]["schema"]) == ""


def parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    """As a lenient reader has it; ``None`` for what is no JSON."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def test_the_example_of_a_signature_on_the_page_is_that_of_a_vector() -> None:
    page = (PAGES / "native.md").read_text(encoding="utf-8")
    (vector,) = [vector for vector in VECTORS if vector.name == "pay"]
    assert f"`{vector.terms.secret}`" in page
    assert f"`{vector.request.body.decode()}`" in page
    assert "Kvit-Signature: " + dict(vector.request.headers)[b"kvit-signature"].decode() in page


def test_what_the_document_refuses_is_malformed() -> None:
    """And the reverse, save for what no pattern says: the calendar, control characters, the transport."""
    unsaid = {"path", "query", "method", "time"}
    refused = [vector for vector in VECTORS if type(vector.decoded).__name__ == "Malformed"]
    fits = {
        vector.name
        for vector in refused
        if vector.decoded.parameter not in unsaid
        and misfit(parsed(vector.request.body), body_of(vector.request.path)) == ""
    }
    assert fits == {
        "check-number-form", "list-no-date", "note-control", "pay-amount-three-decimals", "pay-half-a-pair",
        "pay-member-twice",
    }  # fmt: skip


def test_a_wrong_value_does_not_fit() -> None:
    example = operation_of("pay")["requestBody"]["content"]["application/json"]["example"]
    for wrong in (
        {"amount": 450}, {"amount": "450,00"}, {"id": "0"}, {"currency": "rub"}, {"other": "x"},
        {"time": "2025-03-14"}, {"fields": {"a": 1}}, {"fields": {"a b": "1"}}, {"service": ""},
        {"fields": {f"f{n}": "1" for n in range(21)}}, {"number": "1" * 201},
    ):  # fmt: skip
        assert misfit({**example, **wrong}, body_of("pay")) != ""
    assert misfit({"id": "1"}, body_of("pay")) != ""
    assert misfit([], body_of("pay")) != ""
