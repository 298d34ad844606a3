"""Files by mail: attachments out of a mailbox (IMAP), registers as attachments of letters (SMTP)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from kvit.channels import tls
from kvit.channels.base import SHARED, Kind, Option, Settings
from kvit.channels.mailbox import Mailbox, open_mailbox
from kvit.channels.sender import Sender
from kvit.services.travel.errors import ChannelFailed
from kvit.services.travel.ports import Arrived, Listing, RemoteFile, Sink, Upload

_SECURITY = ("tls", "starttls", "off")
_ADDRESS = re.compile(r"[^<>@\s,;:\"()]+@[^<>@\s,;:\"()]+")
_DOMAIN = re.compile(r"@[^<>@\s,;:\"()]+")

OPTIONS: dict[str, Option] = {
    "user": Option("the mailbox's user name; `secret` is its password"),
    "imap_host": Option("the server that letters are fetched from; empty: none are"),
    "imap_port": Option("its port", "993", (), 1, 65_535),
    "imap_security": Option(
        "tls from the first byte, or after starttls; off only on this machine", "tls", _SECURITY
    ),
    "folder": Option("the mailbox's folder for letters that come", "INBOX"),
    "senders": Option("whose letters are looked into: addresses, or @domain, apart by spaces"),
    "dkim": Option(
        "the name of your mail server in Authentication-Results; only letters that it found signed by the"
        " sender's domain are looked into. `off`: whoever writes a listed address into a letter is believed"
    ),
    "after": Option(
        "what becomes of a letter whose files are taken", "move", ("move", "flag", "delete", "keep")
    ),
    "done": Option("the folder for letters that are done", "kvit-done"),
    "refused": Option(
        "the folder for letters that are not looked into; empty: they stay, with a flag that nobody sees"
    ),
    "text": Option("a letter without a file: its text is one, or nothing", "ignore", ("ignore", "take")),
    "smtp_host": Option("the server that letters are handed to; empty: none are sent"),
    "smtp_port": Option("its port", "465", (), 1, 65_535),
    "smtp_security": Option("as imap_security", "tls", _SECURITY),
    "smtp_user": Option("the user name there, where it is another; `none`: without a password"),
    "from": Option("whom letters are from"),
    "to": Option("whom they go to, apart by spaces"),
    "subject": Option("what they are about; {name} is the file's name", "{name}"),
    "message": Option("what they say", "The register is attached."),
    **tls.OPTIONS,
    **{name: option for name, option in SHARED.items() if name != "known_by"},  # a letter has no name
    "ignore": Option(
        "names not to fetch; several apart by spaces",
        "*.p7s *.p7m *.sig *.asc *.htm *.html *.png *.jpg *.jpeg *.gif *.bmp *.vcf *.ics .*",
    ),
    "size_max_mb": Option("larger letters are not looked into, larger files not sent", "25", (), 1, 200),
}


def check(settings: Settings) -> dict[str, str]:
    problems = tls.check(settings)
    if not settings["imap_host"] and not settings["smtp_host"]:
        problems["options.imap_host"] = "name imap_host, smtp_host, or both"
    needs_password = settings["imap_host"] or settings["smtp_user"] != "none"
    if needs_password and not settings["user"]:
        problems["options.user"] = "is missing"
    if needs_password and not settings.secret:
        problems |= {"secret": "the password is missing"}
    for name in ("imap", "smtp"):
        host = settings[f"{name}_host"]
        if host and settings[f"{name}_security"] == "off" and not tls.is_this_machine(host):
            problems[f"options.{name}_security"] = "the password would go over the line in clear"
    if settings["imap_host"]:
        problems |= _check_incoming(settings)
    if settings["smtp_host"]:
        problems |= _check_outgoing(settings)
    return problems


def _check_incoming(settings: Settings) -> dict[str, str]:
    problems = {}
    senders = settings.words("senders")
    if not senders or not all(_ADDRESS.fullmatch(one) or _DOMAIN.fullmatch(one) for one in senders):
        problems["options.senders"] = "addresses of the bank, or @domain: else anybody could send a register"
    if len(settings.words("dkim")) != 1:
        problems["options.dkim"] = "the name of your mail server in Authentication-Results, or off"
    if settings["after"] == "move" and settings["folder"] in {settings["done"], settings["refused"], ""}:
        problems["options.done"] = "must not be the folder that letters come to"
    if settings["after"] == "move" and not settings["done"]:
        problems["options.done"] = "name a folder"
    return problems


def _check_outgoing(settings: Settings) -> dict[str, str]:
    problems = {}
    if not _ADDRESS.fullmatch(settings["from"]):
        problems["options.from"] = "one address"
    if not settings.words("to") or not all(_ADDRESS.fullmatch(one) for one in settings.words("to")):
        problems["options.to"] = "one address, or several apart by spaces"
    return problems


class Mail:
    """A mailbox and a sender; the mailbox is opened when it is looked into."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._box: Mailbox | None = None

    def list_incoming(self) -> Listing:
        if not self._settings["imap_host"]:
            return Listing([])
        if self._box is None:
            self._box = open_mailbox(self._settings)
        return self._box.list_incoming()

    def fetch(self, file: RemoteFile, into: Sink) -> None:
        self._opened().fetch(file, into)

    def done(self, file: RemoteFile) -> None:
        self._opened().done(file)

    def place(self, upload: Upload) -> None:
        """A letter is brought over and arrives in one go."""
        if not self._settings["smtp_host"]:
            raise ChannelFailed("there is no server for outgoing letters (option smtp_host)")
        if upload.size_bytes > self._settings.number("size_max_mb") << 20:
            raise ChannelFailed("it is too large for a letter (option size_max_mb)")

    def publish(self, upload: Upload) -> None:
        Sender(self._settings).send(upload)

    def arrived(self, upload: Upload) -> Arrived:
        """A letter that was handed over cannot be seen from here."""
        del upload
        return Arrived.UNSURE

    def _opened(self) -> Mailbox:
        assert self._box is not None, "files are fetched from a listing"
        return self._box

    def close(self) -> None:
        if self._box is not None:
            self._box.close()


@contextmanager
def open_mail(settings: Settings) -> Iterator[Mail]:
    channel = Mail(settings)
    try:
        yield channel
    finally:
        channel.close()


def test(settings: Settings) -> list[str]:
    lines = []
    if settings["imap_host"]:
        box = open_mailbox(settings)
        try:
            lines.append(
                f"{settings['imap_host']}: {settings['folder']} is open; letters there: {box.count()}"
            )
        finally:
            box.close()
    if settings["smtp_host"]:
        Sender(settings).test()
        lines.append(f"{settings['smtp_host']}: takes letters of {settings['user']}")
    return lines


KIND = Kind("mail", OPTIONS, check, open_mail, test)
