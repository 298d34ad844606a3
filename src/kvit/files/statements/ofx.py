"""OFX 1.x (SGML, whose leaves are not closed) and 2.x (XML): statements of banks and of cards.

Read tag by tag, since banks stray from both: nothing of the file's grammar is trusted but the tags. Only the
named entities of text are known, a document type means nothing here. The source of the facts: the elements
of a public library and public files.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from kvit.domain.lines import IN, OUT, RAW_LENGTH_MAX, STATEMENT, BadLine, MoneyLine
from kvit.files.base import ByteSource, Format
from kvit.files.errors import FileRefused
from kvit.files.statements.kit import (
    CURRENCY,
    Item,
    Sheet,
    StatementReading,
    Tally,
    bad,
    iso_day,
    known,
    minor,
    plain,
)
from kvit.files.texts import codec_of, find_encoding, shown, text_blocks

_BEGIN = re.compile(rb"OFXHEADER|<\?OFX\b|<OFX>", re.IGNORECASE)
_CHARSET = re.compile(rb"(?:CHARSET:\s*|ENCODING:\s*|encoding=[\"'])([A-Za-z0-9_.-]+)", re.IGNORECASE)
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: A tag, and the text up to the next one; a mark in the text that opens no tag is text.
_TOKEN = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9_.:]*)[^<>]*>([^<]*(?:<(?![/A-Za-z!?])[^<]*)*)")
_TAG_BEGINS = re.compile(r"<(?=[/A-Za-z!?])")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")
_TIME = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?(?:\.[0-9]*)?\s*(?:\[.*\]?)?"
)
_AMOUNT = re.compile(r"([+-]?)\s*([0-9]*(?:[.,][0-9]*)?)")
#: Fields of a payment that tell it from others, in this order.
_IDENTITY = ("FITID", "TRNTYPE", "CHECKNUM", "REFNUM", "DTUSER", "NAME", "PAYEE/NAME", "MEMO")
#: What the line says elsewhere.
_TOLD = frozenset({"TRNAMT", "NAME", "PAYEE/NAME", "MEMO"})
_STATEMENTS = frozenset({"STMTRS", "CCSTMTRS"})
#: Aggregates inside a payment: their leaves are told apart by it.
_INNER = frozenset({"PAYEE", "BANKACCTTO", "CCACCTTO", "CURRENCY", "ORIGCURRENCY"})
#: A payment has some twenty fields.
_FIELDS_MAX = 500
_TEXT_LENGTH_MAX = 10_000
_REST_LENGTH_MAX = 1 << 20


def format_() -> Format:
    """The format's place in the list."""
    return Format(
        "ofx", "OFX 1.x and 2.x (also .qfx)", STATEMENT, fits,
        lambda source, options: OfxReading("ofx", source, options),
    )  # fmt: skip


def fits(_name: str, head: bytes) -> int:
    """Its header, or its root."""
    if head[:2] in _UTF16_MARKS:
        head = head.decode("utf-16", "ignore").encode()
    return 100 if _BEGIN.search(head[:4096]) else 60 if b"<STMTTRN>" in head.upper() else 0


def encoding_of(source: ByteSource, wanted: str) -> str:
    """UTF-8 where it fits; else what the header says; else windows-1252, or a Cyrillic page."""
    if wanted:
        return codec_of(wanted)
    found = find_encoding(source)
    if found in {"utf-8-sig", "utf-16"}:
        return found
    for declared in _CHARSET.findall(source.head(4096))[::-1]:
        name = declared.decode().lower()
        codec = {"1252": "cp1252", "1251": "cp1251", "windows-1252": "cp1252", "windows-1251": "cp1251",
                 "iso-8859-1": "cp1252", "8859-1": "cp1252"}.get(name)  # fmt: skip
        if codec == "cp1251" or (codec and not re.search(rb"[\xc0-\xff]{4}", source.head())):
            return codec
    return found if re.search(rb"[\xc0-\xff]{4}", source.head()) else "cp1252"


@dataclass(slots=True)
class _Place:
    """Where the reader is in the file."""

    sheet: Sheet = field(default_factory=Sheet)
    in_statement: bool = False
    #: The aggregate whose leaves come now, of those that matter.
    around: str = ""
    payment: dict[str, str] | None = None
    line: int = 0
    raw: list[str] = field(default_factory=list)
    is_over: bool = False


class OfxReading(StatementReading):
    """One file."""

    def _items(self, tally: Tally) -> Iterator[Item]:
        encoding = encoding_of(self.source, self.options.encoding)
        tally.facts.encoding = shown(encoding)
        place = _Place()
        has_tags = False
        for line, closing, tag, text in _tokens(self.source, encoding):
            has_tags = True
            yield from self._token(place, line, ("/" if closing else "") + tag, text, tally)
        if not has_tags:
            raise FileRefused(
                "There is no tag of OFX in this file.", "Leave the format out, or name another."
            )
        if place.payment is not None:
            yield bad(place.line, "the payment has no end: the file breaks off here", "".join(place.raw))
        if place.in_statement:
            tally.close(place.sheet)
        if not place.is_over:
            tally.facts.problems.append("The file breaks off: its last tag, </OFX>, is missing.")

    def _token(self, place: _Place, line: int, tag: str, text: str, tally: Tally) -> Iterator[Item]:
        if tag == "STMTTRN":
            yield from self._end_payment(place)
            place.payment, place.line, place.raw, place.around = {}, line, [], ""
        elif tag in {"/STMTTRN", "/BANKTRANLIST"}:
            yield from self._end_payment(place)
        elif place.payment is not None:
            _take_field(place, tag, text)
        elif tag in _STATEMENTS:
            if place.in_statement:
                tally.close(place.sheet)
            place.sheet, place.in_statement = Sheet(), True
        elif tag.removeprefix("/") in _STATEMENTS:
            if place.in_statement:
                tally.close(place.sheet)
            place.in_statement = False
        elif tag in {"BANKACCTFROM", "CCACCTFROM", "LEDGERBAL", "AVAILBAL"}:
            place.around = tag
        elif tag.startswith("/"):
            place.around = "" if tag[1:] == place.around else place.around
            place.is_over = place.is_over or tag == "/OFX"
        else:
            _take_statement_field(place, tag, text)

    def _end_payment(self, place: _Place) -> Iterator[Item]:
        if place.payment is not None:
            payment, place.payment = place.payment, None
            item = make_line(place, payment, self.options.currency)
            place.sheet.bad_count += isinstance(item, BadLine)
            yield item


