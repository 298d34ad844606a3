"""Text files: the code page is found by what the letters say, and lines come a stretch at a time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.files.base import source_of_bytes
from kvit.files.errors import FileRefused
from kvit.files.texts import LINE_LENGTH_MAX, find_encoding, head_text, text_blocks, text_lines

WORDS = ("Тестов Тест", "ИТОГО", "Оплата согласно реестру", "1;Иванов И.И.;Сумма", "УС", "Платёж за воду №5")


def _lines(data: bytes, encoding: str) -> list[tuple[int, str]]:
    return list(text_lines(source_of_bytes(data, "x.txt"), encoding))


@pytest.mark.parametrize("page", ["cp1251", "cp866", "koi8_r"])
@pytest.mark.parametrize("words", WORDS)
def test_a_code_page_is_known_by_its_words(words: str, page: str) -> None:
    if page == "koi8_r":
        words = words.replace("№", "N ")
    source = source_of_bytes(words.encode(page), "")
    assert find_encoding(source) == page
    # A declaration that makes no sense is not believed.
    assert find_encoding(source, declared="cp1251" if page == "cp866" else "cp866") == page


def test_kazakh_letters_are_in_their_own_page_and_in_utf8() -> None:
    assert find_encoding(source_of_bytes("Қазақша төлем".encode("kz1048"), "")) == "kz1048"
    assert find_encoding(source_of_bytes("Қазақша төлем".encode(), ""), declared="cp1251") == "utf-8-sig"


def test_utf8_wins_and_a_person_wins_over_all() -> None:
    source = source_of_bytes("Оплата".encode(), "")
    assert find_encoding(source, declared="cp1251") == "utf-8-sig"
    assert find_encoding(source, wanted="cp866") == "cp866"
    with pytest.raises(FileRefused, match="no encoding 'martian'"):
        find_encoding(source, wanted="martian")
    with pytest.raises(FileRefused, match="not utf-8 text"):
        find_encoding(source_of_bytes("Оплата".encode("cp1251"), "x"), wanted="utf-8")


def test_a_letter_far_down_decides() -> None:
    data = b"1;2;3\n" * 400_000 + "Оплата".encode("cp866")
    assert find_encoding(source_of_bytes(data, "")) == "cp866"
    cut = b"1\n" * 600_000 + "Оплата".encode()[:-1]
    assert find_encoding(source_of_bytes(cut, "")) != "utf-8-sig"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp866", "utf-16"])
def test_lines_have_any_end(end: str, encoding: str) -> None:
    text = end.join(["один", "", "три"])
    expected = [(1, "один"), (2, ""), (3, "три")]
    assert _lines(text.encode(encoding), encoding) == expected
    assert _lines((text + end).encode(encoding), encoding) == expected


def test_the_end_mark_of_dos_is_no_line() -> None:
    assert _lines(b"a\r\n\x1a", "cp866") == [(1, "a")]
    assert _lines(b"a\x1a", "cp866") == [(1, "a")]
    assert _lines(b"", "cp866") == []


def test_blocks_hold_whole_lines_and_count_them() -> None:
    data = "".join(f"строка {number}\n" for number in range(1, 5001)).encode()
    blocks = list(text_blocks(source_of_bytes(data, ""), "utf-8-sig", 1000))
    assert "".join(block.text for block in blocks).encode() == data
    assert all(block.text.startswith(f"строка {block.first}\n") for block in blocks)
    assert len(blocks) > 50


def test_a_line_without_end_is_no_text() -> None:
    with pytest.raises(FileRefused, match="Line 2 is longer"):
        _lines(b"a\n" + b"b" * (LINE_LENGTH_MAX + 70_000), "cp1251")


def test_a_head_may_end_within_a_letter() -> None:
    assert head_text("Сумма".encode()[:-1]) == "Сумм"
    assert head_text("Сумма".encode("cp866")) == "Сумма"
    assert head_text("Сумма".encode("utf-16")) == "Сумма"


@given(st.binary(max_size=400), st.integers(1, 7))
def test_any_bytes_are_lines(data: bytes, block_bytes: int) -> None:
    source = source_of_bytes(data, "")
    encoding = find_encoding(source)
    whole = list(text_lines(source, encoding))
    assert [line for line, _ in whole] == list(range(1, len(whole) + 1))
    pieces = "".join(block.text for block in text_blocks(source, encoding, block_bytes))
    assert pieces == "".join(text + "\n" for _, text in whole)
    head_text(data)
