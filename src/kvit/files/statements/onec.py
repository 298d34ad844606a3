"""1CClientBankExchange (``kl_to_1c.txt``): statements of banks in Russia, Kazakhstan and their neighbours.

Both dialects: 1.01 to 1.03, and the keys of version 2. One line a document section.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from kvit.domain.lines import STATEMENT, BadLine, MoneyLine
from kvit.files.base import ByteSource, Format
from kvit.files.errors import FileRefused
from kvit.files.statements.kit import Item, StatementReading, Tally, bad
from kvit.files.statements.onec_balances import Totals, check
from kvit.files.statements.onec_lines import Document, Values, key_of, make_line, movements
from kvit.files.texts import PAGES, codec_of, find_encoding, shown, text_lines

SIGNATURE = "1cclientbankexchange"
#: A document has some thirty lines of some hundred characters.
DOCUMENT_LENGTH_MAX = 200_000
SHEETS_MAX = 100_000
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DECLARED = re.compile(rb"=[ \t]*(windows|dos|koi8)[^\r\n]{0,9}$", re.IGNORECASE | re.MULTILINE)
_CODECS = {b"windows": "cp1251", b"dos": "cp866", b"koi8": "koi8_r"}
#: Some of these stand in the first lines of every such file.
_WORDS = ("СекцияДокумент", "СекцияРасчСчет", "ВерсияФормата", "ДатаНачала", "РасчСчет", "КонецФайла")
#: Bytes that mean a Kazakh letter in KZ-1048, or a Serbian or Macedonian one in both pages.
_KAZAKH = "ҚқҺһӘәҢң".encode("kz1048")
_BALKAN = "ЂђЉљЊњЏџЃѓ".encode("cp1251")
_DOCUMENT, _ACCOUNT = "секциядокумент", "секциярасчсчет"
#: A line within a section that begins otherwise is none of these marks.
_MARKS_BEGIN = frozenset("СсКк \t")
_ENDS = frozenset({"конецдокумента", "конецрасчсчет"})


def format_() -> Format:
    """The format's place in the list."""
    return Format(
        "1c", "1CClientBankExchange, between client-bank programs and 1C", STATEMENT, fits,
        lambda source, options: OneCReading("1c", source, options),
    )  # fmt: skip


def fits(_name: str, head: bytes) -> int:
    """The signature stands first, in the same bytes in nearly every code page."""
    text = head[:200].decode("utf-16" if head[:2] in _UTF16_MARKS else "latin-1", "ignore")
    return 100 if text.removeprefix("ï»¿").lstrip().casefold().startswith(SIGNATURE) else 0


def encoding_of(source: ByteSource, wanted: str) -> str:
    """The codec: the header may lie, so the keys decide, tried in UTF-8 and then in what the header says."""
    if wanted:
        return codec_of(wanted)
    head = source.head()
    found = _DECLARED.search(head[:4096])
    declared = _CODECS[found[1].lower()] if found else "cp1251"
    for codec in ("utf-8", declared, *PAGES):
        if any(word.encode(codec) in head for each in _WORDS for word in (each, each.upper())):
            return {"utf-8": "utf-8-sig", "cp1251": _page(head)}.get(codec, codec)
    return find_encoding(source, declared=declared)


def _page(head: bytes) -> str:
    """KZ-1048 differs from windows-1251 in a few letters only, and no file ever declares it."""
    has_kazakh, has_balkan = (
        len(head) != len(head.translate(None, letters)) for letters in (_KAZAKH, _BALKAN)
    )
    return "kz1048" if has_kazakh and not has_balkan else "cp1251"


