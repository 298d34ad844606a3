"""What the protocols share: strict forms, texts and dates, Basic credentials. XML is in ``xmlkit``.

Everything here is total: bytes from outside give a value or ``None``/``Malformed``, never an exception.
Standard library only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

import base64
import hmac
import re
from functools import lru_cache
from typing import Dict, FrozenSet, Iterable, List, Mapping, Optional, Pattern, Sequence, Tuple, Union
from urllib.parse import quote

from kvit.domain.messages import HttpRequest, HttpResponse, Malformed
from kvit.domain.money import parse_amount
from kvit.protocols.base import Switch, Terms
from kvit.protocols.kits import times

#: Limits on one request: all its parameters together, how many, and one value.
FORM_BYTES_MAX = 16_384
PARAMETERS_MAX = 64
TEXT_SIZE_MAX = 1_000
ACCOUNT_SIZE_MAX = 200

FORM_TYPE = b"application/x-www-form-urlencoded"

Headers = Tuple[Tuple[bytes, bytes], ...]


# --- parameters --------------------------------------------------------------------------------


class Form:
    """The parameters of one request. The readers below note the first thing that is wrong.

    A reader always returns a value of its type, so that a codec reads straight down and looks at
    ``problem`` once, at the end.
    """

    __slots__ = ("problem", "values")

    def __init__(self, values: Dict[str, str]) -> None:
        self.values = values
        self.problem: Optional[Malformed] = None

    def wrong(self, name: str, reason: str = "malformed") -> None:
        """Note that parameter ``name`` is wrong, unless something was wrong before it."""
        if self.problem is None:
            self.problem = Malformed(name, reason)

    def text(self, name: str, size_max: int = TEXT_SIZE_MAX) -> str:
        """1 to ``size_max`` characters, none of them a control character."""
        value = self.values.get(name, "")
        if not value:
            self.wrong(name, "missing")
        elif len(value) > size_max:
            self.wrong(name, "too long")
        elif not (value.isascii() and value.isprintable()) and not is_plain(value):
            self.wrong(name, "control character")
        return value

    def account(self, name: str, terms: Terms) -> str:
        """A client's number as the agreement's ``ACCOUNT_SWITCHES`` want it, from ``name`` or its fields."""
        if terms.payer_fields:
            number = joined_number([self.text(one, ACCOUNT_SIZE_MAX) for one in terms.payer_fields])
        else:
            number = self.text(name, ACCOUNT_SIZE_MAX)
        agreed = agreed_number(number, terms)
        if agreed is None:
            self.wrong(name, "not the agreed form")
        return agreed or number

    def kept(self, names: Pattern[str], read: FrozenSet[str], terms: Terms) -> Tuple[Tuple[str, str], ...]:
        """The parameters whose whole name matches, with their texts, in the order in which they came.

        ``read`` are those that the codec reads itself: no pattern matches them. The payer's fields are read
        as the client's number.
        """
        if self.values.keys() <= read:
            return ()
        return tuple(
            (name, self.text(name))
            for name, value in self.values.items()
            if value and name not in read and name not in terms.payer_fields and names.fullmatch(name)
        )

    def digits(self, name: str, size_max: int, *, required: bool = True) -> str:
        """1 to ``size_max`` ASCII digits; ``""`` when left out."""
        value = self.values.get(name, "")
        if not value:
            if required:
                self.wrong(name, "missing")
        elif not (value.isdigit() and value.isascii() and len(value) <= size_max):
            self.wrong(name, "not digits" if len(value) <= size_max else "too long")
        return value

    def number(self, name: str, number_max: int) -> int:
        """1 to ``number_max`` in ASCII digits."""
        value = self.digits(name, len(str(number_max)))
        number = int(value) if is_digits(value, len(str(number_max))) else 0
        if not 1 <= number <= number_max:
            self.wrong(name, "out of range")
        return number

    def amount_minor(
        self, name: str, exponent: int, *, fraction: str = "optional", required: bool = True
    ) -> int:
        """A plain decimal of major units as minor units (``domain.money``); 0 when left out."""
        value = self.values.get(name, "")
        if not value:
            if required or name in self.values:
                self.wrong(name, "missing")
            return 0
        amount_minor = parse_amount(value, exponent, fraction=fraction)
        if amount_minor is None:
            self.wrong(name, "not a sum")
            return 0
        return amount_minor

    def moment(self, name: str, layout: str, *, required: bool = True) -> str:
        """A date and time of the calendar as ISO text without a zone; ``""`` when left out."""
        value = self.values.get(name, "")
        if not value:
            if required:
                self.wrong(name, "missing")
            return ""
        iso = times.parse_moment(value, layout)
        if iso is None:
            self.wrong(name, "not a date")
            return ""
        return iso

    def currency(self, name: str) -> str:
        """Three capital letters (ISO 4217); ``""`` when left out."""
        value = self.values.get(name, "")
        if value and not (len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):
            self.wrong(name, "not a currency code")
        return value

    def day(self, name: str) -> str:
        """``YYYYMMDD`` as an ISO date."""
        iso = times.parse_moment(self.values.get(name, "") + "000000", times.COMPACT)
        if iso is None:
            self.wrong(name, "not a date")
            return ""
        return iso[:10]


def form_of(request: HttpRequest) -> Union[Form, Malformed]:
    """The parameters of a GET or a form POST; a parameter in both query and body is repeated.

    Each call gives a form without problems; the bytes are parsed by the first one.
    """
    remembered = request.__dict__  # the request never changes, and what it says goes when it goes
    known = remembered.get("parsed_form")
    if known is None:
        known = remembered["parsed_form"] = _parse_request(request)
    return Form(known.values) if isinstance(known, Form) else known


def values_of(request: HttpRequest) -> Mapping[str, str]:
    """The parameters of a request that has a good form, else none."""
    known = request.__dict__.get("parsed_form") or form_of(request)
    return known.values if isinstance(known, Form) else {}


def _parse_request(request: HttpRequest) -> Union[Form, Malformed]:
    if request.method == "GET":
        if request.body:
            return Malformed("body", "not allowed with GET")
        return parse_form(request.query)
    if request.method != "POST":
        return Malformed("method", "not allowed")
    if request.body and not _is_form(request):
        return Malformed("content-type", "not a UTF-8 form")
    return parse_form(request.query, request.body)


def parse_form(*parts: bytes) -> Union[Form, Malformed]:
    """Strict form parsing: UTF-8 only, valid escapes only, every name once. ``&`` separates."""
    raw = b"&".join(parts)
    if len(raw) > FORM_BYTES_MAX:
        return Malformed("query", "too long")
    if raw.count(b"&") >= PARAMETERS_MAX:
        return Malformed("query", "too many parameters")
    escaped = b"%" in raw or b"+" in raw
    values: Dict[str, str] = {}
    try:
        for piece in raw.decode("utf-8").split("&"):
            name, _, value = piece.partition("=")
            if escaped:
                name, value = unescape(name), unescape(value)
            if name in values:
                return Malformed(_speakable(name), "repeated")
            if piece:
                values[name] = value
    except (UnicodeDecodeError, KeyError):
        return Malformed("query", "not UTF-8 or a wrong escape")
    return Form(values)


_HEX_DIGITS = "0123456789ABCDEFabcdef"
_BYTE_OF = {high + low: bytes((int(high + low, 16),)) for high in _HEX_DIGITS for low in _HEX_DIGITS}


def unescape(text: str) -> str:
    """``%XX`` and ``+`` undone. ``KeyError`` for a wrong escape, ``UnicodeDecodeError`` for not UTF-8."""
    text = text.replace("+", " ")
    if "%" not in text:
        return text
    first, *rest = text.split("%")
    pieces = [first.encode()]
    for piece in rest:
        pieces.append(_BYTE_OF[piece[:2]])
        pieces.append(piece[2:].encode())
    return b"".join(pieces).decode("utf-8")


def form_request(pairs: Iterable[Tuple[str, str]], method: str, headers: Headers) -> HttpRequest:
    """The agent's side: a GET with a query, or a POST with a form body."""
    form = "&".join(quote(name, safe="") + "=" + quote(value, safe="") for name, value in pairs).encode()
    if method == "POST":
        return HttpRequest("POST", body=form, headers=(*headers, (b"content-type", FORM_TYPE)))
    return HttpRequest("GET", query=form, headers=headers)


