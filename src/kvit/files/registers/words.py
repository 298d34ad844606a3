"""The row that names the columns of a register is found by its words, in four languages, wherever it stands.

A header may go over two rows: a merged cell above, parts of it below. Fact: Kaspi's and Halyk's exports have
it so, in rows that differ from export to export.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from kvit.files.errors import FileRefused
from kvit.files.registers.sums import currency_of
from kvit.files.tables import header_key

#: The header must stand among so many rows.
HEADER_ROWS_MAX = 40
#: Between a header and another that is as good; in column maps.
OR = "|"

#: Field -> words of its header; those after ``|`` may mean other things too: they count where no better is.
HEADERS = {
    "id": """id, transaction id, txn id, txn, payment id, operation id, unique payment number,
        id транзакции, id платежа, id операции, идентификатор платежа, идентификатор транзакции,
        номер транзакции, уникальный номер операции, уникальный номер платежа, уникальный код платежа,
        код операции, ід платежу, ідентифікатор платежу, номер транзакції, транзакция нөмірі,
        төлем идентификаторы, референс, reference, rrn
        | номер операции, номер платежа, transaction""",
    "number": """account number, account no, client number, customer number, personal account,
        лицевой счет, лицевой, лс, номер лс, номер лицевого счета, лицевого счета, л с, абонентский номер,
        номер абонента, код абонента, идентификатор абонента, номер клиента, номер договора, клиент номер,
        особовий рахунок, номер особового рахунку, рахунок абонента, номер договору, абонент номер,
        дербес шот, жеке шот, дербес шот нөмірі, жеке шот нөмірі, абонент нөмірі
        | account, number, contract, contract number, счет, договор, реквизит, реквизиты платежа, абонент,
        рахунок, договір, шот, номер""",
    "amount": """amount, sum, amount paid, paid, payment amount, transaction amount, сумма, сумма платежа,
        сумма оплаты, сумма операции, сумма транзакции, оплачено, принято, сумма принято, внесено,
        сумма к зачислению абоненту, сума, сума платежу, сума оплати, сплачено, сома, сомасы, төлем сомасы,
        төленген сома, операция сомасы
        | кредит, credit, итого, всего, поступление, приход""",
    "fee": """fee, commission, agent fee, bank fee, комиссия, сумма комиссии, комиссия банка,
        комиссия агента, вознаграждение, удержано, комісія, сума комісії, винагорода, комиссия сомасы""",
    "net": """net, net amount, amount transferred, transferred, to transfer, к перечислению, перечислено,
        сумма к перечислению, сумма перечисления, сумма перевода, к зачислению, сумма к зачислению,
        до перерахування, сума до перерахування, перераховано, аударылатын сома""",
    "date": """date, payment date, operation date, transaction date, date and time, дата, дата платежа,
        дата оплаты, дата операции, дата транзакции, дата и время, дата время, дата и время платежа,
        дата и время операции, операционный день, дата зачисления, дата проведения, дата платежу,
        дата оплати, дата операції, дата та час, операційний день, күні, төлем күні,
        операция күні, күні мен уақыты""",
    "time": """time, payment time, время, время платежа, время оплаты, время операции, час, час платежу,
        уақыты""",
    "payer": """payer, payer name, customer, customer name, client name, fio, плательщик, фио, ф и о,
        фио плательщика, имя плательщика, наименование плательщика, отправитель, отправитель наименование,
        плательщик наименование, наименование отправителя, клиент, платник, піб, піб платника, төлеуші,
        төлеушінің аты жөні, аты жөні
        | наименование, контрагент, name, partner name""",
    "text": """purpose, description, details, comment, payment purpose, назначение, назначение платежа,
        комментарий, примечание, описание, детали, призначення, призначення платежу, коментар, примітка,
        төлем мақсаты, төлем тағайындалуы, сипаттамасы
        | label, detail""",
    "service": """service, service name, услуга, вид услуги, наименование услуги, код услуги,
        поставщик услуги, послуга, назва послуги, қызмет, қызмет түрі, қызмет атауы""",
    "document": """document, document number, receipt, receipt number, документ, номер документа,
        номер квитанции, квитанция, номер чека, чек, номер платежного документа, номер документу, квитанція,
        номер квитанції, құжат, құжат нөмірі, түбіртек нөмірі""",
    "period": """period, billing period, период, период оплаты, месяц, період, місяць, кезең, айы""",
    "type": """type, operation type, transaction type, payment type, тип, тип операции, вид операции,
        тип транзакции, тип операції, вид операції, операция түрі""",
    "parent": """parent transaction id, parent id, original transaction id, исходная операция,
        id исходной операции""",
    "currency": "currency, валюта, валюта операции, валюта платежа, валютасы",
}  # fmt: skip

_CURRENCIES = frozenset({"RUB", "KZT", "UAH", "KGS", "UZS", "USD", "EUR", "BYN", "AMD", "GEL"})
#: What a row is known as a header by, beside its amounts.
_COMPANIONS = frozenset({"number", "id", "date", "text", "payer"})


@dataclass(frozen=True, slots=True)
class Header:
    """``line``: the last line of the header, 0 for none; ``names``: what the columns are called."""

    line: int
    names: tuple[str, ...]
    places: Mapping[str, int]


def find_header(
    rows: Sequence[tuple[int, list[str]]], chosen: Mapping[str, str], synonyms: Mapping[str, str] = HEADERS
) -> Header | None:
    """The header among the first rows (line, cells) of a file, or ``None``.

    It is the row (or two) that names all of ``chosen`` (field -> header, or several parted by ``|``; an
    empty text: the file has no such column), and most of what else is known.
    """
    best: Header | None = None
    for candidate in _candidates(rows):
        places = match(candidate.names, chosen, synonyms)
        if places is None or "amount" not in places or not _COMPANIONS & places.keys():
            continue
        if best is None or len(places) >= len(best.places) + (candidate.line != best.line + 1):
            best = Header(candidate.line, candidate.names, places)
    return best


def match(
    names: Sequence[str], chosen: Mapping[str, str], synonyms: Mapping[str, str] = HEADERS
) -> dict[str, int] | None:
    """Field -> place in ``names``; ``None`` where a header of ``chosen`` is not among them."""
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        for key in _keys(name):
            found.setdefault(key, []).append(place)
    places: dict[str, int] = {}
    for field, wanted in chosen.items():
        if wanted:
            named = _place(found, map(_key, wanted.split(OR)), set())
            if named is None:
                return None
            places[field] = named
    for words in _ranked(tuple(synonyms.items())):
        for field, keys in words.items():
            if field not in places and field not in chosen and not keys.keys().isdisjoint(found):
                known = _place(found, keys, set(places.values()))
                if known is not None:
                    places[field] = known
    return places


@lru_cache(maxsize=16)
def _ranked(synonyms: tuple[tuple[str, str], ...]) -> list[dict[str, dict[str, None]]]:
    """The certain words of all fields, then the others; each field's in their order."""
    ranks: list[dict[str, dict[str, None]]] = [{}, {}]
    for field, words in synonyms:
        for rank, part in zip(ranks, words.split(OR), strict=False):
            rank[field] = dict.fromkeys(key for key in map(_key, part.split(",")) if key)
    return ranks


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    """What spellings of a header have in common."""
    return header_key(name)


