"""A mail server on loopback that keeps what it accepts."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "kvit@biller.example", "correct-horse"


@dataclass
class SmtpServer:
    """``letters``: what was accepted. ``refuses``: recipients. ``answer``: instead of yes, at the end."""

    port: int = 0
    letters: list[Message] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    answer: str = ""

    async def handle_RCPT(  # noqa: N802 - aiosmtpd looks for this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated:
            return "530 who are you?"
        if address in self.refuses:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer:
            return self.answer
        assert isinstance(envelope.content, bytes)
        self.letters.append(message_from_bytes(envelope.content))
        return "250 kept"

    def files(self) -> list[tuple[str | None, bytes]]:
        return [
            (part.get_filename(), _content(part))
            for letter in self.letters
            for part in letter.walk()
            if part.get_content_disposition() == "attachment"
        ]


def _let_in(
    server: SMTP,
    session: Session,
    envelope: Envelope,
    mechanism: str,
    data: Any,  # noqa: ANN401
) -> AuthResult:
    is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(), PASSWORD.encode(),
    )  # fmt: skip
    return AuthResult(success=is_known)


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@contextmanager
def smtp_server(certificate: tuple[Path, Path] | None = None) -> Iterator[SmtpServer]:
    """With a certificate it is TLS from the first byte, else in clear."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    kept = SmtpServer()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def speak() -> SMTP:
        return SMTP(
            kept, hostname="mx.bank.example", authenticator=_let_in,
            auth_require_tls=False, loop=loop,
        )  # fmt: skip

    async def listen() -> asyncio.Server:
        return await loop.create_server(speak, "127.0.0.1", 0, ssl=context)

    async def leave(server: asyncio.Server) -> None:
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.02)

    server = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
    kept.port = server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        asyncio.run_coroutine_threadsafe(leave(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
