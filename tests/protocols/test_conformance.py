"""The suite that every protocol of the registry has to pass, without a test being written for it.

It plays the four functions against each other with what ``shapes.json`` says the protocol can carry,
and throws at them what no shape says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kvit.domain import messages
from kvit.domain.messages import (
    EXPIRED,
    REFUSALS,
    BadAmount,
    Conflict,
    Denied,
    Found,
    Held,
    HttpRequest,
    HttpResponse,
    Malformed,
    NoSuchAccount,
    NoSuchTxn,
    Noted,
    Posted,
    Refused,
    Result,
    Statement,
    TryLater,
    Voided,
)
from kvit.protocols.base import NEXT_STEPS, Protocol, Terms, dialect_problems
from kvit.protocols.registry import PROTOCOLS
from tests.protocols import pages, run_vectors
from tests.protocols.shapes import Profile, commands_of, profiles_of

DOCUMENTS = Path(__file__).parents[2] / "docs" / "protocols"
AT = datetime(2025, 3, 14, 6, 15, 31, tzinfo=UTC)

#: The good news that a kind of command can get, the usual one first. Anything else is our own fault, and
#: asked again. ``Held`` is a state only where payments are held before they are posted.
GOOD_NEWS: dict[str, tuple[type, ...]] = {
    "Lookup": (Found,),
    "Hold": (Held, Posted, Voided),
    "Post": (Posted, Voided),
    "Void": (Voided,),
    "Status": (Posted, Voided, Held),
    "ListPosted": (Statement,),
    "Note": (Noted,),
}


def fits(protocol: Protocol, kind: str, result: Result) -> bool:
    """Does this result answer that kind of command?"""
    if isinstance(result, Held) and not protocol.two_phase:
        return False
    return isinstance(result, GOOD_NEWS[kind])


PLAYED = [
    pytest.param(PROTOCOLS[profile.protocol], profile, kind, id=f"{profile.protocol}-{profile.name}-{kind}")
    for name in PROTOCOLS
    for profile in profiles_of(name)
    for kind in profile.commands
]
EACH = [pytest.param(protocol, id=name) for name, protocol in PROTOCOLS.items()]

# The same cases every time, so that a red run can be run again; each file that ever broke a codec
# becomes a vector.
quick = settings(max_examples=60, deadline=None, derandomize=True, database=None)
thorough = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def results(text: str = "text") -> list[Result]:
    """One result of every kind, every refusal and both sides of a limit, with ``text`` where text goes."""
    held = Held(text, 10045, text, 45000, "RUB", AT, AT, AT, text)
    posted = Posted(text, 10045, text, 45000, "RUB", AT, AT, text, held_at=AT)
    voided = Voided(text, 10045, text, 45000, "RUB", AT, text, text, posted=posted)
    released = Voided(text, 10045, text, 45000, "RUB", AT, text, held=held)
    return [
        Found(text, 45000, 0, "RUB", text),
        Found(text, 45000, 0, "RUB", text, exact=True),
        NoSuchAccount(text),
        held,
        posted,
        voided,
        released,
        Voided(text, 10045, text, 45000, "RUB", AT, EXPIRED, held=held),
        Noted(text),
        BadAmount(1, 1000, 1500000),
        BadAmount(1500001, 1000, 1500000),
        BadAmount(0),
        Conflict(text),
        NoSuchTxn(text),
        *(Refused(reason) for reason in REFUSALS),
        Statement((posted, held, voided, released)),
        Malformed(text, text),
        Denied(text),
        TryLater(text),
    ]


def test_the_suite_knows_every_result_and_command() -> None:
    assert {type(result) for result in results()} == set(get_args(Result))
    assert set(GOOD_NEWS) == {kind.__name__ for kind in get_args(messages.Command)}


# --- the agent's side and ours agree ---------------------------------------------------------------


@pytest.mark.parametrize("protocol", EACH)
def test_every_command_is_played(protocol: Protocol) -> None:
    played = {kind for profile in profiles_of(protocol.name) for kind in profile.commands}
    assert played == protocol.commands


@pytest.mark.parametrize(("protocol", "profile", "kind"), PLAYED)
def test_what_is_asked_is_what_is_decoded(protocol: Protocol, profile: Profile, kind: str) -> None:
    @quick
    @given(commands_of(profile, kind))
    def check(command: messages.Command) -> None:
        assert protocol.decode(protocol.ask(command, profile.terms), profile.terms) == command

    check()


@pytest.mark.parametrize(("protocol", "profile", "kind"), PLAYED)
def test_only_try_later_is_asked_again(protocol: Protocol, profile: Profile, kind: str) -> None:
    @settings(quick, max_examples=5)
    @given(commands_of(profile, kind))
    def check(command: messages.Command) -> None:
        request = protocol.ask(command, profile.terms)
        for result in results():
            if isinstance(result, Denied):
                continue  # what a network does after a 401 is its own affair
            heard = protocol.read(command, protocol.encode(request, result, profile.terms), profile.terms)
            good_news = isinstance(result, Found | Held | Posted | Voided | Statement | Noted)
            answers = fits(protocol, kind, result)
            again = isinstance(result, TryLater) or (good_news and not answers)
            assert (heard.step == "again") == again, result
            if heard.step == "done":
                nothing_to_void = kind == "Void" and isinstance(result, NoSuchTxn)
                assert answers or nothing_to_void, result

    check()


@pytest.mark.parametrize(("protocol", "profile", "kind"), PLAYED)
def test_good_news_is_heard_with_its_data(protocol: Protocol, profile: Profile, kind: str) -> None:
    @settings(quick, max_examples=5)
    @given(commands_of(profile, kind))
    def check(command: messages.Command) -> None:
        request = protocol.ask(command, profile.terms)
        for result in results():
            if type(result) is GOOD_NEWS[kind][0]:
                answer = protocol.encode(request, result, profile.terms)
                heard = protocol.read(command, answer, profile.terms)
                assert heard.step == "done"
                assert answer.code == heard.code
                if isinstance(result, Posted):
                    assert heard.receipt == "10045"

    check()


# --- whatever comes in -------------------------------------------------------------------------------

_HEADER_NAMES = st.sampled_from((b"authorization", b"content-type", b"x-signature", b"host"))


@st.composite
def mangled_requests(draw: st.DrawFn, requests: list[HttpRequest]) -> HttpRequest:
    """A vector's request with a part missing, repeated or replaced, or no request at all."""
    if draw(st.integers(0, 3)) == 0:
        headers = draw(st.lists(st.tuples(_HEADER_NAMES, st.binary(max_size=40)), max_size=4))
        return HttpRequest(
            method=draw(st.sampled_from(("GET", "POST", "HEAD", ""))),
            path=draw(st.text(max_size=5)),
            query=draw(st.binary(max_size=60)),
            headers=tuple(headers),
            body=draw(st.binary(max_size=60)),
        )
    request = draw(st.sampled_from(requests))
    query = _mangled(draw, request.query)
    body = _mangled(draw, request.body)
    extra = draw(st.lists(st.tuples(_HEADER_NAMES, st.binary(max_size=20)), max_size=1))
    return HttpRequest(request.method, request.path, query, (*request.headers, *extra), body)


