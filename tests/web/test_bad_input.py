"""A request has one meaning, or it is malformed: a clear answer of the protocol, and nothing in the books."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlencode

import pytest

from tests.web.serving import BASIC, NUMBER, SUM, Answer, Office, Serving, marks_in

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"

GOOD = {"command": "pay", "txn_id": "8001", "txn_date": "20261101120000", "account": NUMBER, "sum": SUM}

#: Raw, as it stands in the query. None of these is what it may be taken for.
WRONG_SUMS = (
    "", "1e3", "1E3", "-5", "+5", "-0", "abc", "1,5", "1.234,50", "1 000", "1%20000", "1_000", "0x10",
    "1.5.0", ".5", "5.", "1.001", "NaN", "inf", "Infinity", "%EF%BC%91%EF%BC%95", "%D9%A1%D9%A5", "%C2%BD",
    "1%00", "%2B5", "5%0A", "5%0D%0A", "%095", "99999999999999999999", "9" * 400, "1'", "1;2", "5%2E00%2E",
    "%E2%82%BD100", "5%D1%80",
)  # fmt: skip
WRONG_TXNS = (
    "", "0", "00", "-1", "+1", "1.0", "1e3", "abc", "1a", "%EF%BC%91", "%D9%A1", "9" * 21, "9" * 4000,
    "1%00", "1%202", "1'%20OR%201=1", "%F0%9F%92%B0", "1%0A2", "%C2%B2",
)  # fmt: skip
WRONG_ACCOUNTS = (
    "", "%00", NUMBER + "%00", NUMBER + "%0A", "%1B[31m" + NUMBER, "%7F", "%C2%85" + NUMBER,
    "%E2%80%AE" + NUMBER, "%ED%A0%80", "%F4%90%80%80", "%C0%AF", "%E0%80%AF", "%FF", "%CF%F0%E8", "%", "%4",
    "%GG", "%u0041", "7" * 201, "7" * 7000, "%EF%BB%BF" + NUMBER,
)  # fmt: skip
WRONG_DATES = (
    "", "0", "2026", "20260230120000", "20261301120000", "20261101240000", "2026-11-01T12:00:00",
    "20261101120060", "%EF%BC%92" + "0261101120000", "2026110112000", "now", "00000000000000",
)  # fmt: skip
WRONG_EXTRAS = {
    "pay_type": ("abc", "-1", "1.5", "9" * 10, "%EF%BC%91", "1%00"),
    "ccy": ("rub", "RU", "RUBL", "USD", "%D0%A0%D0%A3%D0%91", "R%00B", "643"),
    "trm_id": ("%00", "a%0Ab", "x" * 1001),
    "data1": ("%1B[2J", "a%0D%0AX: y", "%E2%80%A8"),
    "prv_id": ("%7F", "a%08"),
}


def query_of(**raw: str) -> str:
    """A good payment with these parameters put in as they are; ``None``-like ``-`` leaves one out."""
    values = {name: quote(value) for name, value in GOOD.items()} | raw
    return "&".join(f"{name}={value}" for name, value in values.items() if value != "-")


def wrong_queries() -> Iterator[tuple[str, str]]:
    for name, good in GOOD.items():
        again = quote(good)
        yield f"no {name}", query_of(**{name: "-"})
        yield f"{name} twice, the same", query_of() + f"&{name}={again}"
        yield f"{name} twice, another", query_of() + f"&{name}=1"
        yield f"{name} twice, escaped", query_of() + f"&%{ord(name[0]):02X}{name[1:]}={again}"
        yield f"{name} in capitals", query_of(**{name: "-"}) + f"&{name.upper()}={again}"
        yield f"{name} as a list", query_of(**{name: "-"}) + f"&{name}[]={again}"
    for name, values in (
        ("sum", WRONG_SUMS), ("txn_id", WRONG_TXNS), ("account", WRONG_ACCOUNTS), ("txn_date", WRONG_DATES),
        ("command", ("", "PAY", "Pay", "pay%20", "pay%00", "refund", "%70a%79%FF", "../pay", "check%0Apay")),
        *WRONG_EXTRAS.items(),
    ):  # fmt: skip
        for value in values:
            yield f"{name}={value[:40]}", query_of(**{name: value})
    yield "semicolons for ampersands", query_of().replace("&", ";")
    yield "10,000 parameters", query_of() + "&a=" * 1_300 + "&b" * 100
    yield "65 parameters", query_of() + "".join(f"&p{number}=1" for number in range(61))
    yield "UTF-16", quote(query_of().encode("utf-16"))
    yield "JSON", quote('{"command":"pay"}')
    yield "XML", quote("<request><command>pay</command></request>")


WRONG = dict(wrong_queries())


def is_clear(answer: Answer) -> bool:
    """A final answer that is no success, or an HTTP refusal without one."""
    if answer.status == 200:
        return answer.result not in ("", "0", "1", "90") and b"<prv_txn>" not in answer.body
    return answer.status in (400, 413, 414, 431) and answer.result == ""


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_parameter_is_named_and_nothing_is_booked(
    name: str, server: Serving, office: Office, unharmed: None
) -> None:
    query = WRONG[name]
    asked = server.ask("/pay/qiwi?" + query)
    sent = server.ask("/pay/qiwi", method="POST", headers=BASIC + FORM, body=query.encode())
    for answer in (asked, sent):
        assert is_clear(answer), answer
        assert marks_in(answer.body.decode()) == []


def test_two_hundred_ways_are_tried() -> None:
    assert 2 * len(WRONG) >= 200


#: Texts that a client number may be, and that some databases would take for more: they are nobody's number.
STRANGERS = (
    "' OR '1'='1", "1' OR 1=1 --", f"{NUMBER}' --", f"{NUMBER}'; DROP TABLE payments; --", '"', "'", "''",
    "\\", "%", "%%%", f"{NUMBER[:-1]}_", f"{NUMBER[:-1]}%", f"*{NUMBER[1:]}", "?", ":number", "$1",
    "%(number)s", "{number}", f"0{NUMBER}", f" {NUMBER}", f"{NUMBER} ", "７７７０７７７", "<b>1</b>", "&amp;",
    "]]>", "{{7*7}}", "=1+1", "../../etc", "null", "None", "NaN", "True", "Иванов", "🙂",
)  # fmt: skip


@pytest.mark.parametrize("account", STRANGERS)
def test_a_number_is_a_text_and_nothing_else(account: str, server: Serving, unharmed: None) -> None:
    assert server.check(account).result == "5"
    answer = server.pay("8002", "11.00", number=account)
    assert answer.result == "5"
    assert b"account" in answer.body
    assert account.encode() not in answer.body.partition(b"<response>")[2].replace(b"account not found", b"")


def test_query_and_body_do_not_mix(server: Serving, unharmed: None) -> None:
    query, body = query_of(), urlencode(GOOD).encode()
    headers = BASIC + FORM
    assert server.ask("/pay/qiwi?" + query, method="POST", headers=headers, body=body).result == "300"
    assert server.ask("/pay/qiwi?sum=10.00", method="POST", headers=headers, body=body).result == "300"
    assert server.ask("/pay/qiwi?" + query, headers=headers, body=body).result == "300"
    assert server.ask("/pay/qiwi?" + query, headers=headers, body=b"&").result == "300"


@pytest.mark.parametrize(
    "kind",
    [
        "application/json", "text/xml", "text/plain", "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded; charset=windows-1251",
        "application/x-www-form-urlencoded; charset=utf-16",
    ],
)  # fmt: skip
def test_a_form_of_another_kind_is_malformed(kind: str, server: Serving, unharmed: None) -> None:
    headers = BASIC + f"Content-Type: {kind}\r\n".encode()
    assert server.ask("/pay/qiwi", method="POST", headers=headers, body=query_of().encode()).result == "300"
    two = headers + FORM
    assert server.ask("/pay/qiwi", method="POST", headers=two, body=query_of().encode()).result == "300"


def test_bytes_of_another_alphabet_are_malformed(server: Serving, unharmed: None) -> None:
    for account in ("Иванов".encode("cp1251"), b"\xc0\xaf", b"\xed\xa0\x80", b"\xff\xfe", b"7\x007"):
        body = query_of(account="@").encode().replace(b"@", account)
        answer = server.ask("/pay/qiwi", method="POST", headers=BASIC + FORM, body=body)
        assert answer.result in ("4", "300"), account


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        BASIC.replace(b"Basic", b"Bearer"),
        BASIC + BASIC,
        BASIC.strip() + b"A\r\n",
        BASIC[:-3] + b"\r\n",
        b"Authorization: Basic\r\n",
        b"Authorization: Basic !!!!\r\n",
        b"Authorization: Basic " + b"A" * 4000 + b"\r\n",
        b"Authorization: Basic b3NtcDo=\r\n",
        b"Authorization: Basic Og==\r\n",
        b"Proxy-" + BASIC,
        b"X-" + BASIC,
    ],
)
def test_without_the_credentials_even_nonsense_gets_no_other_answer(
    headers: bytes, server: Serving, unharmed: None
) -> None:
    for query in (query_of(), query_of(sum="1e3"), "", "command=check&txn_id=1&account=1&sum=1.00"):
        answer = server.ask("/pay/qiwi?" + query, headers=headers)
        assert (answer.status, answer.body) == (401, b"")
        assert b"www-authenticate: Basic" in answer.head


def test_the_payment_itself_was_good(office: Office, server: Serving) -> None:
    """Else all of the above could be refused for another reason."""
    before = office.payments()
    assert server.ask("/pay/qiwi?" + query_of()).result == "0"
    again = server.ask("/pay/qiwi", method="POST", headers=BASIC + FORM, body=query_of().encode())
    assert again.result == "0"
    assert office.payments() == before + 1
