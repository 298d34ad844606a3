"""A register as an attachment, handed to a mail server; it is known exactly how far that came.

Until the last dot of the letter was sent, a server may not deliver it (RFC 5321, 4.1.1.4): so a line that
breaks before is a letter that was not sent, and one that breaks after it is unknown.
"""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from email.utils import formatdate
from hashlib import sha256

from kvit.channels import tls
from kvit.channels.base import Settings
from kvit.services.travel.errors import ChannelBroken, NotAccepted
from kvit.services.travel.ports import Upload

_PIECE_BYTES = 64 << 10


def message_id(upload: Upload, sender: str) -> str:
    """The same for the same file for ever, so that a letter that comes twice can be known by it."""
    digest = sha256(f"{upload.name}\n{upload.digest}".encode()).hexdigest()
    return f"<kvit.{digest[:40]}@{sender.rpartition('@')[2]}>"


def compose(upload: Upload, settings: Settings) -> bytes:
    letter = EmailMessage(policy=POLICY)
    letter["From"] = settings["from"]
    letter["To"] = ", ".join(settings.words("to"))
    letter["Subject"] = settings["subject"].replace("{name}", upload.name)
    letter["Date"] = formatdate(localtime=True)
    letter["Message-ID"] = message_id(upload, settings["from"])
    letter.set_content(settings["message"])
    with upload.open() as source:
        letter.add_attachment(
            source.read(), maintype="application", subtype="octet-stream", filename=upload.name
        )
    return letter.as_bytes()


class Sender:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._where = f"{settings['smtp_host']}:{settings['smtp_port']}"

    def test(self) -> None:
        """Raises ``NotAccepted``."""
        with self._connected() as server:
            server.noop()

    def send(self, upload: Upload) -> None:
        """Raises ``NotAccepted`` where the letter was surely not sent, else ``ChannelBroken``."""
        data = smtplib.CRLF.encode().join(_dotted(compose(upload, self._settings)))
        with self._connected() as server:
            try:
                self._announce(server)
                for start in range(0, len(data), _PIECE_BYTES):
                    server.send(data[start : start + _PIECE_BYTES])
            except (OSError, smtplib.SMTPException) as error:
                raise NotAccepted(f"{self._where}: {error}") from error
            try:
                server.send(b".\r\n")
                code, answer = server.getreply()
            except (OSError, smtplib.SMTPException) as error:
                raise ChannelBroken(
                    f"{self._where} took the letter and did not confirm it: {error}"
                ) from error
        if code // 100 != 2:
            raise NotAccepted(f"{self._where}: {code} {answer.decode('utf-8', 'replace')}")

    def _announce(self, server: smtplib.SMTP) -> None:
        """Up to the server's word that it waits for the letter. All recipients or none."""
        for code, answer in (
            server.mail(self._settings["from"]),
            *(server.rcpt(one) for one in self._settings.words("to")),
        ):
            if code // 100 != 2:
                raise NotAccepted(f"{self._where}: {code} {answer.decode('utf-8', 'replace')}")
        code, answer = server.docmd("DATA")
        if code != 354:
            raise NotAccepted(f"{self._where}: {code} {answer.decode('utf-8', 'replace')}")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        settings = self._settings
        host, port = settings["smtp_host"], settings.number("smtp_port")
        timeout_s, security = settings.number("timeout_s"), settings["smtp_security"]
        server: smtplib.SMTP | None = None
        try:
            if security == "tls":
                server = smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=tls.context(settings))
            else:
                server = smtplib.SMTP(host, port, timeout=timeout_s)
            server.ehlo_or_helo_if_needed()
            if security == "starttls":
                server.starttls(context=tls.context(settings))
            if settings["smtp_user"] != "none":
                server.login(settings["smtp_user"] or settings["user"], settings.secret)
        except (OSError, smtplib.SMTPException) as error:
            if server is not None:
                server.close()
            raise NotAccepted(f"{self._where}: {error}") from error
        try:
            yield server
        finally:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()


def _dotted(data: bytes) -> list[bytes]:
    """The letter's lines as they are sent, and an empty one so that the end is on a line of its own."""
    lines = data.removesuffix(b"\r\n").split(b"\r\n")
    return [b"." + line if line.startswith(b".") else line for line in lines] + [b""]
