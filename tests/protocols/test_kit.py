"""The shared kit: one meaning per request, dates of the calendar, secrets compared whole."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kvit.domain.messages import HttpRequest, Malformed
from kvit.protocols.kits import kit, times

steady = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def values_of(raw: bytes) -> dict[str, str] | None:
    form = kit.parse_form(raw)
    return None if isinstance(form, Malformed) else form.values


@steady
@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), st.text(max_size=20)
    )
)
def test_a_form_reads_what_a_form_writes(pairs: dict[str, str]) -> None:
    """Checked against the standard library's writer; a lone surrogate has no UTF-8 and stays out."""
    clean = {name: value.encode("utf-8", "ignore").decode() for name, value in pairs.items()}
    raw = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in clean.items()).encode()
    assert values_of(raw) == clean


@steady
@given(st.binary(max_size=40) | st.text("a=&%+ 0fЖ").map(str.encode))
def test_a_form_never_reads_more_than_the_standard_library(raw: bytes) -> None:
    values = values_of(raw)
    if values is not None:
        text = raw.decode("utf-8")
        assert list(values.items()) == parse_qsl(text, keep_blank_values=True, errors="strict")


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        (b"", {}),
        (b"a=1&&b=2&", {"a": "1", "b": "2"}),
        (b"a", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a=x+y%20z%2B", {"a": "x y z+"}),
        ("a=Жук".encode(), {"a": "Жук"}),
        (b"a=%d0%96", {"a": "Ж"}),
        (b"a=1&%61=1", None),
        (b"a=1&a=1", None),
        (b"a=%", None),
        (b"a=%1", None),
        (b"a=%  1", None),
        (b"a=%+1", None),
        (b"a=%u0416", None),
        (b"a=%C0%80", None),
        (b"a=%ED%A0%80", None),
        (b"a=\xff", None),
        (b"a=%D0&b=%96", None),
    ],
)
def test_one_meaning_or_none(raw: bytes, values: dict[str, str] | None) -> None:
    assert values_of(raw) == values


def test_a_name_that_could_forge_a_log_is_not_repeated_in_the_answer() -> None:
    assert kit.parse_form(b"a%0Ab=1&a%0Ab=2") == Malformed("query", "repeated")
    assert kit.parse_form(b"%D0%96=1&%D0%96=2") == Malformed("query", "repeated")


def test_limits() -> None:
    at_most = b"&".join(b"x%d=1" % number for number in range(kit.PARAMETERS_MAX))
    assert values_of(at_most) is not None
    assert kit.parse_form(at_most + b"&y=1") == Malformed("query", "too many parameters")
    assert values_of(b"a=" + b"x" * (kit.FORM_BYTES_MAX - 2)) is not None
    assert kit.parse_form(b"a=" + b"x" * (kit.FORM_BYTES_MAX - 1)) == Malformed("query", "too long")


def test_the_first_thing_wrong_is_kept() -> None:
    form = kit.Form({"a": "x", "b": "y"})
    assert form.digits("a", 3) == "x"
    assert form.digits("b", 3) == "y"
    assert form.problem == Malformed("a", "not digits")


@pytest.mark.parametrize("text", ["", "0042017", "А-17/2 кв. 5", "a\u00a0b", "😀"])
def test_plain_texts(text: str) -> None:
    assert kit.is_plain(text)


@pytest.mark.parametrize(
    "mark", ["\0", "\t", "\n", "\x1b", "\x7f", "\x85", "\u2028", "\u202e", "\u2066", "\ud800", "\uffff"]
)
def test_texts_with_a_control_character(mark: str) -> None:
    assert not kit.is_plain("Ж" + mark)
    assert not kit.is_plain("a" + mark)


@steady
@given(st.datetimes().map(lambda moment: moment.replace(microsecond=0)), st.sampled_from(list(times.LAYOUTS)))
def test_moments_there_and_back(moment: object, layout: str) -> None:
    iso = str(moment).replace(" ", "T")
    assert times.parse_moment(times.format_moment(iso, layout), layout) == iso


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("20250229000000", times.COMPACT),
        ("20251301000000", times.COMPACT),
        ("20250101246000", times.COMPACT),
        ("2025010100000", times.COMPACT),
        ("2025 101000000", times.COMPACT),
        ("+2250101000000", times.COMPACT),
        ("2025-03-14 09:15:30", times.ISO),
        ("14-03-2025 09:15:30", times.DOTTED),
        ("14.03.2025T09:15:30", times.DOTTED),
        ("२०२५०३१४०९१५३०", times.COMPACT),
    ],
)
def test_moments_that_are_none(text: str, layout: str) -> None:
    assert times.parse_moment(text, layout) is None