def _mangled(draw: st.DrawFn, raw: bytes) -> bytes:
    pieces = raw.split(b"&")
    place = draw(st.integers(0, len(pieces) - 1))
    match draw(st.integers(0, 5)):
        case 0:
            del pieces[place]
        case 1:
            pieces.append(pieces[place])
        case 2:
            name = pieces[place].partition(b"=")[0]
            pieces[place] = name + b"=" + draw(st.binary(max_size=30))
        case 3:
            name = pieces[place].partition(b"=")[0]
            text = draw(st.sampled_from(("%00", "-0", "1e5", "%FF", "%EF%BC%91", "1%2C5", "%0D%0A", "%")))
            pieces[place] = name + b"=" + text.encode()
        case 4:
            return raw[: draw(st.integers(0, len(raw)))]
    return b"&".join(pieces)


def vectors_of(protocol: Protocol) -> list[run_vectors.Vector]:
    return run_vectors.load_all(run_vectors.HERE / protocol.name)


@pytest.mark.parametrize("protocol", EACH)
def test_any_bytes_get_an_answer(protocol: Protocol) -> None:
    vectors = vectors_of(protocol)
    terms = st.sampled_from([vector.terms for vector in vectors])

    @thorough
    @given(mangled_requests([vector.request for vector in vectors]), terms, st.sampled_from(results()))
    def check(request: HttpRequest, terms: Terms, result: Result) -> None:
        decoded = protocol.decode(request, terms)
        assert type(decoded).__name__ in protocol.commands | {"Malformed", "Denied"}
        assert protocol.decode(request, terms) == decoded
        for each in (result, decoded) if isinstance(decoded, Malformed | Denied) else (result,):
            answer = protocol.encode(request, each, terms)
            assert protocol.encode(request, each, terms) == answer
            assert answer.status in {200, 400, 401, 403, 404, 405, 500, 503}
            skeleton_of(answer)

    check()


