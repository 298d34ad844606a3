"""Run the vectors of every protocol: ``python run_vectors.py [--speed] [protocol ...]``.

Standard library only, Python 3.9 syntax: this also runs where the relay will.

A vector is two files in ``tests/protocols/<protocol>/``. ``<name>.http`` is the raw request: request
line, headers, an empty line, the body (one line end at the end of the file is not part of it).
``<name>.expect`` has a head of ``key: value`` lines, an empty line, and the answer as it goes out::

    case: paid                          what every protocol must show (see ``REQUIRED_CASES``); optional
    about: one sentence
    same_answer_as: <name>              the answer equals that vector's, byte for byte; optional
    at: 2025-03-14T04:15:31+00:00       when the request came in; optional
    terms: {...}                        fields of ``Terms``
    decoded: {"Post": {...}}            the command, or Malformed or Denied
    result: {"Posted": {...}}           what is encoded; left out: what was decoded
    heard: {"step": "done", ...}        what the agent's side makes of the answer

    HTTP 200 code 0                     the status and the code for the log
    content-type: ...

    the body, to the end of the file without its last line end; this file is UTF-8, on the wire the body
    has the charset that its content type names
"""

from __future__ import annotations

import json
import sys
import time
import timeit
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

# Where the package is not installed: the source beside the tests, and the tests (the trials' keys).
sys.path += [str(Path(__file__).resolve().parents[2] / "src"), str(Path(__file__).resolve().parents[2])]

from kvit.domain import messages
from kvit.domain.messages import HttpRequest, HttpResponse
from kvit.protocols.base import Protocol, Terms
from kvit.protocols.registry import PROTOCOLS

HERE = Path(__file__).resolve().parent

#: The cases that every protocol has to bring, and those of a protocol with a hold before the payment.
REQUIRED_CASES = (
    "found", "not found", "paid", "paid again", "same id other sum", "malformed", "try later",
)  # fmt: skip
#: The cases that come with a kind of command.
CASES_OF_COMMANDS = {
    "Hold": ("hold", "hold again", "void", "expired"),
    "Void": ("void after post", "refund refused"),
    "Status": ("status",),
    "ListPosted": ("statement",),
}


class Vector(NamedTuple):
    """One vector, read."""

    protocol: str
    name: str
    case: str
    about: str
    same_answer_as: str
    request: HttpRequest
    terms: Terms
    decoded: Any
    result: Any
    heard: Dict[str, Any]
    answer: HttpResponse


def protocol_folders() -> List[Path]:
    """Every folder with vectors."""
    return sorted(path for path in HERE.iterdir() if path.is_dir() and any(path.glob("*.http")))


def load_all(folder: Path) -> List[Vector]:
    """The vectors of one protocol, by name. A request without its answer, or the reverse, is an error."""
    requests = {path.stem for path in folder.glob("*.http")}
    answers = {path.stem for path in folder.glob("*.expect")}
    if requests != answers:
        raise ValueError(f"{folder.name}: only half of: {', '.join(sorted(requests ^ answers))}")
    return [load(folder / (name + ".http")) for name in sorted(requests)]


def load(path: Path) -> Vector:
    """Read ``<name>.http`` and the ``<name>.expect`` beside it."""
    expected = path.with_suffix(".expect").read_bytes().decode("utf-8")
    head, answer_head, answer_body = expected.split("\n\n", 2)
    keys = dict(line.split(": ", 1) for line in head.split("\n"))
    decoded = value_of(json.loads(keys["decoded"]))
    at = datetime.fromisoformat(keys["at"]) if "at" in keys else None
    return Vector(
        protocol=path.parent.name,
        name=path.stem,
        case=keys.get("case", ""),
        about=keys["about"],
        same_answer_as=keys.get("same_answer_as", ""),
        request=replace(read_request(path.read_bytes()), at=at),
        terms=terms_of(path.parent.name, json.loads(keys["terms"])),
        decoded=decoded,
        result=value_of(json.loads(keys["result"])) if "result" in keys else decoded,
        heard=json.loads(keys["heard"]),
        answer=read_answer(answer_head, answer_body),
    )


def terms_of(protocol: str, written: Dict[str, Any]) -> Terms:
    """``{"dialect": ..., "keys": true}`` as terms; with ``keys`` those of the trials' key pair."""
    if written.pop("keys", False):
        from tests.protocols.rsa import KEYS

        written.update(KEYS)
    if "payer_fields" in written:
        written["payer_fields"] = tuple(written["payer_fields"])
    return Terms(agreement_id=protocol, **written)


def value_of(written: Dict[str, Dict[str, Any]]) -> Any:  # noqa: ANN401 - a command or a result
    """``{"Post": {...}}`` as the word of ``domain.messages`` that it names."""
    ((kind, given),) = written.items()
    fields: Dict[str, Any] = {}
    for name, value in given.items():
        if value is not None and (name.endswith("_at") or name == "at"):
            fields[name] = datetime.fromisoformat(value)
        elif name == "fields":
            fields[name] = tuple((key, text) for key, text in value)
        elif name == "items":
            fields[name] = tuple(value_of(item if len(item) == 1 else {"Posted": item}) for item in value)
        elif value is not None and name in ("posted", "held") and not isinstance(value, bool):
            fields[name] = value_of({name.capitalize(): value})
        else:
            fields[name] = value
    return getattr(messages, kind)(**fields)


