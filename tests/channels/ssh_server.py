"""An SFTP server on loopback: asyncssh's own, with a folder of the disk behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncssh

USER, PASSWORD = "kvit", "correct horse"


class _Doorkeeper(asyncssh.SSHServer):
    def __init__(self, server: Server) -> None:
        self._server = server

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.passwords.append(password)
        return (username, password) == (USER, PASSWORD)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        allowed = self._server.client_key
        return allowed is not None and username == USER and key == allowed.convert_to_public()


class Server:
    """Its port, its key, and what it was told."""

    def __init__(self, folder: Path, **options: Any) -> None:  # noqa: ANN401 - asyncssh's own
        self.folder = folder
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key: asyncssh.SSHKey | None = None
        self.passwords: list[str] = []
        self.options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._acceptor = self._do(self._listen(0))
        self.port: int = self._acceptor.get_port()

    @property
    def fingerprint(self) -> str:
        return self.key.get_fingerprint("sha256")

    async def _listen(self, port: int) -> asyncssh.SSHAcceptor:
        def sftp(channel: asyncssh.SSHServerChannel[bytes]) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=str(self.folder).encode())

        return await asyncssh.listen(
            "127.0.0.1", port, server_factory=lambda: _Doorkeeper(self), server_host_keys=[self.key],
            sftp_factory=self.options.get("sftp_factory", sftp), allow_scp=False,
            **{name: value for name, value in self.options.items() if name != "sftp_factory"},
        )  # fmt: skip

    def change_key(self) -> None:
        """The same port, another key."""
        self._do(self._leave())
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self._acceptor = self._do(self._listen(self.port))

    async def _leave(self) -> None:
        self._acceptor.close()
        await self._acceptor.wait_closed()

    def _do(self, work: Any) -> Any:  # noqa: ANN401
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def close(self) -> None:
        self._do(self._leave())
        self._do(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


async def _end_all() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    await asyncio.sleep(0.05)


@contextmanager
def serving(folder: Path, **options: Any) -> Iterator[Server]:  # noqa: ANN401
    for name in ("in", "out"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    server = Server(folder, **options)
    try:
        yield server
    finally:
        server.close()
