"""An authority for one test, and certificates of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """``path``: its certificate, to be trusted."""

    path: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    def issue(self, folder: Path, who: str = "127.0.0.1") -> tuple[Path, Path]:
        """A certificate for ``who`` and its key, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)])
        others: list[x509.GeneralName] = [x509.DNSName("localhost")]
        if who[0].isdigit():
            others.append(x509.IPAddress(ip_address(who)))
        certificate = (
            _builder(name, self.name, key)
            .add_extension(x509.SubjectAlternativeName(others), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        places = folder / f"{who}.crt", folder / f"{who}.key"
        places[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        places[1].write_bytes(_pem(key))
        return places


def make_authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of a test")])
    certificate = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "authority.crt"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return Authority(path, key, name)


def _builder(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