def _take_field(place: _Place, tag: str, text: str) -> None:
    payment = place.payment
    assert payment is not None
    if len(place.raw) < _FIELDS_MAX:
        place.raw.append(f"<{tag}>{text}")
    if tag in _INNER:
        place.around = tag
        payment.setdefault(tag, "")
    elif tag.startswith("/"):
        place.around = "" if tag[1:] == place.around else place.around
    elif text and len(payment) < _FIELDS_MAX:
        payment.setdefault(f"{place.around}/{tag}" if place.around else tag, text[:_TEXT_LENGTH_MAX])


def _take_statement_field(place: _Place, tag: str, text: str) -> None:
    sheet = place.sheet
    if tag == "CURDEF":
        sheet.currency = text.upper()
    elif tag == "ACCTID" and place.around in {"BANKACCTFROM", "CCACCTFROM"}:
        sheet.account = "".join(text.split())
    elif tag == "BALAMT" and place.around == "LEDGERBAL":
        found = _signed(text, sheet.currency)
        sheet.closing_minor = found


def make_line(place: _Place, payment: dict[str, str], default_currency: str) -> MoneyLine | BadLine:
    """The line of one ``STMTTRN``: its fields by name, those of inner aggregates behind the aggregate's."""
    raw = "".join(place.raw)
    currency = place.sheet.currency or default_currency
    if currency and not CURRENCY.fullmatch(currency):
        return bad(place.line, f"{currency!r} is no currency code of three letters", raw)
    if "CURRENCY" in payment:
        return bad(place.line, "its sum is in another currency than the statement's", raw)
    written = payment.get("TRNAMT", "")
    signed = _signed(written, currency)
    if signed is None:
        return bad(place.line, f"{written!r} is no sum" if written else "the sum is missing", raw)
    day, _ = _moment(payment.get("DTPOSTED", ""))
    if not day:
        return bad(place.line, f"{payment.get('DTPOSTED', '')!r} is no day like 20260318", raw)
    direction = OUT if signed < 0 else IN
    payer = plain(payment.get("NAME") or payment.get("PAYEE/NAME", ""))
    account = "".join((payment.get("BANKACCTTO/ACCTID") or payment.get("CCACCTTO/ACCTID", "")).split())
    text = plain(payment.get("MEMO", ""))
    known_by = known(
        place.sheet.account, direction, str(abs(signed)), currency, day, account,
        *(payment.get(name, "") for name in _IDENTITY),
    )  # fmt: skip
    _, user_at = _moment(payment.get("DTUSER", ""))
    more = tuple((name, said) for name, said in payment.items() if said and name not in _TOLD)
    return MoneyLine(
        place.line, "", known_by, abs(signed), direction, day, user_at, "", payer, account, text, currency,
        place.sheet.account, more=more, raw=raw[:RAW_LENGTH_MAX],
    )  # fmt: skip


def _signed(text: str, currency: str) -> int | None:
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        return None
    digits = f"0{found[2]}" if found[2][:1] in {".", ","} else found[2]
    amount_minor = minor(digits, currency)
    return None if amount_minor is None else -amount_minor if found[1] == "-" else amount_minor


def _moment(text: str) -> tuple[str, str]:
    """(ISO day, ISO local time or ``""``) as the bank wrote it: an offset does not move it over midnight."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return "", ""
    day = iso_day(found[1], found[2], found[3])
    if not day or not found[4] or not (found[4] < "24" and found[5] < "60" and (found[6] or "00") < "60"):
        return day, ""
    return day, f"{day}T{found[4]}:{found[5]}:{found[6] or '00'}"


def _tokens(source: ByteSource, encoding: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, ``/`` or empty, tag in capitals, text behind it) of every tag."""
    rest, line = "", 1
    for block in text_blocks(source, encoding):
        rest += block.text
        # The text behind the last tag may go on in the next block.
        cut = rest.rfind("<")
        while cut > 0 and not _TAG_BEGINS.match(rest, cut):
            cut = rest.rfind("<", 0, cut)
        if cut > 0:
            yield from _in_text(rest[:cut], line)
            line += rest.count("\n", 0, cut)
            rest = rest[cut:]
        elif len(rest) > _REST_LENGTH_MAX:
            raise FileRefused(
                "A text of this file has no end: this is no OFX.", "Look what it is.", source.name
            )
    yield from _in_text(rest, line)


def _in_text(text: str, line: int) -> Iterator[tuple[int, str, str, str]]:
    counted = 0
    for found in _TOKEN.finditer(text):
        line += text.count("\n", counted, found.start())
        counted = found.start()
        said = found[3].strip()
        if "&" in said:
            said = _ENTITY.sub(lambda entity: unescape(entity.group()), said)
        yield line, found[1], found[2].upper().rpartition(":")[2], said
