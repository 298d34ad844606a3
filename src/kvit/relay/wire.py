"""What office and node put around every call, so that each knows the other.

Both sides know a secret key (two live while one replaces the other). A call is signed over its method, path,
query, time, nonce, body and the office's generation; an answer over the call's nonce, the status, the node's
time and the body. Every part goes in with its length before it, so that no two calls have the same text.

``path`` is what follows the node's own address: ``/office/pull``, also where the node stands behind
``/kvit.cgi``. Times are whole seconds since 1970. A time further off than ``CLOCK_S_MAX`` and a nonce that
was seen before are refused, so a caught call is of no use to anyone.

Standard library only, Python 3.9 syntax: this module also runs on cheap hosting.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Callable, Dict, Mapping

TIME = "X-Kvit-Time"
NONCE = "X-Kvit-Nonce"
KEY = "X-Kvit-Key"
MAC = "X-Kvit-Mac"
GENERATION = "X-Kvit-Generation"

#: How far the clocks of office and node may be apart.
CLOCK_S_MAX = 300
NONCE_SIZE_MIN, NONCE_SIZE_MAX = 16, 64
_NUMBER_SIZE_MAX = 15

#: Why a call is not answered; also the word in the refusal's body.
WRONG_HEADERS = "headers"
WRONG_KEY = "key"
WRONG_MAC = "mac"
WRONG_TIME = "time"
WRONG_NONCE = "nonce"


@dataclass(frozen=True)
class Call:
    """One call as it is signed. ``query`` is as it stands in the address, without the question mark."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""


def sign(key: bytes, call: Call, time_s: int, nonce: str, generation: int = 0) -> str:
    """The MAC of a call: hexadecimal HMAC-SHA256. ``generation`` is what the header of that name says."""
    parts = (call.method, call.path, call.query, str(time_s), nonce, _digest(call.body), str(generation))
    return _mac(key, "kvit-call-1", *parts)


def sign_answer(key: bytes, status: int, time_s: int, nonce: str, body: bytes) -> str:
    """The MAC of an answer; ``nonce`` is the call's, ``time_s`` the node's clock."""
    return _mac(key, "kvit-answer-1", str(status), str(time_s), nonce, _digest(body))


def call_headers(
    key_id: str, key: bytes, call: Call, time_s: int, nonce: str, generation: int = 0
) -> Dict[str, str]:
    """The five headers of a call."""
    mac = sign(key, call, time_s, nonce, generation)
    return {TIME: str(time_s), NONCE: nonce, KEY: key_id, GENERATION: str(generation), MAC: mac}


def answer_headers(
    key_id: str, key: bytes, status: int, time_s: int, nonce: str, body: bytes
) -> Dict[str, str]:
    """The headers of an answer."""
    return {TIME: str(time_s), KEY: key_id, MAC: sign_answer(key, status, time_s, nonce, body)}


def verify(
    keys: Mapping[str, bytes],
    call: Call,
    headers: Mapping[str, str],
    now_s: int,
    is_new: Callable[[str, int], bool],
) -> str:
    """Why a call is not from the other side; ``""`` when it is.

    ``headers`` by their names in lower case. ``is_new(nonce, time_s)`` keeps the nonce, and says whether it
    was not there; it is asked last, so that only who has a key can fill the table.
    """
    given = {name: headers.get(name.lower(), "") for name in (TIME, NONCE, KEY, MAC, GENERATION)}
    generation = given[GENERATION] or "0"
    if not _is_number(given[TIME]) or not _is_number(generation) or not _is_nonce(given[NONCE]):
        return WRONG_HEADERS
    key = keys.get(given[KEY])
    if key is None:
        return WRONG_KEY
    time_s = int(given[TIME])
    expected = sign(key, call, time_s, given[NONCE], int(generation))
    if not hmac.compare_digest(expected.encode(), given[MAC].encode("utf-8", "replace")):
        return WRONG_MAC
    if abs(now_s - time_s) > CLOCK_S_MAX:
        return WRONG_TIME
    return "" if is_new(given[NONCE], time_s) else WRONG_NONCE


def verify_answer(
    keys: Mapping[str, bytes], status: int, nonce: str, headers: Mapping[str, str], body: bytes
) -> str:
    """Why an answer is not the other side's answer to the call with ``nonce``; ``""`` when it is.

    The node's clock is not judged here: the answer's time is how the office learns it.
    """
    time, mac = headers.get(TIME.lower(), ""), headers.get(MAC.lower(), "")
    if not _is_number(time):
        return WRONG_HEADERS
    key = keys.get(headers.get(KEY.lower(), ""))
    if key is None:
        return WRONG_KEY
    expected = sign_answer(key, status, int(time), nonce, body)
    return "" if hmac.compare_digest(expected.encode(), mac.encode("utf-8", "replace")) else WRONG_MAC


def _mac(key: bytes, *parts: str) -> str:
    if not key:
        raise ValueError("nothing is signed with an empty key")
    text = b"".join(b"%d:%s" % (len(part), part) for part in (part.encode("utf-8") for part in parts))
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _NUMBER_SIZE_MAX


def _is_nonce(text: str) -> bool:
    return NONCE_SIZE_MIN <= len(text) <= NONCE_SIZE_MAX and text.isascii() and text.isalnum()
