"""SOAP 1.1 for the protocols that speak it: the envelope, and the elements inside as texts.

Prefixes are left aside: a name is what stands behind its colon. Standard library only, Python 3.9 syntax:
protocols also run on cheap hosting.
"""

from __future__ import annotations

from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from kvit.domain.messages import HttpRequest, HttpResponse
from kvit.protocols import kit, xmlkit

_ENVELOPE = (("xmlns:soapenv", "http://schemas.xmlsoap.org/soap/envelope/"),)
_TYPE = (b"content-type", b"text/xml; charset=utf-8")

Texts = List[Tuple[str, str]]


class Body(NamedTuple):
    """The one element of a body: its name, and the elements in it.

    ``texts`` are those without children, ``groups`` the others with their own texts; both in their order.
    """

    name: str
    texts: Texts
    groups: List[Tuple[str, Texts]]


def body_of(document: bytes) -> Optional[Body]:
    """What an envelope brings; ``None`` for broken XML, another document, or not just one element."""
    root = xmlkit.parse(document)
    if root is None or local(root.tag) != "Envelope":
        return None
    bodies = [child for child in root.children if local(child.tag) == "Body"]
    if len(bodies) != 1 or len(bodies[0].children) != 1:
        return None
    (call,) = bodies[0].children
    groups = [(local(child.tag), _texts(child)) for child in call.children if child.children]
    return Body(local(call.tag), _texts(call), groups)


def _texts(element: xmlkit.Element) -> Texts:
    return [(local(child.tag), child.text.strip()) for child in element.children if not child.children]


def local(tag: str) -> str:
    """A name without its prefix."""
    return tag.rpartition(":")[2]


def once(texts: Texts) -> Optional[Dict[str, str]]:
    """Texts by name; ``None`` where a name is there twice."""
    values = dict(texts)
    return values if len(values) == len(texts) else None


def elements(pairs: Iterable[Tuple[str, str]]) -> str:
    """Texts as elements."""
    return "".join(xmlkit.element(name, text) for name, text in pairs)


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
