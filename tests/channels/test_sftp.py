"""SFTP against a real server: keys, whole files, and a line that breaks at every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncssh
import pytest

from kvit.channels import sftp
from kvit.channels.registry import channel_problems
from kvit.domain.file_terms import ChannelTerms
from kvit.services.travel.errors import ChannelBroken
from kvit.services.travel.outgoing import PUBLISHING, decide
from kvit.services.travel.ports import OUT, Upload
from kvit.storage.engine import Database
from tests.channels.ends import Post, digest_of
from tests.channels.ssh_server import PASSWORD, USER, Server, serving
from tests.faults.proxy import Fault, Weather, weathered

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "there") as running:
        yield running


def post(database: Database, home: Path, server: Server, **options: str) -> Post:
    every = {
        "host": "127.0.0.1", "port": str(server.port), "user": USER, "host_key": server.fingerprint,
        "incoming": "/in", "outgoing": "/out", "settle_s": "0", "timeout_s": "10",
    } | options  # fmt: skip
    return Post(database, ChannelTerms("sftp", tuple(every.items()), PASSWORD), home / "yard")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_there_and_back(database: Database, tmp_path: Path, server: Server) -> None:
    place = post(database, tmp_path, server)
    inside = server.folder / "in"
    (inside / "реестр 1.csv").write_bytes(CONTENT)
    (inside / "empty.csv").write_bytes(b"")
    (inside / "folder").mkdir()
    (inside / "link.csv").symlink_to(inside / "empty.csv")
    assert place.verdicts() == [("empty.csv", "taken"), ("реестр 1.csv", "taken")]
    assert place.taker.taken == [("empty.csv", b""), ("реестр 1.csv", CONTENT)]
    assert set(files(inside / "done")) == {"empty.csv", "реестр 1.csv"}
    (inside / "empty.csv").write_bytes(b"now with content")
    assert place.verdicts() == [("empty.csv", "taken")]
    assert set(files(inside / "done")) == {"empty.csv", "empty.00000001.csv", "реестр 1.csv"}
    place.box.files = {1: ("долги.txt", CONTENT), 2: ("second.txt", b"")}
    assert [one.verdict for one in place.send()] == ["sent", "sent"]
    assert files(server.folder / "out") == {"долги.txt": CONTENT, "second.txt": b""}


def test_a_key_that_changed_stops_the_job_before_the_password_is_told(
    quick: Database, tmp_path: Path, server: Server
) -> None:
    place = post(quick, tmp_path, server)
    (server.folder / "in" / "a.csv").write_bytes(b"a")
    server.change_key()
    with pytest.raises(ChannelBroken) as caught:
        place.fetch()
    assert "shows another key" in str(caught.value)
    assert server.fingerprint in str(caught.value)
    assert server.passwords == []
    assert place.taker.taken == []


def test_without_a_key_the_test_shows_it_and_goes_no_further(
    quick: Database, tmp_path: Path, server: Server
) -> None:
    place = post(quick, tmp_path, server, host_key="")
    with pytest.raises(ChannelBroken, match="shows the key") as caught:
        sftp.test(place.opened()[1])
    assert server.fingerprint in str(caught.value)
    assert server.passwords == []


def test_a_pinned_key_may_be_the_key_itself(quick: Database, tmp_path: Path, server: Server) -> None:
    line = server.key.export_public_key().decode().strip()
    place = post(quick, tmp_path, server, host_key=f"SHA256:{'A' * 43} {line} bank@server")
    lines = sftp.test(place.opened()[1])
    assert server.fingerprint in lines[0]
    assert "/in can be read; files that wait: 0" in lines[2]


def test_a_wrong_password_is_said(quick: Database, tmp_path: Path, server: Server) -> None:
    place = post(quick, tmp_path, server)
    place.terms = ChannelTerms("sftp", place.terms.options, "wrong")
    with pytest.raises(ChannelBroken, match="does not let kvit in"):
        place.fetch()


@pytest.mark.parametrize("phrase", ["", "of the key"])
def test_a_key_instead_of_a_password(quick: Database, tmp_path: Path, server: Server, phrase: str) -> None:
    server.client_key = asyncssh.generate_private_key("ssh-ed25519")
    pem = server.client_key.export_private_key("pkcs8-pem", phrase or None).decode()
    place = post(quick, tmp_path, server)
    place.terms = ChannelTerms("sftp", place.terms.options, phrase, pem)
    (server.folder / "in" / "a.csv").write_bytes(b"a")
    assert place.verdicts() == [("a.csv", "taken")]
    assert server.passwords == []


# What old servers need is what libraries give up one day; until then they only warn.
@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
def test_an_old_server_is_spoken_with_where_the_settings_say_so(quick: Database, tmp_path: Path) -> None:
    old = {"kex_algs": ["diffie-hellman-group14-sha1"], "encryption_algs": ["aes128-cbc"]}
    with serving(tmp_path / "there", **old) as server:
        with pytest.raises(ChannelBroken, match="cannot be reached"):
            post(quick, tmp_path, server).fetch()
        place = post(
            quick, tmp_path, server, kex_algorithms="diffie-hellman-group14-sha1", ciphers="aes128-cbc"
        )
        assert place.fetch().broken == ""


def test_where_nothing_may_be_renamed_or_moved(quick: Database, tmp_path: Path) -> None:
    class Strict(asyncssh.SFTPServer):
        def __init__(self, channel: asyncssh.SSHServerChannel[bytes]) -> None:
            super().__init__(channel, chroot=str(tmp_path / "there").encode())

        def rename(self, oldpath: bytes, newpath: bytes) -> None:
            raise asyncssh.SFTPPermissionDenied("no renaming here")

        def remove(self, path: bytes) -> None:
            raise asyncssh.SFTPPermissionDenied("no deleting here")

    with serving(tmp_path / "there", sftp_factory=Strict) as server:
        place = post(quick, tmp_path, server)
        (server.folder / "in" / "a.csv").write_bytes(b"a")
        (arrival,) = place.fetch().arrivals
        assert (arrival.verdict, "no renaming here" in arrival.detail) == ("taken", True)
        assert place.verdicts() == [("a.csv", "known")]
        assert len(place.taker.taken) == 1
        place.box.files = {1: ("out.txt", CONTENT)}
        (departure,) = place.send()
        assert (departure.verdict, "see the option rename" in departure.detail) == ("failed", True)
        place = post(quick, tmp_path, server, rename="off")
        place.box.files = {1: ("out.txt", CONTENT)}
        assert [one.verdict for one in place.send()] == ["sent"]
        assert files(server.folder / "out")["out.txt"] == CONTENT


def test_a_file_that_is_there_is_never_overwritten(quick: Database, tmp_path: Path, server: Server) -> None:
    for rename in ("on", "off"):
        place = post(quick, tmp_path, server, rename=rename)
        (server.folder / "out" / "a.txt").write_bytes(b"another's")
        place.box.files = {1: ("a.txt", CONTENT)}
        assert [one.verdict for one in place.send()] == ["failed"]
        assert files(server.folder / "out")["a.txt"] == b"another's"


@pytest.mark.parametrize("is_renamed", [False, True])
def test_dead_beside_the_renaming_nobody_is_asked(
    quick: Database, tmp_path: Path, server: Server, is_renamed: bool
) -> None:
    place = post(quick, tmp_path, server)
    (tmp_path / "source").write_bytes(CONTENT)
    upload = Upload("a.txt", digest_of(CONTENT), len(CONTENT), lambda: (tmp_path / "source").open("rb"))
    with place.channel() as (channel, _):
        place.book.begin(OUT, upload, PUBLISHING)
        channel.place(upload)
        if is_renamed:
            channel.publish(upload)
    place.box.files = {1: ("a.txt", CONTENT)}
    assert [one.verdict for one in place.send()] == ["sent"]
    assert files(server.folder / "out") == {"a.txt": CONTENT}


def cuts(length: int) -> list[tuple[int, int]]:
    """(direction, byte) of places to cut at, some closer together towards the end."""
    places = sorted({*range(200, length, max(1, length // 7)), length - 300, length - 120, length - 20})
    return [(way, at) for way in (0, 1) for at in places if at > 0]


def measure(place: Post, work: str) -> tuple[int, int]:
    """Bytes that a whole run takes there and back."""
    port = int(dict(place.terms.options)["port"])
    with weathered(port) as proxy:
        getattr(through(place, proxy.port), work)()
        there, back = proxy.passed
        return there, back


def through(place: Post, port: int) -> Post:
    options = dict(place.terms.options) | {"port": str(port)}
    terms = ChannelTerms("sftp", tuple(options.items()), PASSWORD)
    return Post(place.database, terms, place.yard, place.taker, place.box)


@pytest.mark.parametrize("rename", ["on", "off"])
def test_cut_anywhere_a_register_arrives_once(
    quick: Database, tmp_path: Path, server: Server, rename: str
) -> None:
    """The bank takes every file that it sees at once, so nothing tells afterwards but the books."""
    place = post(quick, tmp_path, server, rename=rename)
    out = server.folder / "out"
    place.box.files = {0: ("0.txt", CONTENT)}
    lengths = measure(place, "send")
    (out / "0.txt").unlink()
    asked = 0
    for number, (way, at) in enumerate(cuts(min(lengths)), start=1):
        name = f"{number}.txt"
        place.box.files = {number: (name, CONTENT)}
        bank = []
        with weathered(server.port) as proxy:
            fault = Fault(reset_after=at + (lengths[way] - min(lengths)) * (at * 2 > min(lengths)))
            proxy.plan([Weather(fault) if way == 0 else Weather(back=fault)])
            with suppress(ChannelBroken):
                through(place, proxy.port).send()
            assert proxy.resets or place.box.gone[-1:] == [number]
        if rename == "on" and (out / name).exists():
            bank.append((out / name).read_bytes())
            (out / name).unlink()
        told = [one.verdict for one in place.send()]
        if told == ["unknown"]:
            asked += 1
            decide(place.book, name, has_arrived=bool(bank), author="ann")
            place.send()
        bank += [content for found, content in files(out).items() if found == name]
        assert bank == [CONTENT], (way, at)
        assert place.box.gone[-1] == number
        for path in out.iterdir():
            path.unlink()
    assert asked <= 4, "a person is asked only where nobody can know"


def test_cut_anywhere_a_file_is_taken_once(quick: Database, tmp_path: Path, server: Server) -> None:
    place = post(quick, tmp_path, server)
    inside = server.folder / "in"
    (inside / "0.csv").write_bytes(b"0" * 10_000)
    lengths = measure(place, "fetch")
    for number, (way, at) in enumerate(cuts(min(lengths)), start=1):
        name = f"{number}.csv"
        (inside / name).write_bytes(str(number).encode() * 5_000)
        with weathered(server.port) as proxy:
            fault = Fault(reset_after=at + (lengths[way] - min(lengths)) * (at * 2 > min(lengths)))
            proxy.plan([Weather(fault) if way == 0 else Weather(back=fault)])
            with suppress(ChannelBroken):
                through(place, proxy.port).fetch()
        place.fetch()
        assert [path.name for path in inside.iterdir()] == ["done"]
    names = [name for name, _ in place.taker.taken]
    assert names == [f"{number}.csv" for number in range(len(names))]
    assert list((tmp_path / "yard").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"host": ""}, "options.host"),
        ({"port": "70000"}, "options.port"),
        ({"host_key": "SHA256:short"}, "options.host_key"),
        ({"host_key": "ssh-ed25519 AAAAgarbage"}, "options.host_key"),
        ({"ciphers": "a b"}, "options.ciphers"),
        ({"part": "{name}"}, "options.part"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, str], place: str) -> None:
    every = {"host": "h", "user": "u", "incoming": "/in"} | options
    assert place in channel_problems(ChannelTerms("sftp", tuple(every.items()), "secret"))


def test_keys_that_are_none() -> None:
    every = (("host", "h"), ("user", "u"), ("incoming", "/in"))
    assert set(channel_problems(ChannelTerms("sftp", every))) == {"private_key"}
    assert set(channel_problems(ChannelTerms("sftp", every, "", "no key"))) == {"private_key"}
