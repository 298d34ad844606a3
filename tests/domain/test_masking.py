"""Names at a terminal and query strings in a log: recognisable, and nothing more."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kvit.domain.masking import STARS, display_name, display_names, mask_query

SAFE = {"command", "txn_id", "txn_date"}

MASKED = [
    ("", ""),
    ("   ", ""),
    ("Иванов", "И***"),
    ("Иванова Анна Петровна", "И*** А*** П***"),
    ("иванова анна", "и*** а***"),
    ("Иванова А. П.", "И*** А. П."),
    ("Иванова А.П.", "И*** А.П."),
    ("А. П. Иванова", "А. П. И***"),
    ("И Ли", "И*** Л***"),
    ("Иванов Ив.", "И*** И***."),
    ("Римский-Корсаков Николай", "Р***-К*** Н***"),
    ("Әбдірахманова  Гүлнұр\u00a0Ерланқызы", "Ә*** Г*** Е***"),
    ("O'Brien", "O***'B***"),
    ('ТОО "Су-Арнасы" (филиал)', 'Т*** "С***-А***" (ф***)'),
    ("ЖСК №12/3", "Ж*** №1***/3***"),
    ("Иванов +7 701 123-45-67", "И*** 7*** 7*** 1***-4***-6***"),
    ("anna@example.org", "a***.o***"),
    ("გიორგი ბერიძე", "გ*** ბ***"),
    ("नीता शर्मा", "नी*** श***"),
    ("山田 太郎", "山*** 太***"),
    ("محمد علي", "م*** ع***"),
    ("Юрии\u0306", "Ю***"),
    ("И\u0306ван", "Й***"),
    ("*** тайна", "*** т***"),
    ("- . -", ""),
    ("😀😀", "***"),
]


@pytest.mark.parametrize(("name", "shown"), MASKED)
def test_masked_names(name: str, shown: str) -> None:
    assert display_name(name, "masked") == shown


def test_none_shows_nothing_and_full_shows_all() -> None:
    assert display_name("Иванова Анна", "none") == ""
    assert display_name("  Иванова \t Анна ", "full") == "Иванова Анна"
    with pytest.raises(ValueError, match="none, masked or full"):
        display_name("Иванова", "all")


@given(st.text(max_size=80))
@example("и\u0306\u0306\u0306\u0306")
def test_no_two_letters_of_a_word_are_shown_in_a_row(name: str) -> None:
    masked = display_name(name, "masked")
    assert not re.search(r"[^\W_]{2}", masked.replace(STARS, "|"))


@given(st.lists(st.text("абвгёқұabcz", min_size=2, max_size=12), min_size=1, max_size=5))
def test_the_length_of_a_word_is_not_told(words: list[str]) -> None:
    assert display_name(" ".join(words), "masked") == " ".join(word[0] + "***" for word in words)


QUERIES = [
    (b"", ""),
    (
        b"command=pay&txn_id=1234567&account=0957835959&sum=10.45",
        "command=pay&txn_id=1234567&account=*&sum=*",
    ),
    (b"account=", "account="),
    (b"account", "*"),
    (b"77011234567", "*"),
    (b"77011234567=1", "*=*"),
    (b"=77011234567", "=*"),
    (b"command=check=77011234567", "command=*"),
    (b"command=check\r\nforged line", "command=*"),
    (b"command=" + b"9" * 81, "command=*"),
    (b"%63ommand=check", "*=*"),
    (b"Command=check", "Command=*"),
    (b"acc\xd1ount=1", "*=*"),
    (b"&&a=1", "&&a=*"),
    (b"txn_date=2009-08-15T12:00:00%2B03", "txn_date=2009-08-15T12:00:00%2B03"),
]


@pytest.mark.parametrize(("query", "shown"), QUERIES)
def test_masked_queries(query: bytes, shown: str) -> None:
    assert mask_query(query, SAFE) == shown


def test_a_long_query_is_cut() -> None:
    shown = mask_query(b"&".join(b"a=1" for _ in range(53)), SAFE)
    assert shown == "&".join(["a=*"] * 50) + "&(and 3 more)"


@given(st.binary(max_size=300))
def test_any_bytes_have_a_masked_form(query: bytes) -> None:
    shown = mask_query(query, SAFE)
    assert all(" " <= sign <= "~" for sign in shown)


@given(st.lists(st.tuples(st.sampled_from(["account", "sum", "fio", "x1"]), st.integers(0, 10**15))))
def test_no_value_but_the_safe_ones_is_shown(pairs: list[tuple[str, int]]) -> None:
    query = "&".join(f"{name}={value}" for name, value in [*pairs, ("txn_id", 42)])
    shown = mask_query(query.encode(), SAFE)
    assert shown == "&".join([f"{name}=*" for name, _ in pairs] + ["txn_id=42"])


NAMES = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            ["Иванов", "А.", "А", "Римский-Корсаков", '"Су', 'Арнасы"', "O'Neil", "№", "Өмір", "й", ""]
        ),
        max_size=5,
    ).map(" ".join),
)


@given(st.lists(NAMES, max_size=6), st.sampled_from(["none", "masked", "full"]))
@example(["А Б", "x"], "masked")
@example(["", "Иванова Анна", ""], "masked")
@example(["ТОО «Су»", "-", "Н. А."], "masked")
def test_many_names_are_masked_as_each_of_them(names: list[str], show: str) -> None:
    assert list(display_names(names, show)) == [display_name(name, show) for name in names]
