"""HTTPS against a real server: lists, files, uploads, and a line that breaks at every step."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kvit.channels import https
from kvit.channels.registry import channel_problems
from kvit.domain.file_terms import ChannelTerms
from kvit.services.travel.outgoing import decide
from kvit.storage.engine import Database
from tests.channels.certificates import Authority, make_authority
from tests.channels.ends import Post
from tests.channels.https_server import TOKEN, Bank, bank_server
from tests.faults.proxy import Fault, Weather, weathered

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return make_authority(tmp_path)


@pytest.fixture
def bank(authority: Authority, tmp_path: Path) -> Iterator[Bank]:
    with bank_server(authority.issue(tmp_path)) as server:
        yield server


def post(database: Database, authority: Authority, port: int, **options: str) -> Post:
    here = f"https://127.0.0.1:{port}"
    every = {
        "send_url": f"{here}/in/{{name}}", "list_url": f"{here}/list", "fetch_url": f"{here}/files/{{name}}",
        "ca": str(authority.path), "timeout_s": "10",
    } | options  # fmt: skip
    return Post(database, ChannelTerms("https", tuple(every.items()), TOKEN), authority.path.parent / "yard")


def test_there_and_back(database: Database, authority: Authority, bank: Bank) -> None:
    place = post(database, authority, bank.port)
    bank.files = {"реестр 1.csv": CONTENT, "empty.csv": b""}
    assert place.verdicts() == [("empty.csv", "taken"), ("реестр 1.csv", "taken")]
    assert dict(place.taker.taken) == bank.files
    assert [verdict for _, verdict in place.verdicts()] == ["known", "known"]
    bank.files["empty.csv"] = b"not any more"
    assert ("empty.csv", "taken") in place.verdicts()
    place.box.files = {1: ("долги 1.txt", CONTENT), 2: ("empty.txt", b"")}
    assert [one.verdict for one in place.send()] == ["sent", "sent"]
    assert bank.got == [("PUT", "/in/долги 1.txt", CONTENT), ("PUT", "/in/empty.txt", b"")]
    assert place.send() == []


def test_a_list_in_json_and_files_deleted_there(quick: Database, authority: Authority, bank: Bank) -> None:
    place = post(quick, authority, bank.port, list_as="json", after="delete")
    bank.list_as, bank.files = "json", {"a.csv": b"1", "b.csv": b"2"}
    assert [verdict for _, verdict in place.verdicts()] == ["taken", "taken"]
    assert bank.files == {}


def test_a_form_by_post(quick: Database, authority: Authority, bank: Bank) -> None:
    url = f"https://127.0.0.1:{bank.port}/in/upload"
    place = post(quick, authority, bank.port, send_url=url, send_method="POST", send_as="form")
    place.box.files = {1: ("a.txt", CONTENT)}
    assert [one.verdict for one in place.send()] == ["sent"]
    ((method, path, body),) = bank.got
    assert (method, path) == ("POST", "/in/upload")
    assert b'name="file"; filename="a.txt"' in body
    assert CONTENT in body


@pytest.mark.parametrize(("status", "verdict"), [(409, "failed"), (302, "failed"), (500, "unknown")])
def test_what_the_server_answers(
    quick: Database, authority: Authority, bank: Bank, status: int, verdict: str
) -> None:
    place = post(quick, authority, bank.port)
    bank.status = status
    place.box.files = {1: ("a.txt", CONTENT)}
    (departure,) = place.send()
    assert (departure.verdict, f"{status} as I said" in departure.detail) == (verdict, True)
    bank.status = 201
    if verdict == "unknown":
        assert [one.verdict for one in place.send()] == ["unknown"]
        decide(place.book, "a.txt", has_arrived=False, author="ann")
    assert [one.verdict for one in place.send()] == ["sent"]
    assert len(bank.got) == 1


def test_a_wrong_token_and_a_strange_certificate(quick: Database, authority: Authority, bank: Bank) -> None:
    place = post(quick, authority, bank.port)
    place.terms = ChannelTerms("https", place.terms.options, "wrong")
    assert "answers 401" in place.fetch().broken
    strange = post(quick, authority, bank.port, ca="")
    assert "CERTIFICATE_VERIFY_FAILED" in strange.fetch().broken
    assert bank.tokens == ["Bearer wrong"], "the token is not told to strangers"


def test_a_bank_that_asks_for_a_certificate(quick: Database, authority: Authority, tmp_path: Path) -> None:
    ours = tmp_path / "ours.pem"
    ours.write_bytes(b"".join(path.read_bytes() for path in authority.issue(tmp_path, "biller.example")))
    with bank_server(authority.issue(tmp_path), authority.path) as bank:
        assert post(quick, authority, bank.port).fetch().broken
        place = post(quick, authority, bank.port, certificate=str(ours))
        assert place.fetch().broken == ""
        lines = https.test(place.opened()[1])
    assert [line.endswith("files that wait: 0") for line in lines] == [True, False]


def test_names_that_are_tricks_and_files_that_are_too_large(
    quick: Database, authority: Authority, bank: Bank
) -> None:
    place = post(quick, authority, bank.port, size_max_mb="1")
    bank.files = {"etc/../../passwd": b"x", "big.csv": b"x" * (1 << 20) + b"y", "a.csv": b"1"}
    found = set(place.verdicts())
    assert found == {("etc/../../passwd", "refused"), ("a.csv", "taken"), ("big.csv", "failed")}
    assert "larger than 1 MB" in place.book.with_name("in", "big.csv")[0].detail


def test_a_list_that_is_none(quick: Database, authority: Authority, bank: Bank) -> None:
    assert "no list of files" in post(quick, authority, bank.port, list_as="json").fetch().broken


@pytest.mark.parametrize("shows", [True, False])
def test_cut_anywhere_a_register_arrives_once_or_a_person_is_asked(
    quick: Database, authority: Authority, bank: Bank, shows: bool
) -> None:
    bank.shows = shows
    with weathered(bank.port) as proxy:
        place = post(quick, authority, proxy.port)
        place.box.files = {0: ("0.txt", CONTENT)}
        place.send()
        number, asked = 0, 0
        for way, length in enumerate(proxy.passed):
            for at in sorted({*range(1, length, length // 6), length - 60, length - 10}):
                number += 1
                name, before = f"{number}.txt", len(bank.got)
                place.box.files = {number: (name, CONTENT)}
                fault = Fault(reset_after=at)
                proxy.plan([Weather(fault) if way == 0 else Weather(back=fault)])
                verdict = place.send()[0].verdict
                if verdict != "sent":
                    verdict = place.send()[0].verdict
                if verdict == "unknown":
                    asked += 1
                    decide(place.book, name, has_arrived=len(bank.got) > before, author="ann")
                    assert [one.verdict for one in place.send()] == ["sent"]
                assert len(bank.got) == before + 1, (way, at)
        assert asked < number


def test_cut_anywhere_each_file_is_taken_once(quick: Database, authority: Authority, bank: Bank) -> None:
    with weathered(bank.port) as proxy:
        place = post(quick, authority, proxy.port, after="delete")
        bank.files = {"0.csv": CONTENT}
        place.fetch()
        number = 0
        for way, length in enumerate(proxy.passed):
            for at in sorted({*range(1, length, length // 6), length - 60, length - 10}):
                number += 1
                bank.files = {f"{number}.csv": CONTENT + bytes([number])}
                fault = Fault(reset_after=at)
                proxy.plan([Weather(fault) if way == 0 else Weather(back=fault)])
                place.fetch()
                place.fetch()
                assert bank.files == {}
    assert [name for name, _ in place.taker.taken] == [f"{one}.csv" for one in range(number + 1)]


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({}, "options.send_url"),
        ({"send_url": "http://bank.example/{name}"}, "options.send_url"),
        ({"send_url": "https://bank.example/in"}, "options.send_url"),
        ({"send_url": "https://user:word@bank.example/{name}"}, "options.send_url"),
        ({"list_url": "https://bank.example/list"}, "options.fetch_url"),
        ({"list_url": "https://bank.example:x/list", "fetch_url": "https://b/{name}"}, "options.list_url"),
        ({"send_url": "https://bank.example/{name}", "token_header": "a b"}, "options.token_header"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, str], place: str) -> None:
    assert place in channel_problems(ChannelTerms("https", tuple(options.items()), "secret"))
