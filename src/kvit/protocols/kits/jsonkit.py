"""JSON for the protocols: strict reading, and answers in which nothing is left to chance.

A name that is there twice, a number that is no JSON, a text that is no Unicode: the whole document is
refused. No number becomes a float: what is not an integer stays the text that it came as. Standard library
only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, FrozenSet, List, Mapping, Optional, Tuple, Union

from kvit.domain.messages import HttpRequest, HttpResponse, Malformed
from kvit.domain.money import AMOUNT_MINOR_MAX, parse_amount
from kvit.protocols.base import Terms
from kvit.protocols.kits import kit, times

#: Limits on one document from outside.
JSON_BYTES_MAX = 262_144
JSON_DEPTH_MAX = 32
INTEGER_MAX = 2**63 - 1

HEADERS = ((b"content-type", b"application/json; charset=utf-8"),)


#: Whatever a JSON document can be.
Json = Any


class Number(str):
    """A number that is no integer of 64 bits, as it was written: ``450.00``, ``1e3``."""

    __slots__ = ()


_TEXTS = (str, int, Number)
_SPEAKABLE = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,31}")


class _Refused(Exception):
    """A name twice, a constant that JSON does not have, nested too deeply."""


def parse(body: bytes) -> Json:
    """The document; ``None`` for anything broken, oversized or ambiguous, and for a lone ``null``."""
    if len(body) > JSON_BYTES_MAX:
        return None
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half of a pair is no text
    except (ValueError, RecursionError, _Refused):
        return None
    return value if _is_shallow(value, JSON_DEPTH_MAX) else None


def _once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _Refused
    return values


def _integer(text: str) -> Union[int, Number]:
    return int(text) if len(text) <= 20 and abs(int(text)) <= INTEGER_MAX else Number(text)


def _no_constant(_: str) -> Json:
    raise _Refused


_DECODER = json.JSONDecoder(
    object_pairs_hook=_once, parse_float=Number, parse_int=_integer, parse_constant=_no_constant
)


def _is_shallow(value: Json, depth: int) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return depth > 0 and all(_is_shallow(inner, depth - 1) for inner in value)


class Fields:
    """The members of one object. As in ``kit.Form``, the readers note the first thing that is wrong.

    ``place`` is what stands before a member's name where it is named: ``params.``. An object inside shares
    its parent's list of what is wrong.
    """

    __slots__ = ("_wrong", "place", "values")

    def __init__(
        self, values: Mapping[str, Any], place: str = "", wrong: Optional[List[Malformed]] = None
    ) -> None:
        self.values = values
        self.place = place
        self._wrong: List[Malformed] = [] if wrong is None else wrong

    @property
    def problem(self) -> Optional[Malformed]:
        """The first thing that is wrong."""
        return self._wrong[0] if self._wrong else None

    def wrong(self, name: str, reason: str = "malformed") -> None:
        """Note that member ``name`` is wrong."""
        self._wrong.append(Malformed(self.place + name, reason))

    def text(self, name: str, size_max: int = kit.TEXT_SIZE_MAX, *, required: bool = True) -> str:
        """A string of 1 to ``size_max`` characters, none of them a control character; ``""`` if left out."""
        value = self.values.get(name)
        if value is None or value == "":
            if required:
                self.wrong(name, "missing")
        elif isinstance(value, Number) or not isinstance(value, str):
            self.wrong(name, "not a text")
        elif len(value) > size_max:
            self.wrong(name, "too long")
        elif not kit.is_plain(value):
            self.wrong(name, "control character")
        else:
            return value
        return ""

    def word(self, name: str, size_max: int = kit.TEXT_SIZE_MAX, *, required: bool = True) -> str:
        """As ``text``, and an integer is taken for its digits: for ids that come either way."""
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self.text(name, size_max, required=required)

    def integer(self, name: str, low: int = 0, high: int = INTEGER_MAX, *, required: bool = True) -> int:
        """An integer from ``low`` to ``high``; ``low`` when left out or wrong."""
        value = self.values.get(name)
        if value is None:
            if required:
                self.wrong(name, "missing")
        elif isinstance(value, bool) or not isinstance(value, int):
            self.wrong(name, "not an integer")
        elif not low <= value <= high:
            self.wrong(name, "out of range")
        else:
            return value
        return low

    def minor(self, name: str) -> int:
        """A sum in minor units: an integer."""
        return self.integer(name, 0, AMOUNT_MINOR_MAX)

    def amount_minor(self, name: str, exponent: int) -> int:
        """A sum in major units, a number or a text, as minor units."""
        value = self.values.get(name)
        if value is None or value == "":
            self.wrong(name, "missing")
            return 0
        plain = isinstance(value, (str, int)) and not isinstance(value, bool)
        amount_minor = parse_amount(str(value), exponent) if plain else None
        if amount_minor is None:
            self.wrong(name, "not a sum")
            return 0
        return amount_minor

    def decimal_minor(self, name: str, exponent: int) -> int:
        """A sum in major units as minor units, a text alone: a number could be rounded on its way."""
        text = self.text(name)
        amount_minor = parse_amount(text, exponent)
        if text and amount_minor is None:
            self.wrong(name, "not a sum")
        return amount_minor or 0

    def currency(self, name: str) -> str:
        """Three capital letters (ISO 4217)."""
        text = self.text(name)
        if text and not (len(text) == 3 and text.isascii() and text.isalpha() and text.isupper()):
            self.wrong(name, "not a currency code")
        return text

    def instant(self, name: str, *, required: bool = True) -> str:
        """A time with its offset (``times.parse_instant``); ``""`` when left out or wrong."""
        text = self.text(name, required=required)
        iso = times.parse_instant(text) if text else ""
        if iso is None:
            self.wrong(name, "not a time with its offset")
        return iso or ""

    def only(self, names: Tuple[str, ...]) -> None:
        """Any other member is wrong: a misspelt one must not be passed over."""
        for name in self.values:
            if name not in names:
                self.wrong(name if _SPEAKABLE.fullmatch(name) else "member", "unknown")

    def moment_ms(self, name: str, *, required: bool = True) -> str:
        """Milliseconds since 1970 as ISO text with the offset of UTC; ``""`` when left out."""
        at_ms = self.integer(name, -1, required=required)
        if at_ms < 0:
            if self.values.get(name) is not None:
                self.wrong(name, "not a time")
            return ""
        iso = times.iso_of_ms(at_ms)
        if not iso:
            self.wrong(name, "not a time")
        return iso

    def kept(self, names: FrozenSet[str]) -> Tuple[Tuple[str, str], ...]:
        """The members among ``names`` as texts, in the order in which they came.

        For what is only kept with a payment: no such member spoils one, so what is no plain text of up to
        ``TEXT_SIZE_MAX`` characters and no number is left out.
        """
        found = ((name, self.values[name]) for name in self.values if name in names)
        texts = ((name, str(value)) for name, value in found if type(value) in _TEXTS)
        return tuple(
            (name, text) for name, text in texts if 0 < len(text) <= kit.TEXT_SIZE_MAX and kit.is_plain(text)
        )

    def inside(self, name: str, *, required: bool = True) -> Fields:
        """The object ``name``; one without members when it is left out or wrong."""
        value = self.values.get(name)
        if isinstance(value, dict):
            return Fields(value, self.place + name + ".", self._wrong)
        if value is not None or required:
            self.wrong(name, "missing" if value is None else "not an object")
        return Fields({}, self.place + name + ".", self._wrong)

    def account(self, name: str, terms: Terms) -> str:
        """A client's number as ``kit.Form.account`` reads it: from member ``name`` or the payer's fields.

        A field of the payer's may be inside an object: ``account.contract``.
        """
        parts = []
        for path in terms.payer_fields or (name,):
            fields, last = self, path
            while "." in last:
                outer, _, last = last.partition(".")
                fields = fields.inside(outer)
            parts.append(fields.word(last, kit.ACCOUNT_SIZE_MAX))
        number = kit.joined_number(parts)
        agreed = kit.agreed_number(number, terms)
        if agreed is None:
            self.wrong(name, "not the agreed form")
        return agreed or number


def nested(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    """``[("account.contract", "7")]`` -> ``{"account": {"contract": "7"}}``; of two at one place the last."""
    values: Dict[str, Any] = {}
    for path, value in pairs:
        *outer, last = path.split(".")
        place = values
        for name in outer:
            inner = place.get(name)
            place[name] = place = inner if isinstance(inner, dict) else {}
        place[last] = value
    return values


def object_of(request: HttpRequest) -> Union[Fields, Malformed]:
    """The object that is a POST's body. The bytes are parsed by the first call."""
    remembered = request.__dict__  # the request never changes, and what it says goes when it goes
    if "parsed_json" not in remembered:
        remembered["parsed_json"] = parse(request.body)
    if request.method != "POST":
        return Malformed("method", "not allowed")
    value = remembered["parsed_json"]
    return Fields(value) if isinstance(value, dict) else Malformed("json", "not a JSON object")


def values_of(request: HttpRequest) -> Mapping[str, Any]:
    """The members of the object that is a POST's body; none where there is no good one."""
    found = object_of(request)
    return found.values if isinstance(found, Fields) else {}


def post(values: Mapping[str, Any], headers: kit.Headers = (), path: str = "") -> HttpRequest:
    """The agent's side: a POST of ``values``."""
    return HttpRequest("POST", path, b"", (*headers, (b"content-type", b"application/json")), written(values))


def written(values: Json) -> bytes:
    """One line of UTF-8 without needless spaces; members in the order given."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def document(values: Json, code: str, status: int = 200) -> HttpResponse:
    """An answer; ``code`` is what the log says of it."""
    return HttpResponse(status, HEADERS, written(values), code)