@pytest.mark.parametrize("protocol", EACH)
def test_any_answer_is_read(protocol: Protocol) -> None:
    """The agent's side is as total as ours: a garbled answer never passes for a final one."""
    vectors = [vector for vector in vectors_of(protocol) if vector.answer.status == 200]

    @thorough
    @given(st.sampled_from(vectors), st.binary(max_size=80), st.integers(0, 600), st.integers(100, 599))
    def check(vector: run_vectors.Vector, junk: bytes, place: int, status: int) -> None:
        cut = vector.answer.body[:place]
        for body in (junk, cut, cut + junk, cut + junk + vector.answer.body[place:]):
            answer = HttpResponse(status, vector.answer.headers, body)
            assert protocol.read(vector.decoded, answer, vector.terms).step in NEXT_STEPS
        broken = HttpResponse(200, vector.answer.headers, vector.answer.body[:-1][: min(place, 60)])
        assert protocol.read(vector.decoded, broken, vector.terms).step == "again"

    check()


#: Requests a second that one core decodes, where nothing is to be unsigned with RSA and nothing is JSON.
DECODES_A_SECOND_MIN = 20_000


@pytest.mark.parametrize(
    "protocol",
    [
        pytest.param(protocol, id=name)
        for name, protocol in PROTOCOLS.items()
        if "key" not in protocol.locks
        and all(vector.request.method == "GET" for vector in vectors_of(protocol) if vector.case == "paid")
    ],
)
def test_a_plain_request_is_decoded_quickly(protocol: Protocol) -> None:
    """In CPU time, so that a busy machine is no fault; the best of five, so that a busy moment is none."""
    (paid,) = [vector for vector in vectors_of(protocol) if vector.case == "paid"]
    rounds = 2_000
    best_s = min(run_vectors.decode_seconds(paid, protocol, rounds) for _ in range(5))
    assert rounds / best_s > DECODES_A_SECOND_MIN


# --- what goes out -------------------------------------------------------------------------------------


def skeleton_of(answer: HttpResponse) -> Any:  # noqa: ANN401 - nested tuples and lists of names
    """The names in an answer without its texts. Fails where it does not parse in its declared charset."""
    kinds = [value for name, value in answer.headers if name == b"content-type"]
    if not answer.body:
        assert not kinds
        return None
    (kind,) = kinds
    media_type, _, charset = kind.decode("ascii").partition("; charset=")
    text = answer.body.decode(charset or "utf-8")
    if media_type == "application/json":
        return _json_names(json.loads(text))
    assert media_type in {"text/xml", "application/xml"}
    assert text.startswith(f'<?xml version="1.0" encoding="{charset.upper()}"?>')
    return _xml_names(ET.fromstring(answer.body))  # noqa: S314 - our own answer


def _xml_names(element: ET.Element) -> Any:  # noqa: ANN401
    return (element.tag, sorted(element.attrib), [_xml_names(child) for child in element])


def _json_names(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _json_names(inner) for name, inner in value.items()}
    return [_json_names(inner) for inner in value] if isinstance(value, list) else None


@pytest.mark.parametrize("protocol", EACH)
def test_no_text_breaks_out_of_its_element(protocol: Protocol) -> None:
    hostile = st.text(
        st.sampled_from("<>&\"'/]!-[=;#x \t\r\n\0\x0b\x7f\x85\ud800\ufffe{}\\,:aЖ") | st.characters(),
        min_size=1,
    )
    vectors = [vector for vector in vectors_of(protocol) if not isinstance(vector.decoded, Malformed)]

    @thorough
    @given(st.sampled_from(vectors), hostile)
    def check(vector: run_vectors.Vector, text: str) -> None:
        for mild, wild in zip(results(), results(text), strict=True):
            expected = skeleton_of(protocol.encode(vector.request, mild, vector.terms))
            answer = protocol.encode(vector.request, wild, vector.terms)
            assert skeleton_of(answer) == expected
            for _, value in answer.headers:
                assert value.isascii()
                assert value.decode("ascii").isprintable()

    check()


@pytest.mark.parametrize("protocol", EACH)
def test_every_answer_names_its_code_for_the_log(protocol: Protocol) -> None:
    for vector in vectors_of(protocol):
        for result in results():
            code = protocol.encode(vector.request, result, vector.terms).code
            assert code
            assert code.isascii()
            assert code.isprintable()


