"""Secrets are in the database only under a key that is outside it, and no command shows them."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from kvit.domain.errors import SettingsError
from kvit.storage.secretbox import KEY_FILE, KEY_VARIABLE, open_box
from tests.cli.commands import Desk
from tests.web.serving import AGREEMENT, PASSWORD, Office, open_office

NOTHING: dict[str, str] = {}


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    sealed = open_box(folder, NOTHING).seal("secret")
    assert open_box(folder, NOTHING).open(sealed) == "secret"
    assert stat.S_IMODE((folder / KEY_FILE).stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_commands_at_the_same_moment_make_one_key(tmp_path: Path) -> None:
    sealed: list[bytes] = []
    barrier = threading.Barrier(8)

    def seal() -> None:
        barrier.wait()
        sealed.append(open_box(tmp_path, NOTHING).seal("secret"))

    threads = [threading.Thread(target=seal) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    box = open_box(tmp_path, NOTHING)
    assert [box.open(each) for each in sealed] == ["secret"] * 8


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666, 0o610, 0o601])
def test_a_key_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    open_box(tmp_path, NOTHING)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(SettingsError, match=rf"mode {mode:o}.*chmod 600"):
        open_box(tmp_path, NOTHING)
    path.chmod(0o400)
    open_box(tmp_path, NOTHING)


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"\xff" * 44, b"a" * 44, os.urandom(32)])
def test_a_damaged_key_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / KEY_FILE
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SettingsError, match=r"secret\.key or KVIT_SECRET_KEY is damaged"):
        open_box(tmp_path, NOTHING)
    with pytest.raises(SettingsError, match="is damaged"):
        open_box(tmp_path, {KEY_VARIABLE: "nonsense"})


def test_a_folder_in_the_place_of_the_key_is_named(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).mkdir(mode=0o700)
    with pytest.raises(SettingsError, match=KEY_FILE):
        open_box(tmp_path, NOTHING)
    file = tmp_path / "file"
    file.write_text("x", encoding="ascii")
    with pytest.raises(SettingsError, match="file"):
        open_box(file / "data", NOTHING)


def test_the_key_from_the_environment_leaves_no_file(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    sealed = open_box(tmp_path, {KEY_VARIABLE: key}).seal("secret")
    assert list(tmp_path.iterdir()) == []
    assert open_box(tmp_path, {KEY_VARIABLE: key}).open(sealed) == "secret"
    with pytest.raises(SettingsError, match="cannot be read with this key"):
        open_box(tmp_path, NOTHING).open(sealed)


def test_what_was_sealed_is_not_to_be_changed(tmp_path: Path) -> None:
    box = open_box(tmp_path, NOTHING)
    sealed = bytearray(box.seal("secret"))
    sealed[20] ^= 1
    for damaged in (bytes(sealed), b"", bytes(sealed)[:-4], b"secret"):
        with pytest.raises(SettingsError, match="cannot be read"):
            box.open(damaged)


@pytest.fixture(scope="module")
def office(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An installation whose agreement was applied by the command itself."""
    office = open_office(tmp_path_factory.mktemp("secrets"), sqlite_template, agreement="")
    done = Desk(office).apply(AGREEMENT, "--json")
    assert done.code == 0, done.err
    assert PASSWORD not in done.out + done.err
    return office


def test_nothing_in_the_data_folder_holds_the_password(office: Office) -> None:
    files = [path for path in office.folder.rglob("*") if path.is_file() and path.name != "agreements.toml"]
    assert {path.name for path in files} >= {"kvit.sqlite", KEY_FILE}
    assert [path.name for path in files if PASSWORD.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    "command",
    [("agreement", "list"), ("agreement", "list", "--json"), ("agreement", "show", "qiwi"),
     ("agreement", "show", "qiwi", "--json"), ("agreement", "apply", "agreements.toml", "--dry-run")],
    ids=" ".join,
)  # fmt: skip
def test_no_command_shows_it(command: tuple[str, ...], office: Office) -> None:
    done = Desk(office).run(*command)
    assert done.code == 0, done.err
    assert "qiwi" in done.out
    assert PASSWORD not in done.out + done.err


def test_with_another_key_every_command_says_what_to_do(office: Office) -> None:
    other = Office(office.folder, office.url, variables={KEY_VARIABLE: Fernet.generate_key().decode()})
    for command in (("serve", "--port", "0"), ("agreement", "list"), ("agreement", "show", "qiwi")):
        done = Desk(other).run(*command)
        assert done.code == 2
        assert "agreement qiwi: the agreements' secrets cannot be read with this key" in done.err


def test_a_lost_key_is_mended_by_applying_again(sqlite_template: Path, tmp_path: Path) -> None:
    desk = Desk(open_office(tmp_path, sqlite_template))
    (tmp_path / KEY_FILE).unlink()
    assert desk.run("agreement", "list").code == 2
    assert "changed" in desk.apply(AGREEMENT).out
    assert desk.run("agreement", "list").code == 0
