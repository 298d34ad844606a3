"""SOAP 1.1 for the protocols that speak it: the envelope, and the elements inside as texts.

Prefixes are left aside: a name is what stands behind its colon. Standard library only, Python 3.9 syntax:
protocols also run on cheap hosting.
"""

from __future__ import annotations

import hmac
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from kvit.domain.messages import HttpRequest, HttpResponse
from kvit.protocols.kits import kit, xmlkit

_ENVELOPE = (("xmlns:soapenv", "http://schemas.xmlsoap.org/soap/envelope/"),)
_TYPE = (b"content-type", b"text/xml; charset=utf-8")


class Body(NamedTuple):
    """The one element of a body: its name, and what is in it.

    ``texts`` are the elements without children, ``groups`` the others, each with its own texts. A group may
    be there several times, a text once.
    """

    name: str
    texts: Dict[str, str]
    groups: List[Tuple[str, Dict[str, str]]]


def body_of(document: bytes) -> Optional[Body]:
    """What an envelope brings; ``None`` for broken XML, another document, or what has no one meaning."""
    root = xmlkit.parse(document)
    if root is None or local(root.tag) != "Envelope":
        return None
    bodies = [child for child in root.children if local(child.tag) == "Body"]
    if len(bodies) != 1 or len(bodies[0].children) != 1:
        return None
    (call,) = bodies[0].children
    texts = _texts([child for child in call.children if not child.children])
    groups = []
    for child in call.children:
        if child.children:
            inside = _texts(child.children)
            if inside is None:
                return None
            groups.append((local(child.tag), inside))
    return None if texts is None else Body(local(call.tag), texts, groups)


def _texts(elements: List[xmlkit.Element]) -> Optional[Dict[str, str]]:
    """Texts by name; ``None`` where a name is there twice or is no text."""
    values = {local(element.tag): element.text.strip() for element in elements if not element.children}
    return values if len(values) == len(elements) else None


def asked(request: HttpRequest) -> Optional[Body]:
    """What a POST asks for. The bytes are parsed by the first call."""
    remembered = request.__dict__  # the request never changes, and what it says goes when it goes
    if "parsed_soap" not in remembered:
        remembered["parsed_soap"] = body_of(request.body) if request.method == "POST" else None
    body: Optional[Body] = remembered["parsed_soap"]
    return body


def accepts(body: Body, login: Tuple[str, str], password: Tuple[str, str]) -> bool:
    """Do these elements (name, secret) stand in the call? Compared in constant time; none are asked for where
    both secrets are empty."""
    good = True
    for name, secret in (login, password) if login[1] or password[1] else ():
        given = body.texts.get(name, "").encode("utf-8", "surrogatepass")
        good &= hmac.compare_digest(given, secret.encode("utf-8", "surrogatepass"))
    return good


def local(tag: str) -> str:
    """A name without its prefix."""
    return tag.rpartition(":")[2]


def elements(pairs: Iterable[Tuple[str, str]]) -> str:
    """Texts as elements."""
    return "".join(xmlkit.element(name, text) for name, text in pairs)


def grouped(name: str, groups: Iterable[Iterable[Tuple[str, str]]]) -> str:
    """An element ``name`` for each group of texts."""
    return "".join(f"<{name}>{elements(pairs)}</{name}>" for pairs in groups)


def enveloped(name: str, namespace: str, inner: str) -> bytes:
    """A document whose body is the element ``name``; ``inner`` is already escaped."""
    call = xmlkit.opening("ns2:" + name, (("xmlns:ns2", namespace),)) + inner + f"</ns2:{name}>"
    envelope = xmlkit.opening("soapenv:Envelope", _ENVELOPE)
    body = f"{envelope}<soapenv:Body>{call}</soapenv:Body></soapenv:Envelope>"
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + body).encode()


def document(name: str, namespace: str, inner: str, code: str) -> HttpResponse:
    """An answer; ``code`` is what the log says of it."""
    return HttpResponse(200, (_TYPE,), enveloped(name, namespace, inner), code)


def post(name: str, namespace: str, inner: str, headers: kit.Headers = ()) -> HttpRequest:
    """The agent's side: a request."""
    return HttpRequest("POST", headers=(*headers, _TYPE), body=enveloped(name, namespace, inner))