def read_request(raw: bytes) -> HttpRequest:
    """The request as the door hands it to a protocol; the path after the door's own is kept."""
    head, _, body = raw.partition(b"\n\n")
    request_line, *lines = head.split(b"\n")
    method, target, _version = request_line.split(b" ")
    path, _, query = target.partition(b"?")
    door, _, rest = path.decode("ascii").lstrip("/").partition("/")
    inside = rest.partition("/")[2] if door == "pay" else ""
    return HttpRequest(method.decode("ascii"), inside, query, headers_of(lines), body[:-1] if body else b"")


def read_answer(head: str, body: str) -> HttpResponse:
    """The answer that ``encode`` has to give, byte for byte."""
    status_line, *lines = head.split("\n")
    _, status, _, code = status_line.split(" ")
    headers = headers_of([line.encode("ascii") for line in lines if line])
    charset = dict(headers).get(b"content-type", b"").partition(b"; charset=")[2].decode("ascii") or "utf-8"
    return HttpResponse(int(status), headers, body[:-1].encode(charset), code)


def headers_of(lines: List[bytes]) -> Tuple[Tuple[bytes, bytes], ...]:
    """``Name: value`` lines; names in lower case."""
    pairs = (line.split(b": ", 1) for line in lines)
    return tuple((name.lower(), value) for name, value in pairs)


def problems_of(vector: Vector, protocol: Protocol) -> List[str]:
    """What does not hold; empty when the vector passes."""
    problems = []
    decoded = protocol.decode(vector.request, vector.terms)
    if decoded != vector.decoded:
        problems.append(f"decoded  {decoded!r}\n  expected {vector.decoded!r}")
    answer = protocol.encode(vector.request, vector.result, vector.terms)
    if answer != vector.answer or answer.code != vector.answer.code:
        problems.append(f"answered {answer!r}\n  expected {vector.answer!r}")
    if protocol.encode(vector.request, vector.result, vector.terms) != answer:
        problems.append("a second encode gives another answer")
    heard = protocol.read(vector.decoded, vector.answer, vector.terms)
    for name, value in vector.heard.items():
        got = getattr(heard, name)
        if json.loads(json.dumps(got)) != value:
            problems.append(f"heard    {name} {got!r}\n  expected {value!r}")
    if vector.same_answer_as:
        twin = load(HERE / vector.protocol / (vector.same_answer_as + ".http"))
        if twin.answer != vector.answer:
            problems.append(f"another answer than {twin.name}")
    return problems


def missing_cases(vectors: List[Vector], protocol: Protocol) -> List[str]:
    """The required cases that no vector shows."""
    required = list(REQUIRED_CASES) + (["denied"] if protocol.locks else [])
    for kind in sorted(protocol.commands):
        required += CASES_OF_COMMANDS.get(kind, ())
    shown = {vector.case for vector in vectors}
    return [case for case in required if case not in shown]


def decode_seconds(vector: Vector, protocol: Protocol, rounds: int) -> float:
    """CPU time of so many decodings, each of a request that nobody has looked at before."""
    requests = [replace(vector.request) for _ in range(rounds)]  # what is parsed is kept with a request
    decode, terms = protocol.decode, vector.terms
    began_s = time.process_time()
    for request in requests:
        decode(request, terms)
    return time.process_time() - began_s


def print_speed(vectors: List[Vector], protocol: Protocol) -> None:
    """How many requests a second one core decodes and how many answers it encodes, by required case."""
    rounds = 20_000
    for vector in vectors:
        if vector.case:
            request, terms, result = vector.request, vector.terms, vector.result
            decode_s = decode_seconds(vector, protocol, rounds)
            encode_s = timeit.timeit(lambda: protocol.encode(request, result, terms), number=rounds)  # noqa: B023
            print(
                f"{vector.protocol:10} {vector.case:20} "
                f"decode {rounds / decode_s:9,.0f}/s  encode {rounds / encode_s:9,.0f}/s"
            )


def main(arguments: List[str]) -> int:
    """Run the vectors of the protocols named, or of all; 0 when all pass."""
    passed = failed = 0
    wanted = [name for name in arguments if name != "--speed"]
    for folder in protocol_folders():
        if wanted and folder.name not in wanted:
            continue
        protocol: Optional[Protocol] = PROTOCOLS.get(folder.name)
        if protocol is None:
            print(f"FAIL {folder.name}: vectors without a protocol")
            failed += 1
            continue
        vectors = load_all(folder)
        for case in missing_cases(vectors, protocol):
            print(f"FAIL {folder.name}: no vector for the case '{case}'")
            failed += 1
        for vector in vectors:
            problems = problems_of(vector, protocol)
            for problem in problems:
                print(f"FAIL {vector.protocol}/{vector.name}: {problem}")
            passed, failed = passed + (not problems), failed + bool(problems)
        if "--speed" in arguments:
            print_speed(vectors, protocol)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
