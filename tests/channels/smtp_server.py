"""A mail server on loopback that keeps what it accepts."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
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
            (part.get_filename(), bytes(part.get_payload(decode=True)))  # type: ignore[arg-type]
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


@contextmanager
def smtp_server(certificate: tuple[Path, Path] | None = None) -> Iterator[SmtpServer]:
    """With a certificate it is TLS from the first byte, else in clear."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
    kept = SmtpServer()
    controller = Controller(
        kept, hostname="127.0.0.1", port=0, ssl_context=context, authenticator=_let_in,
        auth_required=True, auth_require_tls=False, ready_timeout=10,
    )  # fmt: skip
    controller._trigger_server = lambda: None  # type: ignore[method-assign] - it would ask port 0
    controller.start()
    assert controller.server is not None
    kept.port = controller.server.sockets[0].getsockname()[1]
    try:
        yield kept
    finally:
        controller.stop()
