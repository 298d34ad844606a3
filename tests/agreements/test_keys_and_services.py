"""What other protocols need of an agreement: secrets, keys, services, and what the payer types."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kvit.domain.errors import SettingsError
from kvit.domain.model import Agreement, Biller, ServiceTerms
from kvit.main import RegistryCatalogue, make_agent_terms, make_terms
from kvit.main.keys import public_half, signer, verifier
from kvit.services.agreements import from_spec, read_file, same_terms, to_spec

WATER = Biller("water", "Водоканал", "RUB", "Europe/Moscow", "none", "", 1)


def pem_of(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b"") -> str:
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked).decode()


OURS = pem_of(rsa.generate_private_key(65537, 2048))
THEIRS = pem_of(rsa.generate_private_key(65537, 2048))


def read(settings: str, folder: Path = Path(), *, protocol: str = "cyberplat") -> Agreement:
    text = f'[[agreement]]\nid = "a"\nprotocol = "{protocol}"\n{settings}'
    (agreement,) = read_file(text.encode(), WATER, RegistryCatalogue(folder))
    return agreement


def refusal(settings: str, folder: Path = Path(), *, protocol: str = "cyberplat") -> str:
    with pytest.raises(SettingsError) as caught:
        read(settings, folder, protocol=protocol)
    return str(caught.value)


def with_keys(public: str, private: str) -> str:
    return f"public_key = '''{public}'''\nprivate_key = '''{private}'''\n"


# --- keys ----------------------------------------------------------------------------------------------


def test_each_side_signs_with_its_own_key() -> None:
    agreement = read(with_keys(public_half(THEIRS), OURS))
    ours, agents = make_terms(agreement), make_agent_terms(agreement, THEIRS)
    assert ours.sign and ours.verify and agents.sign and agents.verify  # noqa: PT018
    for algorithm in ("sha1", "sha256"):
        asked = agents.sign(algorithm, b"asked")
        assert ours.verify(algorithm, b"asked", asked)
        assert not ours.verify(algorithm, b"asked!", asked)
        assert not ours.verify(algorithm, b"asked", asked[:-1])
        answered = ours.sign(algorithm, b"answered")
        assert agents.verify(algorithm, b"answered", answered)
        assert not agents.verify(algorithm, b"asked", asked), "that is the other one's"


def test_one_pair_for_trials_needs_no_key_of_the_agent() -> None:
    agreement = read(with_keys(public_half(OURS), OURS))
    ours, agents = make_terms(agreement), make_agent_terms(agreement)
    assert ours.verify and agents.sign  # noqa: PT018
    assert ours.verify("sha1", b"asked", agents.sign("sha1", b"asked"))


def test_the_signatures_are_those_of_the_vectors() -> None:
    """Plain arithmetic and the library agree, in both directions."""
    from tests.protocols import rsa as plain

    modulus, private = plain._MODULUS, plain._PRIVATE_EXPONENT
    first, second = rsa.rsa_recover_prime_factors(modulus, 65537, private)
    numbers = rsa.RSAPrivateNumbers(
        first, second, private, rsa.rsa_crt_dmp1(private, first), rsa.rsa_crt_dmq1(private, second),
        rsa.rsa_crt_iqmp(first, second), rsa.RSAPublicNumbers(65537, modulus),
    )  # fmt: skip
    pem = pem_of(numbers.private_key())
    for algorithm in ("sha1", "sha256"):
        assert signer(pem)(algorithm, b"text") == plain.sign(algorithm, b"text")
        assert verifier(public_half(pem))(algorithm, b"text", plain.sign(algorithm, b"text"))


def test_a_key_may_be_a_file_beside_the_agreements(tmp_path: Path) -> None:
    (tmp_path / "ours.pem").write_text(OURS)
    (tmp_path / "theirs.pem").write_text(public_half(THEIRS))
    agreement = read('public_key = "theirs.pem"\nprivate_key = "ours.pem"', tmp_path)
    assert (agreement.public_key, agreement.private_key) == (public_half(THEIRS), OURS)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('public_key = "nowhere.pem"\nprivate_key = "x"', "public_key: is neither a key in PEM nor a file"),
        (with_keys(OURS, OURS), "public_key: is not a public key or certificate in PEM; it is a private"),
        (with_keys(public_half(THEIRS), public_half(OURS)), "private_key: is not a private key in PEM"),
        (with_keys(public_half(THEIRS), pem_of(rsa.generate_private_key(65537, 2048), b"word")),
         "private_key: the private key is encrypted"),
        (with_keys(public_half(THEIRS), pem_of(ec.generate_private_key(ec.SECP256R1()))),
         "private_key: is not an RSA key"),
        ("public_key = '''" + public_half(THEIRS) + "'''", "private_key: cyberplat signs both ways"),
        ('secret = "word"', "secret: the protocol cyberplat does not ask for it"),
    ],
)  # fmt: skip
def test_a_key_that_is_none_is_refused(settings: str, reason: str, tmp_path: Path) -> None:
    assert reason in refusal(settings, tmp_path)


def test_credentials_that_nobody_looks_at_are_no_lock() -> None:
    assert "secret: the protocol qiwi does not ask for it" in refusal('secret = "word"', protocol="qiwi")
    assert "mpesa has no credentials, so it needs networks" in refusal("", protocol="mpesa")
    assert "needs networks, secret, or both" in refusal("", protocol="click")
    assert read('secret = "word"', protocol="click").secret == "word"


def test_secrets_are_kept_apart_and_come_back() -> None:
    for agreement in (
        read(with_keys(public_half(THEIRS), OURS)),
        read(
            'secret = "wörd"\nservices = ["1", "2"]\npayer_key = "invoice"\nrefund = "refuse"',
            protocol="click",
        ),
    ):
        seen, secrets = to_spec(agreement)
        assert "PRIVATE" not in seen
        assert "wörd" not in seen
        assert same_terms(from_spec(seen, secrets, 7), agreement)
    assert "PRIVATE" not in repr(read(with_keys(public_half(THEIRS), OURS)))


# --- services, and what the payer types ----------------------------------------------------------------


def read_qiwi(settings: str) -> Agreement:
    return read(settings, protocol="qiwi")


def test_services_as_a_list_or_as_a_table() -> None:
    networks = 'networks = ["192.0.2.0/24"]\n'
    assert read_qiwi(networks + 'services = ["1", "2"]').services == (
        ServiceTerms("1", "1"),
        ServiceTerms("2", "2"),
    )
    table = '[agreement.services]\n1 = { service = "water", min_sum = "1.50", title = "Water" }\n7 = {}\n'
    assert read_qiwi(networks + table).services == (
        ServiceTerms("1", "water", 150, None, "Water"), ServiceTerms("7", "7"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ('services = ["1", "1"]', "services: each code once"),
        ('services = [""]', "services: each code once, and none of them empty"),
        ('services = { 1 = { min_sum = "5", max_sum = "4" } }', "services.1.max_sum: is below min_sum"),
        ('services = { 1 = { sum = "5" } }', "sum"),
        ('payer_key = "number"', 'payer_key: must be "account", "invoice", or a list'),
        ("payer_key = []", "payer_key: 1 to 5 different names"),
        ('payer_key = ["a", "a"]', "payer_key: 1 to 5 different names"),
        ('payer_key = ["a b"]', "payer_key: 1 to 5 different names"),
        ('refund = "maybe"', "refund: must be one of: allow, refuse"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: str, reason: str) -> None:
    assert reason in refusal('networks = ["192.0.2.0/24"]\n' + settings, protocol="qiwi")


def test_what_the_payer_types() -> None:
    networks = 'networks = ["192.0.2.0/24"]\n'
    assert not read_qiwi(networks).by_invoice
    assert read_qiwi(networks + 'payer_key = "invoice"').by_invoice
    fields = read_qiwi(networks + 'payer_key = ["account.contract", "data1"]')
    assert make_terms(fields).payer_fields == ("account.contract", "data1")
    assert read_qiwi(networks + 'refund = "refuse"').may_refund is False
    assert read('secret = "w"', protocol="click").may_hold
    assert not read_qiwi(networks).may_hold
