"""Secrets at rest: encrypted with a key that is outside the database."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from kvit.domain.errors import SettingsError

KEY_VARIABLE = "KVIT_SECRET_KEY"
KEY_FILE = "secret.key"


class SecretBox:
    """Encrypts and decrypts agreements' secrets."""

    def __init__(self, key: bytes) -> None:
        try:
            self._fernet = Fernet(key)
        except ValueError as error:
            raise SettingsError(
                f"{KEY_FILE} or {KEY_VARIABLE} is damaged: the key must be 32 bytes in URL-safe base64"
            ) from error

    def seal(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def open(self, sealed: bytes) -> str:
        """Raises ``SettingsError`` when the key is another one than the secrets were sealed with."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken as error:
            raise SettingsError(
                "the agreements' secrets cannot be read with this key; restore the file secret.key of this "
                "installation (or KVIT_SECRET_KEY), or apply the agreements again"
            ) from error


def open_box(data_folder: Path, environment: Mapping[str, str] | None = None) -> SecretBox:
    """The installation's box. The key is ``KVIT_SECRET_KEY`` or ``secret.key`` in the data folder.

    The file is made at the first need, readable by its owner alone; a file that others can read is refused.
    """
    key = (os.environ if environment is None else environment).get(KEY_VARIABLE, "")
    if key:
        return SecretBox(key.encode())
    path = data_folder / KEY_FILE
    try:
        return SecretBox(_read(path))
    except OSError as error:
        raise SettingsError(f"{error.filename or path}: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    if not path.exists():
        _make(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if os.name == "posix" and mode & 0o077:
        raise SettingsError(f"{path} can be read by others (mode {mode:o}); run: chmod 600 {path}")
    return path.read_bytes().strip()


def _make(path: Path) -> None:
    """Whole or not at all: two commands may want it at the same moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=KEY_FILE, dir=path.parent)  # for its owner alone
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
