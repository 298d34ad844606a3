"""The key pair that vectors of signing protocols are made with, and RSA in plain Python.

PKCS #1 v1.5 as in RFC 8017: the same key and text give the same signature, so a vector can hold it. The key
guards nothing. Standard library only, Python 3.9 syntax.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

_MODULUS = int(
    "a68f4af689c397ea873187f3210841a993d468c2268795325ac1da7d705539e0"
    "f384d1d942b6007ddf1b2be0259c66d1451234abb08017abd3168f50b91cef48"
    "263274e0de07b3b0130c66ead7d627723e96ba1d15faa53ef3b2c309a74cc2ff"
    "649d253672d2af870ffbac977f12a6c32b5e5963bda36b5a70b0457a13c067e1",
    16,
)
_PRIVATE_EXPONENT = int(
    "356566b0d6c57fa44e2710e05ecc98d05676180775f6ad5bf140885d02703017"
    "efb9bad49dd05f23fb2c68ca790444e9fdecb23a00617035437cce0120f727b6"
    "4332b3adf8dacafee2723dc5a6b78fd930c994be5ae56d05e007937a2d0ca3a8"
    "5463cc6da79d5e7dfc86a2ddba4ed065dcbace7cf86f3ac898a53e1a89b49201",
    16,
)
_PUBLIC_EXPONENT = 65537
_PRIME = int(
    "ceb6dde53c8e1a22d57045075edeb3dcb05e1b6a03f352234122fe1e1c4aca9d"
    "81154748c8933d852c7188a6cec7aea983421f1f28dd5d9c6f88cbcd3a1a6fb1",
    16,
)
# The private key by its two primes: signing is three times as fast.
_OTHER_PRIME = _MODULUS // _PRIME
_EXPONENTS = (_PRIVATE_EXPONENT % (_PRIME - 1), _PRIVATE_EXPONENT % (_OTHER_PRIME - 1))
_COEFFICIENT = pow(_OTHER_PRIME, -1, _PRIME)
_SIZE = (_MODULUS.bit_length() + 7) // 8

#: What stands before the hash in a signature: its algorithm, in ASN.1.
_PREFIXES = {
    "sha1": bytes.fromhex("3021300906052b0e03021a05000414"),
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
}


def _padded(algorithm: str, data: bytes) -> int:
    told = _PREFIXES[algorithm] + hashlib.new(algorithm, data).digest()
    return int.from_bytes(b"\0\1" + b"\xff" * (_SIZE - len(told) - 3) + b"\0" + told, "big")


@lru_cache(maxsize=65_536)
def sign(algorithm: str, data: bytes) -> bytes:
    """The signature of ``data``."""
    told = _padded(algorithm, data)
    one, other = pow(told, _EXPONENTS[0], _PRIME), pow(told, _EXPONENTS[1], _OTHER_PRIME)
    number = other + (one - other) * _COEFFICIENT % _PRIME * _OTHER_PRIME
    return number.to_bytes(_SIZE, "big")


def verify(algorithm: str, data: bytes, signature: bytes) -> bool:
    """Was ``data`` signed with this key?"""
    number = int.from_bytes(signature, "big")
    return len(signature) == _SIZE and pow(number, _PUBLIC_EXPONENT, _MODULUS) == _padded(algorithm, data)


#: For ``Terms``: both sides use the one pair.
KEYS: dict[str, Any] = {"sign": sign, "verify": verify}