def header_values(headers: Headers, name: bytes) -> List[bytes]:
    """Every value of header ``name`` (lower case)."""
    return [value for key, value in headers if key == name]


def _is_form(request: HttpRequest) -> bool:
    kinds = header_values(request.headers, b"content-type")
    if not kinds:  # sloppy clients send none; a form is then the only thing it can be
        return True
    kind, _, parameter = kinds[0].lower().replace(b" ", b"").partition(b";")
    charset = parameter.replace(b'"', b"")
    return len(kinds) == 1 and kind == FORM_TYPE and charset in (b"", b"charset=utf-8")


def _speakable(name: str) -> str:
    """A parameter's name where it is fit for an answer or a log, else ``query``."""
    return name if len(name) <= 32 and name.isascii() and name.isidentifier() else "query"


# --- texts and dates -----------------------------------------------------------------------------

# C0, DEL, C1, line and paragraph separator, surrogates, non-characters, direction overrides.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]")


def is_plain(text: str) -> bool:
    """No control character, nothing that breaks a line or turns the writing direction."""
    return (text.isascii() and text.isprintable()) or _CONTROL.search(text) is None


def is_digits(text: str, size_max: int) -> bool:
    """1 to ``size_max`` ASCII digits (not the full-width or Arabic ones)."""
    return text.isdigit() and text.isascii() and len(text) <= size_max


