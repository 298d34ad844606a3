"""Keys of protocols that sign: read from PEM, and made into what an adapter calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from kvit.domain.errors import SettingsError

Sign = Callable[[str, bytes], bytes]
Verify = Callable[[str, bytes, bytes], bool]

_KEY_BYTES_MAX = 65_536
_RSA_BITS_MIN = 1024
_BEGIN = "-----BEGIN "
_HASHES: dict[str, hashes.HashAlgorithm] = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}  # noqa: S303


def read_key(text: str, folder: Path, *, is_private: bool) -> str:
    """PEM, from PEM or from a file (a path from ``folder``). Raises ``SettingsError`` for anything else."""
    pem = read_text(text, folder)
    if is_private:
        _private(pem)
    else:
        _public(pem)
    return pem.strip() + "\n"


def read_text(text: str, folder: Path) -> str:
    """A key's text, from itself or from a file, whatever it is in. Raises ``SettingsError``."""
    if _BEGIN in text:
        return text
    path = folder / text
    try:
        data = path.read_bytes()[: _KEY_BYTES_MAX + 1]
    except OSError as error:
        raise SettingsError(f"is neither a key in PEM nor a file: {error.strerror or error}") from error
    if len(data) > _KEY_BYTES_MAX:
        raise SettingsError(f"the file {path.name} is too large for a key")
    return data.decode("ascii", "replace")


def signer(private_pem: str) -> Sign:
    """RSA, PKCS #1 v1.5, with the hash that the caller names."""
    key = _private(private_pem)
    return lambda algorithm, data: key.sign(data, padding.PKCS1v15(), _HASHES[algorithm])


def verifier(public_pem: str) -> Verify:
    """Was the text signed with the other half of this key?"""
    key = _public(public_pem)

    def verify(algorithm: str, data: bytes, signature: bytes) -> bool:
        try:
            key.verify(signature, data, padding.PKCS1v15(), _HASHES[algorithm])
        except InvalidSignature:
            return False
        return True

    return verify


def public_half(private_pem: str) -> str:
    """The public key of a private one."""
    key = _private(private_pem).public_key()
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode("ascii")


def _private(pem: str) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except TypeError as error:
        raise SettingsError(
            "the private key is encrypted; write it without a password, kvit encrypts it"
        ) from error
    except (ValueError, UnicodeError) as error:
        raise SettingsError("is not a private key in PEM") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _RSA_BITS_MIN:
        raise SettingsError(f"is not an RSA key of at least {_RSA_BITS_MIN} bits")
    return key


def _public(pem: str) -> rsa.RSAPublicKey:
    key: object
    try:
        if "CERTIFICATE" in pem.partition("\n")[0]:
            key = x509.load_pem_x509_certificate(pem.encode()).public_key()
        else:
            key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnicodeError) as error:
        private = (
            "; it is a private one, and the other side would not give you that" if "PRIVATE" in pem else ""
        )
        raise SettingsError(f"is not a public key or certificate in PEM{private}") from error
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _RSA_BITS_MIN:
        raise SettingsError(f"is not an RSA key of at least {_RSA_BITS_MIN} bits")
    return key