class OneCReading(StatementReading):
    """One file."""

    def _items(self, tally: Tally) -> Iterator[Item]:
        encoding = encoding_of(self.source, self.options.encoding)
        tally.facts.encoding = shown(encoding)
        self._own: dict[str, Totals] = {}
        self._halves: set[int] = set()
        bad_count = 0
        for document in self._documents(encoding, tally):
            items = [document] if isinstance(document, BadLine) else self._lines(document)
            for item in items:
                if isinstance(item, MoneyLine):
                    self._account(item.own_account).count(item)
                else:
                    bad_count += 1
            yield from items
        for totals in self._own.values():
            check(totals, bad_count, self.options.currency, tally)

    def _documents(self, encoding: str, tally: Tally) -> Iterator[Document | BadLine]:
        """The documents one after another; header and account sections are taken in on the way."""
        lines = text_lines(self.source, encoding)
        if not fits("", next(lines, (0, ""))[1].encode()):
            raise FileRefused(
                "The first line is not 1CClientBankExchange.", "Leave the format out, or name another."
            )
        section = _Section(0, "")
        sheet_count = 0
        for number, line in lines:
            if section.kind and line[:1] not in _MARKS_BEGIN:
                section.add(line)
                continue
            word, equals, said = line.partition("=")
            folded = word.strip().casefold()
            if folded in {_DOCUMENT, _ACCOUNT}:
                yield from section.broken()
                section = _Section(number, folded, line)
            elif folded in _ENDS and not equals:
                if section.kind == _DOCUMENT:
                    yield section.document()
                elif section.kind and sheet_count < SHEETS_MAX:
                    sheet_count += 1
                    values = section.values()
                    self._account(_bare(values.get("РасчСчет", ""))).sheets.append(values)
                section = _Section(0, "")
            elif folded == "конецфайла":
                yield from section.broken()
                return
            elif section.kind:
                section.add(line)
            elif said.strip() and key_of(word).name == "РасчСчет":
                self._account(_bare(said))
        yield from section.broken()
        tally.facts.problems.append("The file breaks off: its last line, КонецФайла, is missing.")

    def _account(self, number: str) -> Totals:
        found = self._own.get(number)
        if found is None:
            found = self._own[number] = Totals(number)
        return found

    def _lines(self, document: Document) -> list[Item]:
        found = movements(document, tuple(filter(None, self._own)))
        if isinstance(found, str):
            return [bad(document.line, found, document.raw)]
        if len(found) == 2 and self._is_other_half(document):
            return []
        return [make_line(document, movement, self.options.currency) for movement in found]

    def _is_other_half(self, document: Document) -> bool:
        """A transfer between own accounts may stand twice, once for each; the second time says no more."""
        key = hash(tuple(document.values.items()))
        if key in self._halves:
            self._halves.remove(key)
            return True
        self._halves.add(key)
        return False


class _Section:
    """A section whose end has not come yet; ``kind`` is empty outside of sections."""

    def __init__(self, line: int, kind: str, text: str = "") -> None:
        self.kind = kind
        self._line = line
        self._texts = [text]
        self._length = 0

    def add(self, text: str) -> None:
        self._length += len(text)
        if self._length <= DOCUMENT_LENGTH_MAX:
            self._texts.append(text)

    def document(self) -> Document | BadLine:
        if self._length > DOCUMENT_LENGTH_MAX:
            return bad(
                self._line, f"the document has more than {DOCUMENT_LENGTH_MAX} characters", self._raw()
            )
        kind = self._texts[0].partition("=")[2].strip().strip('"')
        return Document(self._line, kind, self.values(), self._raw())

    def broken(self) -> Iterator[BadLine]:
        """Another section begins, or the file ends, before this one did."""
        if self.kind == _DOCUMENT:
            yield bad(self._line, "the document has no end (КонецДокумента)", self._raw())

    def values(self) -> Values:
        """What stands behind the keys; a line without a key goes on with the value before it."""
        values: Values = {}
        last = ""
        in_text = False
        for text in self._texts[1:]:
            word, equals, said = text.partition("=")
            key = key_of(word)
            # Within a payment's text, a key that was there already is a word of the text.
            if equals and (key.counts_in_text and not values.get(key.name) if in_text else key.counts):
                last, in_text = key.name, key.opens_text
            else:
                said = text
            said = said.strip()
            if last in values:
                values[last] = f"{values[last]} {said}".strip()
            elif last:
                values[last] = said
        return values

    def _raw(self) -> str:
        return "\n".join(self._texts)


def _bare(account: str) -> str:
    return "".join(account.split())
