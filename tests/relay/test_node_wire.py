"""What office and node sign, and what the receipts of a relay prove."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kvit.relay import receipts, wire
from kvit.relay.wire import Call

KEY = b"k" * 32
NONCE = "0123456789abcdef"
CALL = Call("POST", "/office/pull", "", b'{"after": 0}')
NOW_S = 1_900_000_000


def lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def signed(changes: dict[str, str] | None = None, now_s: int = NOW_S) -> dict[str, str]:
    headers = wire.call_headers("a", KEY, CALL, now_s, NONCE, 3)
    return lower({**headers, **(changes or {})})


class Nonces:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __call__(self, nonce: str, time_s: int) -> bool:
        is_new = nonce not in self.seen
        self.seen.add(nonce)
        return is_new


def test_the_mac_of_a_call_is_the_documented_one() -> None:
    parts = ["kvit-call-1", "POST", "/office/pull", "", str(NOW_S), NONCE,
             hashlib.sha256(CALL.body).hexdigest(), "3"]  # fmt: skip
    text = "".join(f"{len(part)}:{part}" for part in parts).encode()
    assert signed()["x-kvit-mac"] == hmac.new(KEY, text, hashlib.sha256).hexdigest()


def test_the_mac_of_an_answer_is_the_documented_one() -> None:
    parts = ["kvit-answer-1", "200", str(NOW_S), NONCE, hashlib.sha256(b"{}").hexdigest()]
    text = "".join(f"{len(part)}:{part}" for part in parts).encode()
    assert wire.sign_answer(KEY, 200, NOW_S, NONCE, b"{}") == hmac.new(KEY, text, hashlib.sha256).hexdigest()


def test_a_call_is_taken_once() -> None:
    nonces = Nonces()
    assert wire.verify({"a": KEY}, CALL, signed(), NOW_S, nonces) == ""
    assert wire.verify({"a": KEY}, CALL, signed(), NOW_S, nonces) == wire.WRONG_NONCE


@pytest.mark.parametrize(
    "call",
    [
        Call("GET", CALL.path, CALL.query, CALL.body),
        Call("POST", "/office/ack", CALL.query, CALL.body),
        Call("POST", CALL.path, "x=1", CALL.body),
        Call("POST", CALL.path, CALL.query, CALL.body + b" "),
    ],
)
def test_a_changed_call_is_nobodys(call: Call) -> None:
    nonces = Nonces()
    assert wire.verify({"a": KEY}, call, signed(), NOW_S, nonces) == wire.WRONG_MAC
    assert nonces.seen == set()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"X-Kvit-Time": str(NOW_S + 1)}, wire.WRONG_MAC),
        ({"X-Kvit-Generation": "4"}, wire.WRONG_MAC),
        ({"X-Kvit-Nonce": "f" * 16}, wire.WRONG_MAC),
        ({"X-Kvit-Mac": "é"}, wire.WRONG_MAC),
        ({"X-Kvit-Mac": ""}, wire.WRONG_MAC),
        ({"X-Kvit-Key": "b"}, wire.WRONG_KEY),
        ({"X-Kvit-Time": "soon"}, wire.WRONG_HEADERS),
        ({"X-Kvit-Time": "١٢٣"}, wire.WRONG_HEADERS),
        ({"X-Kvit-Nonce": "short"}, wire.WRONG_HEADERS),
        ({"X-Kvit-Generation": "-1"}, wire.WRONG_HEADERS),
    ],
)
def test_changed_headers_are_refused(changes: dict[str, str], problem: str) -> None:
    assert wire.verify({"a": KEY}, CALL, signed(changes), NOW_S, Nonces()) == problem


@pytest.mark.parametrize(
    ("off_s", "problem"), [(300, ""), (-300, ""), (301, wire.WRONG_TIME), (-301, wire.WRONG_TIME)]
)
def test_clocks_may_be_five_minutes_apart(off_s: int, problem: str) -> None:
    assert wire.verify({"a": KEY}, CALL, signed(now_s=NOW_S + off_s), NOW_S, Nonces()) == problem


def test_two_keys_live_while_one_replaces_the_other() -> None:
    headers = lower(wire.call_headers("b", b"n" * 32, CALL, NOW_S, NONCE))
    assert wire.verify({"a": KEY, "b": b"n" * 32}, CALL, headers, NOW_S, Nonces()) == ""
    assert wire.verify({"a": KEY}, CALL, headers, NOW_S, Nonces()) == wire.WRONG_KEY


def test_an_answer_belongs_to_its_call() -> None:
    headers = lower(wire.answer_headers("a", KEY, 200, NOW_S, NONCE, b"{}"))
    assert wire.verify_answer({"a": KEY}, 200, NONCE, headers, b"{}") == ""
    assert wire.verify_answer({"a": KEY}, 409, NONCE, headers, b"{}") == wire.WRONG_MAC
    assert wire.verify_answer({"a": KEY}, 200, "f" * 16, headers, b"{}") == wire.WRONG_MAC
    assert wire.verify_answer({"a": KEY}, 200, NONCE, headers, b"[]") == wire.WRONG_MAC
    assert wire.verify_answer({}, 200, NONCE, headers, b"{}") == wire.WRONG_KEY
    assert wire.verify_answer({"a": KEY}, 200, NONCE, {}, b"{}") == wire.WRONG_HEADERS


@given(st.integers(0, 255), st.integers(1, 2**30 - 1), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_receipt_says_where_it_is_from(relay: int, sequence: int, epoch: str) -> None:
    receipt = receipts.make(relay, sequence, epoch, KEY)
    assert 2**62 <= receipt < 2**63
    parts = receipts.split(receipt)
    assert parts is not None
    assert parts[:2] == (relay, sequence)
    assert receipts.is_genuine(receipt, epoch, KEY)


def test_the_bits_of_a_receipt_are_the_published_ones() -> None:
    mac = hmac.new(KEY, b"kvit-receipt-1:7:00ff:9", hashlib.sha256).digest()[:3]
    expected = "1" + f"{7:08b}" + f"{9:030b}" + f"{int.from_bytes(mac, 'big'):024b}"
    assert receipts.make(7, 9, "00ff", KEY) == int(expected, 2)


def test_another_key_epoch_sequence_or_bit_is_not_genuine() -> None:
    receipt = receipts.make(7, 9, "00ff", KEY)
    assert not receipts.is_genuine(receipt, "00ff", b"other")
    assert not receipts.is_genuine(receipt, "00fe", KEY)
    for bit in range(62):
        assert not receipts.is_genuine(receipt ^ 1 << bit, "00ff", KEY), bit


@pytest.mark.parametrize("number", [0, 1, -1, 100_001, 2**62 - 1, 2**62, 2**63, 2**64, -(2**62)])
def test_other_numbers_are_no_receipts_of_a_relay(number: int) -> None:
    assert receipts.split(number) is None
    assert not receipts.is_genuine(number, "00ff", KEY)


@pytest.mark.parametrize(("relay", "sequence"), [(-1, 1), (256, 1), (0, 0), (0, 2**30)])
def test_what_has_no_room_is_not_made(relay: int, sequence: int) -> None:
    with pytest.raises(ValueError, match="no receipt has room"):
        receipts.make(relay, sequence, "00ff", KEY)