# --- dialects and their documents ------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", EACH)
def test_the_defaults_are_allowed(protocol: Protocol) -> None:
    defaults = {name: switch.default for name, switch in protocol.dialect.items()}
    assert dialect_problems(protocol.dialect, defaults) == {}
    assert set(dialect_problems(protocol.dialect, {"no such switch": "on"})) == {"no such switch"}


def dialects_of(protocol: Protocol) -> Iterator[tuple[str, dict[str, str]]]:
    """Every dialect that a vector or a profile sets, with its name."""
    for vector in vectors_of(protocol):
        yield vector.name, dict(vector.terms.dialect)
    for profile in profiles_of(protocol.name):
        yield profile.name, dict(profile.dialect)


@pytest.mark.parametrize("protocol", EACH)
def test_every_dialect_of_the_tests_could_be_agreed(protocol: Protocol) -> None:
    for name, dialect in dialects_of(protocol):
        assert dialect_problems(protocol.dialect, dialect) == {}, name


@pytest.mark.parametrize("protocol", EACH)
def test_every_position_of_every_switch_is_tried(protocol: Protocol) -> None:
    tried = {(name, value) for _, dialect in dialects_of(protocol) for name, value in dialect.items()}
    for name, switch in protocol.dialect.items():
        values = set(switch.choices) - {switch.default}
        assert {value for value in values if (name, value) not in tried} == set(), name
        if not switch.choices:
            assert any(tried_name == name for tried_name, _ in tried), name


@pytest.mark.parametrize("protocol", EACH)
def test_every_switch_and_code_is_documented(protocol: Protocol) -> None:
    page = (DOCUMENTS / f"{protocol.name}.md").read_text(encoding="utf-8")
    switches = rows_of(page, "Dialect switches")
    assert {name.strip("`") for name in switches} == set(protocol.dialect)
    for name, switch in protocol.dialect.items():
        default, allowed, about = switches[f"`{name}`"]
        assert default == (f"`{switch.default}`" if switch.default else "empty"), name
        assert {value for value in switch.choices if f"`{value}`" not in allowed} == set(), name
        assert about, name
        assert switch.about, name
    codes = {vector.answer.code for vector in vectors_of(protocol)}
    assert codes - set(rows_of(page, "Codes")) == set()


@pytest.mark.parametrize("protocol", EACH)
def test_the_page_says_what_the_code_knows(protocol: Protocol) -> None:
    """Grade, confidence, sources, open points: `python -m tests.protocols.pages --write` puts them in."""
    page = (DOCUMENTS / f"{protocol.name}.md").read_text(encoding="utf-8")
    assert pages.facts(protocol) in page
    assert pages.filled(page, protocol) == page
    assert protocol.grade in {"simulated", "certified", "live"}
    assert protocol.facts.confidence in tuple("ABCD")
    assert protocol.facts.sources
    assert set(protocol.locks) <= {"basic", "secret", "key"}


def test_the_list_of_protocols_is_the_code_s() -> None:
    page = (DOCUMENTS / "README.md").read_text(encoding="utf-8")
    assert pages.listed() in page


@pytest.mark.parametrize("protocol", EACH)
def test_ids_of_payments_are_written_as_the_network_does(protocol: Protocol) -> None:
    """The simulator's ids: each is another one, and good for a payment."""
    (profile,) = profiles_of(protocol.name)[:1]
    kind = "Hold" if protocol.two_phase else "Post"
    numbers = (1, 2, 999_999_999_999_999, 176_000_000_000_000)
    ids = [protocol.txn_of(number) for number in numbers]
    assert len(set(ids)) == len(numbers)

    @settings(quick, max_examples=5)
    @given(commands_of(profile, kind))
    def check(command: messages.Command) -> None:
        for txn in ids:
            again = replace(command, txn=txn)  # type: ignore[arg-type]
            assert protocol.decode(protocol.ask(again, profile.terms), profile.terms) == again

    check()


def rows_of(page: str, section: str) -> dict[str, list[str]]:
    """The rows of the table in a section of a page: first cell -> the other cells. ``\\|`` is in a cell."""
    lines = page.split(f"\n## {section}\n")[1].split("\n## ", maxsplit=1)[0].splitlines()
    rows = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
        for line in lines
        if line.startswith("| ")
    ]
    return {first: others for first, *others in rows[1:]}
