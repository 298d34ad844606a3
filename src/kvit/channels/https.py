"""Files by HTTPS: registers uploaded to an address, files fetched that a list of the bank names.

No sheet confirms any bank's way of doing it, so everything is a setting, with the simplest as default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2

from kvit.channels import tls
from kvit.channels.base import SHARED, Kind, Option, Settings
from kvit.channels.names import listed
from kvit.services.travel.errors import ChannelBroken, ChannelFailed, NotAccepted
from kvit.services.travel.ports import Arrived, Listing, RemoteFile, Sink, Upload

_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")
_LIST_BYTES_MAX = 4 << 20
_PIECE_BYTES = 256 << 10
_SAID_MAX = 300

OPTIONS: dict[str, Option] = {
    "send_url": Option("where registers go; {name} is the file's name. Empty: none are sent"),
    "send_method": Option("how", "PUT", ("PUT", "POST")),
    "send_as": Option("the bytes as they are, or as a form with a file", "body", ("body", "form")),
    "form_field": Option("the name of the form's field", "file"),
    "list_url": Option("what names the files that wait. Empty: none are fetched"),
    "list_as": Option("a name a line, or JSON: a list of names or of objects", "lines", ("lines", "json")),
    "name_key": Option("the name in an object of the list", "name"),
    "size_key": Option("its size in bytes, where the list tells it", "size"),
    "fetch_url": Option("where a file is; {name} is its name"),
    "after": Option("what becomes of a taken file; delete: by a request DELETE", "keep", ("keep", "delete")),
    "token_header": Option("the header that holds `secret`", "Authorization"),
    "token_prefix": Option("what stands before it", "Bearer"),
    "certificate": Option("a file with your own certificate and its key (PEM), where the bank asks for one"),
    **tls.OPTIONS,
    **SHARED,
}  # fmt: skip


def check(settings: Settings) -> dict[str, str]:
    problems = tls.check(settings)
    if not settings["send_url"] and not settings["list_url"]:
        problems["options.send_url"] = "name send_url, list_url, or both"
    for name in ("send_url", "list_url", "fetch_url"):
        reason = _url_problem(settings[name]) if settings[name] else ""
        if reason:
            problems[f"options.{name}"] = reason
    if settings["list_url"] and "{name}" not in settings["fetch_url"]:
        problems["options.fetch_url"] = "write where the files are, with {name}"
    if settings["send_url"] and settings["send_method"] == "PUT" and "{name}" not in settings["send_url"]:
        problems["options.send_url"] = "where PUT writes must be told by the name: write {name}"
    if not _HEADER.fullmatch(settings["token_header"]):
        problems["options.token_header"] = "is no name of a header"
    if settings["certificate"] and not settings["certificate"].startswith("/"):
        problems["options.certificate"] = "write the whole path, from / on"
    return problems


def _url_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no address"
    if parts.scheme != "https" and not (parts.scheme == "http" and tls.is_this_machine(host)):
        return "must begin with https://"
    if not host or parts.username is not None or any(character.isspace() for character in url):
        return "is no address"
    return ""


class Https:
    """One agreement's addresses. Redirects are not followed: nobody else gets the token."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        context = tls.context(settings)
        if settings["certificate"]:
            try:
                context.load_cert_chain(settings["certificate"])
            except OSError as error:
                raise ChannelBroken(f"option certificate: {settings['certificate']}: {error}") from error
        headers = {"Accept-Encoding": "identity"}  # packed answers may be bombs
        if settings.secret:
            token = f"{settings['token_prefix']} {settings.secret}".strip()
            headers[settings["token_header"]] = token
        self._client = httpx2.Client(
            verify=context, headers=headers, timeout=settings.number("timeout_s"), trust_env=False,
            follow_redirects=False,
        )  # fmt: skip

    def close(self) -> None:
        self._client.close()

    def list_incoming(self) -> Listing:
        url = self._settings["list_url"]
        if not url:
            return Listing([])
        data = b""
        with self._answer("GET", url) as answer:
            _expect(answer, url)
            for piece in _pieces(answer, url):
                data += piece
                if len(data) > _LIST_BYTES_MAX:
                    raise ChannelBroken(f"{url}: the list is longer than {_LIST_BYTES_MAX >> 20} MB")
        return listed(self._named(data, url), self._settings)

    def _named(self, data: bytes, url: str) -> list[RemoteFile]:
        try:
            text = data.decode("utf-8-sig")
            if self._settings["list_as"] == "lines":
                return [RemoteFile(line.strip(), -1, "") for line in text.splitlines() if line.strip()]
            return [self._of_json(one) for one in json.loads(text)]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ChannelBroken(f"{url}: this is no list of files as list_as says: {error!r}") from error

    def _of_json(self, one: Any) -> RemoteFile:  # noqa: ANN401 - whatever the bank wrote
        if isinstance(one, str):
            return RemoteFile(one, -1, "")
        size = one.get(self._settings["size_key"], -1)
        return RemoteFile(str(one[self._settings["name_key"]]), size if isinstance(size, int) else -1, "")

    def fetch(self, file: RemoteFile, into: Sink) -> None:
        url = self._url("fetch_url", file.name)
        with self._answer("GET", url) as answer:
            _expect(answer, url)
            for piece in _pieces(answer, url):
                into.write(piece)

    def done(self, file: RemoteFile) -> None:
        if self._settings["after"] == "delete":
            url = self._url("fetch_url", file.name)
            with self._answer("DELETE", url) as answer:
                if answer.status_code != 404:  # somebody was quicker
                    _expect(answer, url)

    def place(self, upload: Upload) -> None:
        """There is no way to bring it over without its arriving."""
        del upload
        if not self._settings["send_url"]:
            raise ChannelFailed("there is no address for outgoing files (option send_url)")

    def publish(self, upload: Upload) -> None:
        url, method = self._url("send_url", upload.name), self._settings["send_method"]
        # One key for one file: a bank that knows the header takes it once, however often it comes.
        headers = {"Idempotency-Key": upload.digest[:32]}
        with upload.open() as source:
            content: dict[str, Any]
            if self._settings["send_as"] == "form":
                form = {self._settings["form_field"]: (upload.name, source, "application/octet-stream")}
                content = {"files": form}
            else:
                headers |= {"Content-Type": "application/octet-stream"}
                headers |= {"Content-Length": str(upload.size_bytes)}
                content = {"content": iter(lambda: source.read(_PIECE_BYTES), b"")}
            try:
                with self._client.stream(method, url, headers=headers, **content) as answer:
                    status, words = answer.status_code, _words(answer)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                raise NotAccepted(f"{url}: {_said(error)}") from error
            except httpx2.HTTPError as error:
                raise ChannelBroken(f"{url}: {_said(error)}") from error
        if 300 <= status < 500:  # it was understood, and refused
            raise NotAccepted(f"{url}: {status} {words}")
        if not 200 <= status < 300:
            raise ChannelBroken(f"{url}: {status} {words}")

    def arrived(self, upload: Upload) -> Arrived:
        """An address that PUT wrote to may show what it got; where it shows nothing, nobody knows."""
        if self._settings["send_method"] != "PUT":
            return Arrived.UNSURE
        url = self._url("send_url", upload.name)
        try:
            with self._answer("GET", url) as answer, upload.open() as source:
                if not answer.is_success:
                    return Arrived.UNSURE
                for piece in _pieces(answer, url):
                    if source.read(len(piece)) != piece:
                        return Arrived.UNSURE
                return Arrived.UNSURE if source.read(1) else Arrived.YES
        except ChannelBroken:
            raise
        except ChannelFailed:
            return Arrived.UNSURE

    def knock(self) -> str:
        """Does the server answer at all, with a certificate that holds?"""
        parts = urlsplit(self._settings["send_url"])
        with self._answer("HEAD", f"{parts.scheme}://{parts.netloc}/") as answer:
            return f"the server answers ({answer.status_code})"

    def _url(self, option: str, name: str) -> str:
        return self._settings[option].replace("{name}", quote(name, safe=""))

    @contextmanager
    def _answer(self, method: str, url: str) -> Iterator[httpx2.Response]:
        try:
            with self._client.stream(method, url) as answer:
                yield answer
        except httpx2.HTTPError as error:
            raise ChannelBroken(f"{url}: {_said(error)}") from error