#: Switches of every protocol whose payers type a client's number.
ACCOUNT_SWITCHES = {
    "account_pattern": Switch(
        "", pattern=r"(?s).{0,200}", is_pattern=True,
        about="regular expression that the whole account must match as it came; empty: any"),
    "account_normalise": Switch(
        "none", pattern="none|strip-zeros|pad-[1-9][0-9]?", about="leading zeros dropped or added"),
}  # fmt: skip


class _AccountRules:
    """What an agreement's ``ACCOUNT_SWITCHES`` say."""

    def __init__(self, terms: Terms) -> None:
        self.pattern, self.normalise = (
            terms.dialect.get(name, switch.default) for name, switch in ACCOUNT_SWITCHES.items()
        )


def agreed_number(number: str, terms: Terms) -> Optional[str]:
    """A number as it was typed -> as the books have it; ``None`` where it has not the agreed form."""
    rules = terms.once(_AccountRules)
    if not number or (rules.pattern and not matches(rules.pattern, number)):
        return None
    return number if rules.normalise == "none" else normalise_number(number, rules.normalise)


#: Between the parts of a number that the payer types into several fields.
NUMBER_JOINT = "/"


def joined_number(parts: Sequence[str]) -> str:
    """``["12", "4"]`` -> ``12/4``; one part stays as it is. Empty where a part is, or has a joint in it."""
    if len(parts) > 1 and not all(part and NUMBER_JOINT not in part for part in parts):
        return ""
    return NUMBER_JOINT.join(parts)


def split_number(number: str, name: str, terms: Terms) -> List[Tuple[str, str]]:
    """The agent's side: the fields that carry ``number``, with what is in each."""
    names = terms.payer_fields
    if len(names) < 2:
        return [(names[0] if names else name, number)]
    parts = number.split(NUMBER_JOINT, len(names) - 1)
    return list(zip(names, parts + [""] * (len(names) - len(parts))))


def normalise_number(number: str, rule: str) -> str:
    """A client number of digits without leading zeros, or with zeros up to N digits (``pad-N``)."""
    if rule == "none" or not is_digits(number, TEXT_SIZE_MAX):
        return number
    if rule == "strip-zeros":
        return number.lstrip("0") or "0"
    return number.zfill(int(rule[4:]))


def matches(pattern: str, text: str) -> bool:
    """Does ``pattern`` match the whole of ``text``? An empty one matches everything."""
    return not pattern or _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> Pattern[str]:
    return re.compile(pattern)


# --- credentials -----------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def basic_token(login: str, password: str) -> bytes:
    """What follows ``Basic `` in the header: RFC 7617 with UTF-8."""
    return base64.b64encode((login + ":" + password).encode("utf-8", "surrogatepass"))


def basic_headers(login: str, password: str) -> Headers:
    """The agent's side: the header with these credentials; none where both are empty."""
    return ((b"authorization", b"Basic " + basic_token(login, password)),) if login or password else ()


def basic_accepts(request: HttpRequest, login: str, password: str) -> bool:
    """Exactly one Authorization header with exactly these credentials, compared in constant time.

    The encoded forms are compared, so that no second spelling of the same secret passes. An
    agreement without credentials (client certificate or addresses only) asks for none.
    """
    if not login and not password:
        return True
    given = None
    for name, value in request.headers:
        if name == b"authorization":
            if given is not None:
                return False
            given = value
    if given is None or given[:6].lower() != b"basic ":
        return False
    return hmac.compare_digest(given[6:].lstrip(b" "), basic_token(login, password))


def challenge(realm: str) -> HttpResponse:
    """401 with a Basic challenge and no body: nothing in it can be taken for an answer."""
    value = f'Basic realm="{realm}", charset="UTF-8"'
    return HttpResponse(401, ((b"www-authenticate", value.encode("ascii")),), b"", "401")
