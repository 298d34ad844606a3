"""Where one request ends and the next begins has one reading, or the connection ends: nothing is smuggled."""

from __future__ import annotations

import re
import time

import pytest

from tests.web.serving import BASIC, NUMBER, Office, Serving, is_closed, read_all, statuses

HEAD = b"Host: kvit\r\n" + BASIC
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def pay(txn: int) -> bytes:
    return b"command=pay&txn_id=%d&txn_date=20261101120000&account=%s&sum=11.00" % (txn, NUMBER.encode())


def get(headers: bytes = b"", txn: int = 666) -> bytes:
    return b"GET /pay/qiwi?" + pay(txn) + b" HTTP/1.1\r\n" + HEAD + headers + b"\r\n"


def post(headers: bytes, body: bytes) -> bytes:
    return b"POST /pay/qiwi HTTP/1.1\r\n" + HEAD + FORM + headers + b"\r\n" + body


#: A payment that is put behind every case: it must not be taken for a request of its own.
SMUGGLED = get()
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_CHUNKS = b"0\r\n\r\n" + SMUGGLED
FIVE = b"5\r\na=b&c\r\n0\r\n\r\n"

AMBIGUOUS = {
    "length, then chunked": post(b"Content-Length: 6\r\n" + CHUNKED, NO_CHUNKS),
    "chunked, then length": post(CHUNKED + b"Content-Length: 6\r\n", NO_CHUNKS),
    "length twice, the same": post(b"Content-Length: 0\r\n" * 2, SMUGGLED),
    "length twice, another": post(b"Content-Length: 5\r\nContent-Length: 0\r\n", b"a=b&c" + SMUGGLED),
    "length as a list": post(b"Content-Length: 0, 0\r\n", SMUGGLED),
    "length with plus": post(b"Content-Length: +5\r\n", b"a=b&c" + SMUGGLED),
    "length below zero": post(b"Content-Length: -5\r\n", b"a=b&c" + SMUGGLED),
    "length in hex": post(b"Content-Length: 0x5\r\n", b"a=b&c" + SMUGGLED),
    "length with a space": post(b"Content-Length: 5 5\r\n", b"a=b&c" + SMUGGLED),
    "length empty": post(b"Content-Length: \r\n", SMUGGLED),
    "length beyond 64 bits": post(b"Content-Length: 99999999999999999999999\r\n", b"a=b&c"),
    "length folded": post(b"Content-Length:\r\n 5\r\n", b"a=b&c" + SMUGGLED),
    "coding xchunked": post(b"Transfer-Encoding: xchunked\r\n", NO_CHUNKS),
    "coding identity": post(b"Transfer-Encoding: identity\r\n", NO_CHUNKS),
    "coding chunked, identity": post(b"Transfer-Encoding: chunked, identity\r\n", NO_CHUNKS),
    "coding gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", NO_CHUNKS),
    "coding twice": post(CHUNKED * 2, NO_CHUNKS),
    "coding twice, another": post(CHUNKED + b"Transfer-Encoding: identity\r\n", NO_CHUNKS),
    "coding behind a vertical tab": post(b"Transfer-Encoding:\x0bchunked\r\n", NO_CHUNKS),
    "coding with a space before the colon": post(b"Transfer-Encoding : chunked\r\n", NO_CHUNKS),
    "coding in quotes": post(b'Transfer-Encoding: "chunked"\r\n', NO_CHUNKS),
    "coding folded": post(b"Transfer-Encoding:\r\n chunked\r\n", NO_CHUNKS),
    "coding in HTTP/1.0": post(CHUNKED, NO_CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "bare line feeds": SMUGGLED.replace(b"\r\n", b"\n") + SMUGGLED,
    "one bare line feed": get(b"X: y\nZ: w\r\n"),
    "one bare carriage return": get(b"X: y\rZ: w\r\n"),
    "head ended by a bare line feed": SMUGGLED[:-2] + b"\n" + SMUGGLED,
    "folded header": get(b"X: y\r\n folded\r\n"),
    "folded first header": b"GET /pay/qiwi?" + pay(1) + b" HTTP/1.1\r\n X: y\r\n" + HEAD + b"\r\n",
    "NUL in a value": get(b"X: a\0b\r\n"),
    "NUL in a name": get(b"X\0Y: b\r\n"),
    "NUL in the target": SMUGGLED.replace(b" HTTP", b"\0 HTTP"),
    "control character in a value": get(b"X: a\x01b\r\n"),
    "header without a colon": get(b"Xabc\r\n"),
    "header without a name": get(b": abc\r\n"),
    "header name with a space": get(b"X Y: abc\r\n"),
    "two hosts": get(b"Host: other\r\n"),
    "chunk of size zz": post(CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "chunk below zero": post(CHUNKED, b"-1\r\nabc\r\n0\r\n\r\n" + SMUGGLED),
    "chunk size in 0x": post(CHUNKED, b"0x5\r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk size with a space": post(CHUNKED, b"5 \r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk size beyond 64 bits": post(CHUNKED, b"F" * 18 + b"\r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk size ended by a line feed": post(CHUNKED, b"5\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk shorter than it says": post(CHUNKED, b"6\r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk longer than it says": post(CHUNKED, b"4\r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk without its end": post(CHUNKED, b"5\r\na=b&cXX0\r\n\r\n" + SMUGGLED),
    "chunk extension with a line feed": post(CHUNKED, b"5;a\nb\r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "chunk extension with a carriage return": post(CHUNKED, b"5;a\rb\r\na=b&c\r\n0\r\n\r\n" + SMUGGLED),
    "length as a trailer": post(CHUNKED, b"3\r\na=b\r\n0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED),
    "HTTP/0.9": b"GET /pay/qiwi?" + pay(1) + b"\r\n\r\n" + SMUGGLED,
    "HTTP/1.2": SMUGGLED.replace(b"HTTP/1.1", b"HTTP/1.2"),
    "HTTP/2.0": SMUGGLED.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SMUGGLED,
    "method in small letters": SMUGGLED.replace(b"GET", b"get"),
    "method of one's own": SMUGGLED.replace(b"GET", b"PAY"),
    "space in the target": SMUGGLED.replace(b" HTTP", b" x HTTP"),
    "tabs between the words": SMUGGLED.replace(b" HTTP", b"\tHTTP"),
    "tab in the target": SMUGGLED.replace(b" HTTP", b"&x=\t HTTP"),
    "form feed in the target": SMUGGLED.replace(b" HTTP", b"&x=\x0c HTTP"),
    "bytes of another alphabet in the target": SMUGGLED.replace(b" HTTP", b"&x=\xcf\xf0 HTTP"),
    "fragment in the target": SMUGGLED.replace(b"&sum", b"#&sum"),
    "target without a slash": SMUGGLED.replace(b" /pay", b" pay"),
    "TLS on the plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_what_has_two_readings_is_refused_and_ends_the_connection(
    name: str, server: Serving, unharmed: None
) -> None:
    with server.connect() as peer:
        peer.sendall(AMBIGUOUS[name])
        received = read_all(peer)
        assert is_closed(peer, 1)
    assert statuses(received) == [400]
    assert received.endswith(b"\r\n\r\n"), "a refusal has no body"


#: Unusual, but nobody can read it otherwise: one answer to this request, one to the check behind it.
PLAIN = {
    "coding in capitals": post(b"Transfer-Encoding: CHUNKED\r\n", FIVE),
    "coding behind a tab": post(b"Transfer-Encoding:\tchunked\r\n", FIVE),
    "chunk extension": post(CHUNKED, b"5;name=value\r\na=b&c\r\n0\r\n\r\n"),
    "chunk size with zeros": post(CHUNKED, b"00000005\r\na=b&c\r\n0\r\n\r\n"),
    "a trailer": post(CHUNKED, b"5\r\na=b&c\r\n0\r\nX: y\r\n\r\n"),
    "an empty line first": b"\r\n\r\n" + post(b"Content-Length: 5\r\n", b"a=b&c"),
    "bytes above ASCII in a value": post(b"X: \xcf\xf0\r\nContent-Length: 5\r\n", b"a=b&c"),
    "absolute target": post(b"Content-Length: 5\r\n", b"a=b&c").replace(b" /pay", b" http://kvit/pay"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_unusual_and_clear_is_answered(name: str, server: Serving, unharmed: None) -> None:
    check = get(b"Connection: close\r\n").replace(b"command=pay&", b"command=check&")
    received = server.send(PLAIN[name] + check)
    assert re.findall(rb"<result>([0-9]+)</result>", received) == [b"300", b"0"]


@pytest.mark.parametrize(
    "first",
    [
        get(b"Connection: close\r\n", txn=31),
        get(txn=32).replace(b"HTTP/1.1", b"HTTP/1.0"),
        get(b"Connection: Upgrade\r\nUpgrade: websocket\r\n", txn=33),
        get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n", txn=34),
    ],
    ids=["close", "HTTP/1.0", "websocket", "h2c"],
)
def test_after_a_last_request_nothing_more_is_read(first: bytes, office: Office, server: Serving) -> None:
    before = office.payments()
    with server.connect() as peer:
        peer.sendall(first + SMUGGLED)
        received = read_all(peer)
        assert is_closed(peer, 1)
    assert statuses(received) == [200]
    assert b"connection: close" in received
    assert office.payments() == before + 1


def checks(count: int) -> bytes:
    """So many questions in a row, by GET and POST in turn, with payment ids from 1."""
    raw = []
    for txn in range(1, count + 1):
        form = b"command=check&txn_id=%d&account=%s&sum=1.00" % (txn, NUMBER.encode())
        by_get = b"GET /pay/qiwi?" + form + b" HTTP/1.1\r\n" + HEAD + b"\r\n"
        raw.append(by_get if txn % 2 else post(b"Content-Length: %d\r\n" % len(form), form))
    return b"".join(raw)


def answered(received: bytes) -> list[int]:
    """The payment ids in what came back, in order."""
    return [int(txn) for txn in re.findall(rb"<osmp_txn_id>([0-9]+)</osmp_txn_id>", received)]


def test_requests_in_a_row_are_answered_in_their_order(server: Serving, unharmed: None) -> None:
    last = b"GET /healthz HTTP/1.1\r\nHost: kvit\r\nConnection: close\r\n\r\n"
    with server.connect() as peer:
        peer.sendall(checks(250) + last[:20])
        time.sleep(0.2)  # a head that is not complete when the many before it are answered
        peer.sendall(last[20:])
        received = read_all(peer)
    assert answered(received) == list(range(1, 251))
    assert received.endswith(b"ready\n")


def test_only_so_many_may_wait_on_one_connection(server: Serving, unharmed: None) -> None:
    with server.connect() as peer:
        peer.sendall(checks(600))
        received = read_all(peer)
        assert is_closed(peer, 1)
    told = answered(received)
    assert told == list(range(1, len(told) + 1))
    assert 256 <= len(told) < 600


def test_what_was_asked_before_a_refused_request_is_still_answered(office: Office, server: Serving) -> None:
    before = office.payments()
    bad = (b"BAD\r\n\r\n", post(CHUNKED, b"zz\r\n"), get(b"X: y\nZ: w\r\n"))
    for txn, behind in enumerate(bad, 41):
        with server.connect() as peer:
            peer.sendall(get(txn=txn) + behind)
            received = read_all(peer)
            assert is_closed(peer, 1)
        assert statuses(received) == [200]
        assert b"<result>0</result>" in received
    assert office.payments() == before + len(bad)
    assert server.is_well()


@pytest.mark.parametrize(
    ("target", "status"), [("/pay/qiwi?command=nonsense", 200), ("/pay/none", 404), ("/nothing", 404)]
)
def test_a_connection_lives_on_after_an_answer_that_is_no(
    target: str, status: int, server: Serving, unharmed: None
) -> None:
    wrong = f"POST {target} HTTP/1.1\r\nHost: kvit\r\nContent-Length: 3\r\n\r\na=b".encode()
    refused = wrong.replace(b"POST", b"DELETE").replace(target.encode(), b"/pay/qiwi")
    check = get(b"Connection: close\r\n").replace(b"command=pay&", b"command=check&")
    received = server.send(wrong.replace(b"Host", BASIC + b"Host") + refused + check)
    assert statuses(received) == [status, 405, 200]
    assert b"<result>0</result>" in received
