"""A mailbox that banks write to: only letters of listed senders are looked into, each file of them once."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from imap_tools import BaseMailBox, MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError

from kvit.channels import tls
from kvit.channels.base import Settings
from kvit.channels.letters import Attachment, Letter, read_letter, sender_of, subject_of, vouched_for
from kvit.channels.names import is_wanted, name_problem, shown
from kvit.services.travel.errors import ChannelBroken, ChannelFailed
from kvit.services.travel.ports import Listing, RefusedFile, RemoteFile, Sink

#: Flags of ours, for letters that stay where they are.
_DONE, _REFUSED, _STRANGER = "kvit-done", "kvit-refused", "kvit-stranger"
_SIZE = re.compile(rb"RFC822\.SIZE (\d+)")
_HEAD_BYTES_MAX = 256 << 10
#: A letter is a third larger than the files in it.
_WRAPPED = 1.4


@contextmanager
def _speaking(what: str) -> Iterator[None]:
    """What the server says no to, and a line that breaks, told apart."""
    try:
        yield
    except (imaplib.IMAP4.abort, OSError, EOFError) as error:
        raise ChannelBroken(f"{what}: {str(error) or type(error).__name__}") from error
    except (imaplib.IMAP4.error, ImapToolsError) as error:
        raise ChannelFailed(f"{what}: {error}") from error


def open_mailbox(settings: Settings) -> Mailbox:
    """Raises ``ChannelFailed``."""
    host, port = settings["imap_host"], settings.number("imap_port")
    timeout_s = settings.number("timeout_s")
    with _speaking(f"{host}:{port}"):
        box: BaseMailBox
        if settings["imap_security"] == "tls":
            box = MailBox(host, port, timeout=timeout_s, ssl_context=tls.context(settings))
        elif settings["imap_security"] == "starttls":
            box = MailBoxStartTls(host, port, timeout=timeout_s, ssl_context=tls.context(settings))
        else:
            box = MailBoxUnencrypted(host, port, timeout=timeout_s)
        try:
            box.login(settings["user"], settings.secret, initial_folder=None)
            box.folder.set(settings["folder"])
        except BaseException:
            box.client.shutdown()
            raise
    return Mailbox(box, settings)


class Mailbox:
    """One open mailbox. A file's mark is its letter's number there and its place in the letter."""

    def __init__(self, box: BaseMailBox, settings: Settings) -> None:
        self._box, self._settings = box, settings
        self._bytes_max = int((settings.number("size_max_mb") << 20) * _WRAPPED)
        self._senders = {one.lower() for one in settings.words("senders")}
        #: Files of each letter that are not done yet.
        self._waiting: dict[str, set[str]] = {}
        self._last: tuple[str, list[Attachment]] = ("", [])

    def close(self) -> None:
        try:
            self._box.logout()
        except (imaplib.IMAP4.error, ImapToolsError, OSError, EOFError):  # it may be broken long since
            self._box.client.shutdown()

    def count(self) -> int:
        with _speaking("counting letters"):
            return len(self._box.uids("ALL"))

    def list_incoming(self) -> Listing:
        """Letters of listed senders are looked into; all others are noted, and left alone from then on."""
        listed = " ".join(["OR"] * (len(self._senders) - 1) + [f'FROM "{one}"' for one in self._senders])
        with _speaking("searching"):
            ours = self._box.uids(f"(UNKEYWORD {_DONE} UNKEYWORD {_REFUSED} {listed})")
            others = self._box.uids(f"(UNKEYWORD {_STRANGER} UNKEYWORD {_REFUSED} NOT ({listed}))")
        most = self._settings.number("files_max")
        files: list[RemoteFile] = []
        refused: list[RefusedFile] = []
        for uid in sorted(others, key=int)[:most]:
            refused += self._looked_into(uid, _STRANGER).refused
        chosen = _oldest_and_newest(sorted(ours, key=int), most)
        for uid in chosen:
            found = self._looked_into(uid, _REFUSED)
            files += found.files
            refused += found.refused
        return Listing(files, refused, len(others) <= most and len(chosen) == len(ours))

    def _looked_into(self, uid: str, flag: str) -> Listing:
        """The files of one letter, or why there are none; then it is put away."""
        answer = self._ask(uid, f"(RFC822.SIZE BODY.PEEK[HEADER]<0.{_HEAD_BYTES_MAX}>)")
        head, told = _literal(answer), b" ".join(_flat(answer))
        if not head:
            return Listing([])  # it was taken away meanwhile
        size = _SIZE.search(told)
        files: list[RemoteFile] = []
        reason = self._distrust(head)
        if not reason and (size is None or int(size[1]) > self._bytes_max):
            reason = "it is too large (option size_max_mb)"
        if not reason:
            files, reason = self._files_of(uid)
        if not reason:
            return Listing(files)
        try:
            self._put_away(uid, self._settings["refused"], flag)
        except ChannelBroken:
            raise
        except ChannelFailed:  # a server without flags of ours: the letter is met again, and noted once
            pass
        name = shown(f"letter {uid} of {sender_of(head) or 'nobody'}: {subject_of(head)}")
        return Listing([], [RefusedFile(name, reason)])

    def _distrust(self, head: bytes) -> str:
        """Why the letter is not looked into; empty when it is."""
        sender, dkim = sender_of(head), self._settings["dkim"]
        if sender not in self._senders and f"@{sender.rpartition('@')[2]}" not in self._senders:
            return "its sender is not listed (option senders)"
        if dkim != "off" and not vouched_for(head, dkim):
            return f"{dkim} does not vouch for its sender (option dkim)"
        return ""

    def _files_of(self, uid: str) -> tuple[list[RemoteFile], str]:
        try:
            letter = self._letter(uid)
        except ValueError as error:
            return [], str(error)
        found = [
            RemoteFile(one.name, len(one.content), f"{uid}/{place}")
            for place, one in enumerate(letter.attachments)
            if is_wanted(one.name, self._settings) and not name_problem(one.name)
        ]
        self._waiting[uid] = {file.mark for file in found}
        if found:
            return found, ""
        if letter.is_boxed:
            return [], "its file is packed as winmail.dat: the sender should write plain text or HTML"
        return [], "it holds no file that is wanted (options pattern, ignore)"

    def _letter(self, uid: str) -> Letter:
        data = _literal(self._ask(uid, "(BODY.PEEK[])"))
        letter = read_letter(data, with_text=self._settings["text"] == "take")
        self._last = (uid, letter.attachments)
        return letter

    def _ask(self, uid: str, parts: str) -> list[Any]:
        with _speaking(f"letter {uid}"):
            kind, answer = self._box.client.uid("FETCH", uid, parts)
            if kind != "OK":
                raise ChannelFailed(f"letter {uid}: {answer!r}")
            return list(answer)

    def fetch(self, file: RemoteFile, into: Sink) -> None:
        uid, _, place = file.mark.partition("/")
        if self._last[0] != uid:
            self._letter(uid)
        attachments = self._last[1]
        if int(place) >= len(attachments) or attachments[int(place)].name != file.name:
            raise ChannelFailed(f"{file.name}: the letter is not there any more")
        into.write(attachments[int(place)].content)

    def done(self, file: RemoteFile) -> None:
        """The letter goes when all its files are done."""
        uid = file.mark.partition("/")[0]
        waiting = self._waiting[uid]
        waiting.discard(file.mark)
        if not waiting:
            self._put_away(uid, self._settings["done"], _DONE)

    def _put_away(self, uid: str, folder: str, flag: str) -> None:
        after = self._settings["after"]
        if after == "keep":
            return
        with _speaking(f"letter {uid}"):
            if after == "delete" and flag == _DONE:
                self._box.delete(uid)
            elif folder and (after == "move" or flag != _DONE):
                if not self._box.folder.exists(folder):
                    self._box.folder.create(folder)
                self._box.move(uid, folder)
            else:
                self._box.flag(uid, [flag], value=True)


def _oldest_and_newest(uids: list[str], most: int) -> list[str]:
    """Where letters that nobody can read, or that stay, are many, new ones have their turn all the same."""
    return uids if len(uids) <= most else uids[: most - most // 2] + uids[len(uids) - most // 2 :]


def _literal(answer: list[Any]) -> bytes:
    """The first stretch of bytes that the server announced by its length."""
    for part in answer:
        if isinstance(part, tuple):
            return bytes(part[1])
    return b""


def _flat(answer: list[Any]) -> Iterator[bytes]:
    for part in answer:
        if isinstance(part, tuple):
            yield bytes(part[0])
        elif isinstance(part, bytes):
            yield part