def _expect(answer: httpx2.Response, url: str) -> None:
    if not answer.is_success:
        raise ChannelFailed(f"{url}: the server answers {answer.status_code}")


def _pieces(answer: httpx2.Response, url: str) -> Iterable[bytes]:
    try:
        yield from answer.iter_raw(_PIECE_BYTES)
    except httpx2.HTTPError as error:
        raise ChannelBroken(f"{url}: {_said(error)}") from error


def _words(answer: httpx2.Response) -> str:
    """The beginning of what the server says; it has answered, so what follows does not matter."""
    try:
        piece = next(iter(answer.iter_raw(_SAID_MAX)), b"")
    except httpx2.HTTPError:
        return ""
    return piece[:_SAID_MAX].decode("utf-8", "replace")


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


@contextmanager
def open_https(settings: Settings) -> Iterator[Https]:
    channel = Https(settings)
    try:
        yield channel
    finally:
        channel.close()


def test(settings: Settings) -> list[str]:
    lines = []
    with open_https(settings) as channel:
        if settings["list_url"]:
            waiting = len(channel.list_incoming().files)
            lines.append(f"{settings['list_url']}: files that wait: {waiting}")
        if settings["send_url"]:
            host = urlsplit(settings["send_url"]).netloc
            lines.append(f"{host}: {channel.knock()}; a register can only be tried by sending one")
    return lines


KIND = Kind("HTTPS", OPTIONS, check, open_https, test)
