"""A connection by SSH to a server whose key is known; the machine's own SSH settings are left out."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

import asyncssh

from kvit.channels.base import Option, Settings
from kvit.services.travel.errors import ChannelBroken

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_ALGORITHMS = re.compile(r"[A-Za-z0-9@.+_-]+(,[A-Za-z0-9@.+_-]+)*")
#: Option -> asyncssh's parameter: lists that old servers need something added to.
_LEGACY = {
    "kex_algorithms": "kex_algs",
    "ciphers": "encryption_algs",
    "macs": "mac_algs",
    "host_key_algorithms": "server_host_key_algs",
    "signature_algorithms": "signature_algs",
}

OPTIONS: dict[str, Option] = {
    "host": Option("the server's name or address"),
    "port": Option("its port", "22", (), 1, 65_535),
    "user": Option("the user's name there"),
    "host_key": Option(
        "the server's key: its fingerprint SHA256:…, or the key itself (ssh-ed25519 AAAA…); several may stand"
        " there. Another key stops the job"
    ),
    **{
        name: Option(f"old {name.replace('_', ' ')} that this server needs beside the usual, with commas")
        for name in _LEGACY
    },
}


def check(settings: Settings) -> dict[str, str]:
    problems = {}
    for name in ("host", "user"):
        if not settings[name] or len(settings.words(name)) != 1:
            problems[f"options.{name}"] = "is missing" if not settings[name] else "is one word"
    if not settings.secret and not settings.private_key:
        problems["private_key"] = "a key is needed, or a password as secret"
    if settings.private_key:
        try:
            asyncssh.import_private_key(settings.private_key, settings.secret or None)
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            problems["private_key"] = f"is no private key, or `secret` is not its password: {error}"
    try:
        pinned(settings)
    except ValueError as error:
        problems["options.host_key"] = str(error)
    for name, parameter in _LEGACY.items():
        if settings[name] and not _ALGORITHMS.fullmatch(settings[name]):
            problems[f"options.{name}"] = f"names of {parameter} with commas"
    return problems


def pinned(settings: Settings) -> set[str]:
    """The fingerprints of ``host_key``. Raises ``ValueError`` for what is neither a fingerprint nor a key."""
    found = set()
    for word in settings.words("host_key"):
        if _FINGERPRINT.fullmatch(word):
            found.add(word)
        elif word.startswith("AAAA"):
            try:
                base64.b64decode(word, validate=True)
                found.add(asyncssh.import_public_key(f"{_kind(word)} {word}").get_fingerprint("sha256"))
            except (asyncssh.KeyImportError, binascii.Error, ValueError) as error:
                raise ValueError("is no public key") from error
        elif not word.startswith(("ssh-", "ecdsa-", "sk-")) and "@" not in word:
            raise ValueError("write a fingerprint SHA256:… (43 letters and digits after it) or a public key")
    if settings["host_key"] and not found:
        raise ValueError("write a fingerprint SHA256:… or a public key")
    return found


def _kind(word: str) -> str:
    """The kind of a public key stands in its first bytes: a length of four bytes, and so many letters."""
    data = base64.b64decode(word)
    return data[4 : 4 + int.from_bytes(data[:4])].decode("ascii", "replace")


class _Client(asyncssh.SSHClient):
    """Looks at the server's key before anything secret is sent."""

    def __init__(self, expected: set[str]) -> None:
        self._expected = expected
        self.seen = ""

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        del host, addr, port
        self.seen = key.get_fingerprint("sha256")
        return self.seen in self._expected


async def connect(settings: Settings) -> tuple[asyncssh.SSHClientConnection, str]:
    """The connection, and the fingerprint of the server's key. Raises ``ChannelBroken``."""
    client = _Client(pinned(settings))
    keys = None
    if settings.private_key:
        keys = [asyncssh.import_private_key(settings.private_key, settings.secret or None)]
    timeout_s = settings.number("timeout_s")
    options: dict[str, Any] = {
        parameter: f"+{settings[name]}" for name, parameter in _LEGACY.items() if settings[name]
    }
    where = f"{settings['host']}:{settings['port']}"
    try:
        connection = await asyncssh.connect(
            settings["host"], settings.number("port"), username=settings["user"],
            password=None if keys else settings.secret, client_keys=keys, client_factory=lambda: client,
            known_hosts=([], [], []), config=None, agent_path=None, gss_host=None, x509_trusted_certs=None,
            disable_trivial_auth=True, connect_timeout=timeout_s, login_timeout=timeout_s,
            keepalive_interval=15, keepalive_count_max=4, **options,
        )  # fmt: skip
    except asyncssh.HostKeyNotVerifiable as error:
        raise ChannelBroken(_key_refused(where, client, settings)) from error
    except asyncssh.PermissionDenied as error:
        raise ChannelBroken(f"{where} does not let {settings['user']} in: {error.reason}") from error
    except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
        raise ChannelBroken(f"{where} cannot be reached: {said(error)}") from error
    return connection, client.seen


def _key_refused(where: str, client: _Client, settings: Settings) -> str:
    seen = client.seen or "no key that this version understands"
    if not settings["host_key"]:
        return (
            f"{where} shows the key {seen}. Compare it with what the bank has told you, then write it as the"
            " option host_key. Nothing was sent"
        )
    return (
        f"{where} shows another key than the agreement says: {seen}. Somebody may stand between you"
        " and the bank: ask the bank whether its key has changed, and only then change host_key. Nothing was"
        " sent"
    )


def said(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time (option timeout_s)"
    return str(error) or type(error).__name__
