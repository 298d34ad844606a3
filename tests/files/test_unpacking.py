"""Archives from outside: their files, and what is refused."""

from __future__ import annotations

import gzip
import io
import tarfile
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.files.base import ByteSource, source_of_bytes, source_of_path
from kvit.files.errors import FileRefused
from kvit.files.unpacking import FILES_MAX, members
from tests.files.workbooks import workbook_bytes

DEFLATED = zipfile.ZIP_DEFLATED


def zipped(files: dict[str, bytes], name: str = "mail.zip") -> ByteSource:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", DEFLATED) as archive:
        for inner, data in files.items():
            archive.writestr(inner, data)
    return source_of_bytes(stream.getvalue(), name)


def contents(source: ByteSource) -> dict[str, bytes]:
    return {each.name: each.whole() for each in members(source)}


def test_the_files_of_an_archive_may_be_read_again_and_again() -> None:
    source = zipped(
        {
            "a/one.xml": b"<a/>",
            "two.txt": b"2" * 100_000,
            "a/": b"",
            "__MACOSX/._one.xml": b"x",
            ".DS_Store": b"x",
        }
    )
    found = members(source)
    assert [(each.name, each.size_bytes) for each in found] == [("a/one.xml", 4), ("two.txt", 100_000)]
    for _ in range(2):
        assert [each.whole() for each in found] == [b"<a/>", b"2" * 100_000]
    assert found[1].head(10) == b"2" * 10


def test_a_gzip_file() -> None:
    (found,) = members(source_of_bytes(gzip.compress(b"1CClient" * 1000), "kl_to_1c.txt.gz"))
    assert (found.name, found.size_bytes, found.whole()) == ("kl_to_1c.txt", 8000, b"1CClient" * 1000)


def test_other_files_are_themselves() -> None:
    for data in (b"", b"PK", b"1CClientBankExchange"):
        source = source_of_bytes(data, "x")
        assert members(source) == [source]


def test_a_workbook_is_no_archive_of_files(tmp_path: Path) -> None:
    data = workbook_bytes([["a", "b"], ["1", "2"]])
    source = source_of_bytes(data, "x.xlsx")
    assert members(source) == [source]
    assert contents(zipped({"x.xlsx": data})) == {"x.xlsx": data}


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "C:/x", "C:x", "a\\..\\x", "a\\b", "x\u202ey"]
)
def test_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(FileRefused, match="leads elsewhere"):
        members(zipped({"good": b"1", name: b"2"}))


def test_archives_inside_of_archives() -> None:
    inner = zipped({"x": b"1"}).whole()
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    for data in (inner, gzip.compress(b"1"), b"Rar!....", b"7z\xbc\xaf'..", b"BZh9...", tar.getvalue()):
        with pytest.raises(FileRefused, match="inside of an archive"):
            members(zipped({"x": data}))
        with pytest.raises(FileRefused, match="inside of an archive"):
            members(source_of_bytes(gzip.compress(data), "x.gz"))


def test_too_many_files_and_none() -> None:
    with pytest.raises(FileRefused, match="more than"):
        members(zipped({str(number): b"" for number in range(FILES_MAX + 1)}))
    with pytest.raises(FileRefused, match="empty"):
        members(zipped({"folder/": b""}))


def walk(source: ByteSource) -> None:
    """All bytes of all files, piece by piece."""
    for each in members(source):
        with each.open() as stream:
            while stream.read(1 << 20):
                pass


def bomb(packed: bytes) -> None:
    """Unpacking it is refused, before much of it is held."""
    tracemalloc.start()
    try:
        with pytest.raises(FileRefused, match="unfolds"):
            walk(source_of_bytes(packed, "bomb"))
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


def test_bombs() -> None:
    zeros = b"\0" * (100 << 20)
    bomb(gzip.compress(zeros))
    bomb(zipped({"zeros": zeros}).whole())


def test_a_bomb_that_lies_about_its_size() -> None:
    data = bytearray(zipped({"zeros": b"\0" * (80 << 20)}).whole())
    true = (80 << 20).to_bytes(4, "little")
    data = bytearray(bytes(data).replace(true, (100).to_bytes(4, "little")))
    with pytest.raises(FileRefused, match="damaged"):
        contents(source_of_bytes(bytes(data), "liar.zip"))


def test_a_locked_archive() -> None:
    data = bytearray(zipped({"x": b"1"}).whole())
    for place in (data.index(b"PK\x03\x04") + 6, data.index(b"PK\x01\x02") + 8):
        data[place] |= 1
    with pytest.raises(FileRefused, match="password"):
        members(source_of_bytes(bytes(data), "locked.zip"))


def test_what_packs_well_and_is_small_is_fine() -> None:
    text = b"<Ntry>1</Ntry>" * 1_000_000
    assert contents(zipped({"x.xml": text}))["x.xml"] == text


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_archive_is_refused_or_read(data: st.DataObject) -> None:
    whole = zipped({"a.txt": b"1CClientBankExchange" * 50, "b.txt": b"x"}).whole()
    packed = bytearray(data.draw(st.sampled_from([whole, gzip.compress(b"abc" * 500)])))
    for place in data.draw(st.lists(st.integers(0, len(packed) - 1), min_size=1, max_size=4)):
        packed[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(1, len(packed)))
    with suppress(FileRefused):
        walk(source_of_bytes(bytes(packed[:cut]), "x.zip"))


def test_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"x": b"1"}).whole())
    assert contents(source_of_path(path)) == {"x": b"1"}