def test_the_zone_of_a_moment_is_left_out() -> None:
    assert times.format_moment("2025-03-14T09:15:31.123456+03:00", times.COMPACT) == "20250314091531"


def asked_with(*values: bytes) -> HttpRequest:
    return HttpRequest(headers=tuple((b"authorization", value) for value in values))


def test_only_the_exact_credentials_pass() -> None:
    """Each bit of the token flipped, cut, doubled, absent: refused. (Reliability list, S6.)"""
    token = base64.b64encode("кассир:пароль:1".encode())
    exact = b"Basic " + token
    assert kit.basic_accepts(asked_with(exact), "кассир", "пароль:1")
    for place in range(6, len(exact)):
        for bit in range(8):
            flipped = exact[:place] + bytes((exact[place] ^ (1 << bit),)) + exact[place + 1 :]
            assert not kit.basic_accepts(asked_with(flipped), "кассир", "пароль:1")
    for wrong in (
        b"", b"Basic", b"Basic ", token, exact[:-1], exact + b"=", exact + b" ", b"Digest " + token,
        b"Basic " + base64.b64encode("кассир:пароль:1".encode("cp1251")), b"Basic " + base64.b64encode(b":"),
    ):  # fmt: skip
        assert not kit.basic_accepts(asked_with(wrong), "кассир", "пароль:1")
    assert not kit.basic_accepts(asked_with(), "кассир", "пароль:1")
    assert not kit.basic_accepts(asked_with(exact, exact), "кассир", "пароль:1")
    assert not kit.basic_accepts(asked_with(b"Basic " + base64.b64encode(b"a:")), "a", "b")


def test_an_agreement_with_half_a_secret_is_not_open() -> None:
    assert not kit.basic_accepts(asked_with(), "a", "")
    assert not kit.basic_accepts(asked_with(), "", "b")
    assert kit.basic_accepts(asked_with(), "", "")


def test_normalised_numbers() -> None:
    assert kit.normalise_number("00042", "none") == "00042"
    assert kit.normalise_number("00042", "strip-zeros") == "42"
    assert kit.normalise_number("000", "strip-zeros") == "0"
    assert kit.normalise_number("0A42", "strip-zeros") == "0A42"
    assert kit.normalise_number("42", "pad-5") == "00042"
    assert kit.normalise_number("٤٢", "pad-5") == "٤٢"


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2025-03-14T09:15:30+03:00", "2025-03-14T09:15:30+03:00"),
        ("2025-03-14T09:15:30Z", "2025-03-14T09:15:30+00:00"),
        ("2025-03-14T09:15:30.250-05:30", "2025-03-14T09:15:30.250-05:30"),
        ("2025-03-14T09:15:30.250001Z", "2025-03-14T09:15:30.250001+00:00"),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00+00:00"),
    ],
)
def test_an_instant_keeps_its_offset(text: str, iso: str) -> None:
    assert times.parse_instant(text) == iso
    assert times.ms_of_iso(iso) >= 0


@pytest.mark.parametrize(
    "text",
    [
        "", "2025-03-14", "2025-03-14T09:15:30", "2025-03-14 09:15:30Z", "2025-03-14T09:15Z",
        "20250314T091530Z", "2025-02-29T09:15:30Z", "2025-03-14T24:00:00Z", "2025-03-14T09:15:60Z",
        "2025-03-14T09:15:30z", "2025-03-14T09:15:30+24:00", "2025-03-14T09:15:30+10:99",
        "2025-03-14T09:15:30+0300", "2025-03-14T09:15:30.5Z", "٢٠٢٥-03-14T09:15:30Z",
        "2025-03-14T09:15:30Z\n", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
        "1970-01-01T00:00:00+14:00",
    ],
)  # fmt: skip
def test_what_is_no_instant(text: str) -> None:
    assert times.parse_instant(text) is None
