"""A folder: whole files only, each taken once, out of the way afterwards; and the way out."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from pathlib import Path

import pytest

from kvit.channels import folder
from kvit.channels.registry import channel_problems
from kvit.channels.yard import DiskYard
from kvit.domain.errors import NotAllowed
from kvit.domain.file_terms import ChannelTerms
from kvit.services.travel.outgoing import ASK, PUBLISHING, decide
from kvit.services.travel.ports import OUT, Upload
from kvit.storage.engine import Database
from tests.channels.ends import Died, Post, digest_of


def post(database: Database, home: Path, **options: str) -> Post:
    for name in ("in", "out"):
        (home / name).mkdir(exist_ok=True)
    every = {
        "incoming": str(home / "in"), "outgoing": str(home / "out"), "settle_s": "0", "ready": "at-once",
    } | options  # fmt: skip
    return Post(database, ChannelTerms("folder", tuple(every.items())), home / "yard")


def test_a_file_is_taken_once_and_moved(database: Database, tmp_path: Path) -> None:
    place = post(database, tmp_path)
    (tmp_path / "in" / "reg1.csv").write_bytes(b"one")
    assert place.verdicts() == [("reg1.csv", "taken")]
    assert place.verdicts() == []
    assert place.taker.taken == [("reg1.csv", b"one")]
    assert (tmp_path / "in" / "done" / "reg1.csv").read_bytes() == b"one"
    assert place.states("in") == [("reg1.csv", "done")]
    assert list((tmp_path / "yard").iterdir()) == []


def test_a_new_content_under_an_old_name_is_taken_and_an_old_one_under_a_new_name_is_not(
    database: Database, tmp_path: Path
) -> None:
    place = post(database, tmp_path)
    for name, content in (("a.csv", b"one"), ("a.csv", b"two"), ("b.csv", b"one")):
        (tmp_path / "in" / name).write_bytes(content)
        place.fetch()
    assert place.taker.taken == [("a.csv", b"one"), ("a.csv", b"two")]
    assert [row.detail for row in reversed(place.book.newest())] == [
        "3 bytes", "3 bytes", "duplicate delivery: the same content as a.csv",
    ]  # fmt: skip
    kept = {path.name: path.read_bytes() for path in (tmp_path / "in" / "done").iterdir()}
    assert kept == {"a.csv": b"one", "a.00000001.csv": b"two", "b.csv": b"one"}


def test_where_files_stay_they_are_known_by_content(database: Database, tmp_path: Path) -> None:
    place = post(database, tmp_path, after="keep")
    (tmp_path / "in" / "a.csv").write_bytes(b"one")
    assert place.verdicts() == [("a.csv", "taken")]
    assert place.verdicts() == [("a.csv", "known")]
    (tmp_path / "in" / "a.csv").write_bytes(b"two")
    assert place.verdicts() == [("a.csv", "taken")]


def test_known_by_name_a_file_is_not_read_again_until_its_size_changes(
    quick: Database, tmp_path: Path
) -> None:
    place = post(quick, tmp_path, after="keep", known_by="name")
    for content in (b"one", b"two", b"three"):
        (tmp_path / "in" / "a.csv").write_bytes(content)
        place.fetch()
    assert place.taker.taken == [("a.csv", b"one"), ("a.csv", b"three")]


def test_a_file_that_cannot_be_taken_stays_and_the_others_go_on(database: Database, tmp_path: Path) -> None:
    place = post(database, tmp_path)
    place.taker.refuses = {"bad.csv"}
    for name in ("a.csv", "bad.csv", "c.csv"):
        (tmp_path / "in" / name).write_bytes(name.encode())
    assert place.verdicts() == [("a.csv", "taken"), ("bad.csv", "failed"), ("c.csv", "taken")]
    assert place.states("in") == [("a.csv", "done"), ("bad.csv", "failed"), ("c.csv", "done")]
    assert (tmp_path / "in" / "bad.csv").exists()
    place.taker.refuses = set()
    assert place.verdicts() == [("bad.csv", "taken")]
    assert place.states("in") == [("a.csv", "done"), ("bad.csv", "done"), ("c.csv", "done")]


def test_a_run_that_dies_while_a_file_is_taken_is_completed_by_the_next(
    database: Database, tmp_path: Path
) -> None:
    place = post(database, tmp_path)
    (tmp_path / "in" / "a.csv").write_bytes(b"one")
    place.taker.dies = 1
    with pytest.raises(Died):
        place.fetch()
    assert place.states("in") == [("a.csv", "begun")]
    assert place.verdicts() == [("a.csv", "taken")]
    assert place.states("in") == [("a.csv", "done")]


def test_a_file_that_still_grows_is_left_alone(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path, ready="settled", settle_s="1")
    growing, stop = tmp_path / "in" / "big.csv", threading.Event()

    def grow() -> None:
        while not stop.wait(0.02):
            with growing.open("ab") as file:
                file.write(b"line\n")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        while not growing.exists():
            time.sleep(0.01)
        assert place.verdicts() == []
    finally:
        stop.set()
        writer.join()
    assert place.verdicts() == [("big.csv", "taken")]
    assert place.taker.taken == [("big.csv", (tmp_path / "in" / "done" / "big.csv").read_bytes())]


def test_a_file_waits_for_its_mark(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path, ready="mark")
    (tmp_path / "in" / "a.csv").write_bytes(b"one")
    assert place.verdicts() == []
    (tmp_path / "in" / "a.csv.done").touch()
    assert place.verdicts() == [("a.csv", "taken")]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["done"]


def test_patterns_links_and_folders(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path, pattern="*.CSV reg*", ignore="*old*")
    inside = tmp_path / "in"
    for name in ("a.csv", "reg.txt", "b.txt", "old.csv"):
        (inside / name).write_bytes(name.encode())
    (inside / "folder.csv").mkdir()
    (inside / "link.csv").symlink_to(inside / "b.txt")
    assert place.verdicts() == [("a.csv", "taken"), ("reg.txt", "taken")]


def test_too_large_a_file_is_noted_once_and_too_many_come_the_next_time(
    quick: Database, tmp_path: Path
) -> None:
    place = post(quick, tmp_path, size_max_mb="1", files_max="2")
    (tmp_path / "in" / "big").write_bytes(b"\0" * (1 << 20) + b"x")
    (tmp_path / "in" / "c").write_bytes(b"c")
    (tmp_path / "in" / "d").write_bytes(b"d")
    fetched = place.fetch()
    assert [(one.name, one.verdict) for one in fetched.arrivals] == [("big", "failed"), ("c", "taken")]
    assert not fetched.is_whole
    place.fetch()
    assert place.taker.taken == [("c", b"c"), ("d", b"d")]
    assert place.states("in") == [("big", "failed"), ("c", "done"), ("d", "done")]


@pytest.mark.parametrize("trouble", ["stays", "fails"])
def test_many_files_that_stay_or_fail_keep_no_new_one_waiting(
    quick: Database, tmp_path: Path, trouble: str
) -> None:
    place = post(quick, tmp_path, files_max="3", after="keep")
    names = [f"a{number}.csv" for number in range(7)]
    place.taker.refuses = set(names) if trouble == "fails" else set()
    for name in names:
        (tmp_path / "in" / name).write_bytes(name.encode())
    for _ in range(3):
        place.fetch()
    (tmp_path / "in" / "z.csv").write_bytes(b"new")
    assert ("z.csv", "taken") in place.verdicts()
    if trouble == "stays":
        (tmp_path / "in" / "a3.csv").write_bytes(b"corrected")
        for _ in range(40):
            place.fetch()
        assert ("a3.csv", b"corrected") in place.taker.taken


def test_a_full_disk_is_said_and_nothing_is_lost(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path)
    (tmp_path / "in" / "a.csv").write_bytes(b"x" * 3_000_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        fetched = place.fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert fetched.broken == "it cannot be kept here: File too large"
    assert list((tmp_path / "yard").iterdir()) == []
    assert place.verdicts() == [("a.csv", "taken")]


def test_what_a_dead_run_left_is_swept_away(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path)
    yard = DiskYard(place.yard, place.opened()[1])
    for name, age_s in (("old", 100_000), ("new", 10)):
        (place.yard / name).touch()
        os.utime(place.yard / name, (time.time() - age_s,) * 2)
    yard.sweep()
    assert [path.name for path in place.yard.iterdir()] == ["new"]


def test_a_missing_folder_is_said(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path, incoming=str(tmp_path / "away"))
    assert "No such file" in place.fetch().broken


def test_a_register_goes_out_whole_and_once(database: Database, tmp_path: Path) -> None:
    place = post(database, tmp_path)
    place.box.files = {1: ("out1.txt", b"debts"), 2: ("out2.txt", b"more")}
    assert [(one.number, one.verdict) for one in place.send()] == [(1, "sent"), (2, "sent")]
    assert place.send() == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "out1.txt": b"debts", "out2.txt": b"more",
    }  # fmt: skip
    assert place.states("out") == [("out1.txt", "done"), ("out2.txt", "done")]


def test_a_file_that_is_there_is_never_overwritten(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path)
    (tmp_path / "out" / "out1.txt").write_bytes(b"another")
    place.box.files = {1: ("out1.txt", b"debts"), 2: ("out2.txt", b"more")}
    first, *rest = place.send()
    assert (first.verdict, rest) == ("failed", [])
    assert "another file of this name is there" in first.detail
    assert (tmp_path / "out" / "out1.txt").read_bytes() == b"another"


def test_a_name_that_went_out_with_other_content_is_refused(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path)
    place.box.files = {1: ("out1.txt", b"debts")}
    place.send()
    (tmp_path / "out" / "out1.txt").unlink()
    place.box.files[2] = ("out1.txt", b"other debts")
    assert [one.verdict for one in place.send()] == ["failed"]
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("bank_took_it", [False, True])
@pytest.mark.parametrize("died", ["placing", "placed", "publishing", "published", "written down"])
def test_dead_at_each_step_it_goes_out_once(
    quick: Database, tmp_path: Path, died: str, bank_took_it: bool
) -> None:
    place = post(quick, tmp_path)
    place.box.files = {1: ("out1.txt", b"debts")}
    upload = Upload("out1.txt", digest_of(b"debts"), 5, (tmp_path / "source").open)  # type: ignore[arg-type]
    (tmp_path / "source").write_bytes(b"debts")
    upload = Upload(upload.name, upload.digest, 5, lambda: (tmp_path / "source").open("rb"))
    with place.channel() as (channel, _):
        place.book.begin(OUT, upload, "on its way, nothing has arrived")
        if died != "placing":
            channel.place(upload)
        if died not in {"placing", "placed"}:
            place.book.end(OUT, upload, "begun", PUBLISHING)
        if died in {"published", "written down"}:
            channel.publish(upload)
        if died == "written down":
            place.book.end(OUT, upload, "done", "")
    bank = []
    if bank_took_it and (tmp_path / "out" / "out1.txt").exists():
        bank.append((tmp_path / "out" / "out1.txt").read_bytes())
        (tmp_path / "out" / "out1.txt").unlink()
    told = [one.verdict for one in place.send()]
    bank += [path.read_bytes() for path in (tmp_path / "out").iterdir()]
    assert bank == [b"debts"]
    is_gone = died == "published" and bank_took_it
    assert told == (["unknown"] if is_gone else ["sent"])
    assert place.box.gone == ([] if is_gone else [1])
    if is_gone:
        assert [one.detail for one in place.send()] == [ASK]
        decide(place.book, "out1.txt", has_arrived=True, author="cli:ann")
        assert [one.verdict for one in place.send()] == ["sent"]
        assert place.box.gone == [1]


def test_only_what_is_unknown_is_decided(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path)
    place.box.files = {1: ("out1.txt", b"debts")}
    place.send()
    with pytest.raises(NotAllowed):
        decide(place.book, "out1.txt", has_arrived=False, author="cli:ann")


@pytest.mark.parametrize(
    ("options", "place", "reason"),
    [
        ({}, "options.incoming", "name the folder"),
        ({"incoming": "in"}, "options.incoming", "whole path"),
        ({"incoming": "/a", "outgoing": "/a"}, "options.outgoing", "must not be"),
        ({"incoming": "/a", "settle_s": "2.5"}, "options.settle_s", "whole number from 0 to 300"),
        ({"incoming": "/a", "after": "burn"}, "options.after", "must be one of: move, delete, keep"),
        ({"incoming": "/a", "colour": "red"}, "options.colour", "has no such option"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, str], place: str, reason: str) -> None:
    problems = channel_problems(ChannelTerms("folder", tuple(options.items())))
    assert reason in problems[place]


def test_the_test_says_what_is_there(quick: Database, tmp_path: Path) -> None:
    place = post(quick, tmp_path)
    assert len(folder.test(place.opened()[1])) == 2


def test_an_unknown_kind() -> None:
    assert "known: folder" in channel_problems(ChannelTerms("pigeon"))["kind"]