@lru_cache(maxsize=1024)
def _keys(name: str) -> set[str]:
    """The same, also without the unit: "Сумма, руб." is "Сумма"."""
    words = re.findall(r"\w+", name)
    while len(words) > 1 and (currency_of(words[-1]) in _CURRENCIES or words[-1] in {"в", "in"}):
        words.pop()
    return {_key(name), _key(" ".join(words))} - {""}


def refuse_unknown_fields(chosen: Mapping[str, str]) -> None:
    """Raises ``FileRefused`` for a field that registers do not have."""
    for field in chosen:
        if field not in HEADERS:
            raise FileRefused(f"There is no field {field!r} here.", f"The fields are {', '.join(HEADERS)}.")


def _place(found: Mapping[str, list[int]], keys: Iterable[str], taken: set[int]) -> int | None:
    """The first free column that has one of ``keys``, the better ones first."""
    for key in keys:
        for place in found.get(key, ()):
            if place not in taken:
                return place
    return None


def _candidates(rows: Sequence[tuple[int, list[str]]]) -> Iterator[Header]:
    """Each row as it is, and each with the row of names under it."""
    for at, (line, cells) in enumerate(rows):
        names = [_name(cell) for cell in cells]
        yield Header(line, tuple(names), {})
        below = [_name(cell) for cell in rows[at + 1][1]] if at + 1 < len(rows) else []
        # No name of a column begins with a digit; a row of payments has sums and days.
        if any(names) and any(below) and not any(name[:1].isdigit() for name in below):
            yield Header(rows[at + 1][0], tuple(_joined(names, below)), {})


def _joined(above: list[str], below: list[str]) -> Iterator[str]:
    """A merged cell stands over the columns up to the next one; a name without parts stands alone."""
    width = max(len(above), len(below))
    over = ""
    for place in range(width):
        upper = above[place] if place < len(above) else ""
        lower = below[place] if place < len(below) else ""
        over = upper or over
        yield f"{over} {lower}" if lower and over else upper or lower


def _name(cell: str) -> str:
    return " ".join(cell.split())
