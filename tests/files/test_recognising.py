"""Which format a file is of."""

from __future__ import annotations

import pytest

from kvit.domain.lines import STATEMENT
from kvit.files.base import ByteSource, Format, Reading, ReadOptions, source_of_bytes
from kvit.files.errors import FileRefused
from kvit.files.formats import FORMATS
from kvit.files.recognising import choose, read_file
from tests.files.statements.writing import WRITERS, Paid, written
from tests.files.test_unpacking import zipped


def form(name: str, fit: int) -> Format:
    def read(_source: ByteSource, _options: ReadOptions) -> Reading:
        raise NotImplementedError

    return Format(name, name, STATEMENT, lambda _name, _head: fit, read)


def chosen(*formats: Format, wanted: str = "") -> str:
    return choose(source_of_bytes(b"x", "x.txt"), {each.name: each for each in formats}, wanted).name


def test_the_one_that_fits_best() -> None:
    assert chosen(form("a", 0), form("b", 60), form("c", 40)) == "b"
    assert chosen(form("a", 90), form("b", 60), wanted="b") == "b"


def test_several_none_and_unknown_ones() -> None:
    with pytest.raises(
        FileRefused, match=r"x\.txt: This file may be of the formats a or c\. Say which with --format"
    ):
        chosen(form("a", 60), form("b", 10), form("c", 60))
    with pytest.raises(FileRefused, match="none of the formats that are known: a, b"):
        chosen(form("a", 0), form("b", 0))
    with pytest.raises(FileRefused, match="no format 'z'"):
        chosen(form("a", 60), wanted="z")
    with pytest.raises(FileRefused, match="empty"):
        choose(source_of_bytes(b"", "x"), FORMATS)


@pytest.mark.parametrize("name", WRITERS)
def test_every_statement_is_recognised_under_any_name(name: str) -> None:
    data = written(name, [Paid(1, 5_00)])
    for file in ("statement", "x.csv", "x.xlsx", "kl_to_1c.txt"):
        assert choose(source_of_bytes(data, file), FORMATS).name == name


def test_an_archive_of_several_kinds() -> None:
    source = zipped({f"{name}.txt": written(name, [Paid(1, 5_00)]) for name in WRITERS})
    found = [(each.name, reading.facts.format) for each, reading in read_file(source, ReadOptions("RUB"))]
    assert found == [(f"{name}.txt", name) for name in WRITERS]


def test_a_stranger_in_an_archive_is_named() -> None:
    source = zipped({"a.txt": written("1c", []), "photo.jpg": b"\xff\xd8\xff\xe0\0\0"})
    with pytest.raises(FileRefused, match=r"photo\.jpg"):
        read_file(source, ReadOptions("RUB"))
