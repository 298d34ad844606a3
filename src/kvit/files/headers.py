"""Which column of a file holds what: headers in English, Russian and Kazakh -> our fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kvit.files.errors import FileRefused
from kvit.files.tables import header_key

#: What a person would call the field, for messages.
FIELD_NAMES = {
    "number": "the account number",
    "name": "the name",
    "address": "the address",
    "phone": "the phone",
    "email": "the e-mail address",
    "service": "the service",
    "period": "the period",
    "amount": "the amount",
    "due": "the due date",
    "document": "the document",
}

_NUMBER = """number, account, account number, account no, client number, customer number,
    лицевой счет, лицевой, лс, номер лс, номер лицевого счета, лицевого счета, абонентский номер,
    дербес шот, жеке шот, дербес шот нөмірі, жеке шот нөмірі
    | contract, contract number, счет, номер, номер абонента, код абонента, номер договора,
    договор, шот, нөмір, нөмірі"""
_NUMBER_WITHOUT_DOCUMENT = _NUMBER + ", номер счета, шот нөмірі"
_SERVICE = """service, service name, услуга, вид услуги, наименование услуги,
    қызмет, қызмет түрі, қызмет атауы"""

#: Field -> headers. Those after ``|`` may mean other things too: they count where no better one is there.
ACCOUNT_HEADERS = {
    "number": _NUMBER_WITHOUT_DOCUMENT,
    "name": """name, full name, client name, customer name, фио, ф и о, фамилия имя отчество, имя,
        наименование, название, аты жөні, аты, атауы
        | client, customer, payer, organisation, organization, абонент, клиент, плательщик, потребитель,
        тұтынушы, төлеуші""",
    "address": "address, адрес, адрес объекта, адрес абонента, мекенжай, мекенжайы",
    "phone": """phone, telephone, mobile, phone number, тел, телефон, номер телефона, мобильный телефон,
        телефоны, телефон нөмірі, ұялы телефон""",
    "email": """email, e mail, mail, email address, почта, электронная почта, эл почта, имейл,
        адрес эл почты, пошта, электрондық пошта""",
}
CHARGE_HEADERS = {
    "number": _NUMBER,
    "service": _SERVICE,
    "period": """period, month, billing period, период, месяц, период начисления, расчетный период,
        расчетный месяц, кезең, кезеңі, ай, айы, есеп айы, есептік кезең""",
    "amount": """amount, sum, charge, charged, amount charged, сумма, начислено, сумма начисления,
        сумма начислено, начисление, сома, сомасы, есептелді, есептелген, есептелген сома""",
    "due": """due, due date, pay by, payable by, срок оплаты, срок, оплатить до, оплата до,
        дата срока оплаты, төлеу мерзімі, төлем мерзімі, мерзімі""",
    "document": """document, document number, invoice, invoice number, bill, receipt, документ,
        номер документа, номер счета, счет на оплату, квитанция, номер квитанции, номер счета на оплату,
        счет фактура, құжат, құжат нөмірі, түбіртек, түбіртек нөмірі, шот фактура, шот нөмірі
        | счет, шот""",
}
BALANCE_HEADERS = {
    "number": _NUMBER_WITHOUT_DOCUMENT,
    "amount": """amount, sum, balance, debt, amount due, owed, сумма, баланс, сальдо, остаток, долг,
        задолженность, сумма долга, к оплате, сумма к оплате, итого к оплате,
        сома, сомасы, қалдық, қалдығы, берешек, қарыз, қарызы, төлеуге""",
    "service": _SERVICE,
}

#: Words of a header that only tell the currency: "Сумма, руб." is "Сумма".
_UNITS = "руб, рублей, рублях, р, тг, тенге, теңге, сом, сомах, сум, rub, kzt, kgs, uzs, eur, usd"
_UNIT_ENDINGS = tuple(joint + unit for joint in (", в ", " в ", ", ", " ") for unit in _UNITS.split(", "))

_SAY_WHICH = "Say which of them it is, or rename the other one."


def match_columns(
    header: tuple[str, ...],
    synonyms: Mapping[str, str],
    chosen: Mapping[str, str],
    required: Iterable[str],
) -> dict[str, int]:
    """Field -> place of its column in ``header``, for the fields that the file has.

    ``chosen`` says it for single fields: field -> header, or ``""`` for "this file has it not". Refused:
    a field or header of ``chosen`` that does not exist, two columns for one field, one column for two
    fields, no column for a ``required`` field.
    """
    places = _chosen_places(header, synonyms, chosen)
    open_fields = {field: words for field, words in synonyms.items() if field not in chosen}
    for rank in (0, 1):
        meanings = _meanings(open_fields, rank)
        settled = frozenset(places)
        for place, name in enumerate(header):
            if place in places.values():
                continue
            fields = meanings.get(header_key(name)) or meanings.get(header_key(_without_unit(name)), [])
            free = [field for field in fields if field not in settled]
            field = next((field for field in free if field not in places), None)
            if field is not None:
                places[field] = place
            elif free:
                earlier = header[places[free[0]]]
                raise FileRefused(
                    f"Two columns may be {FIELD_NAMES[free[0]]}: {earlier!r} and {name!r}.", _SAY_WHICH
                )
    for field in required:
        if field not in places:
            raise FileRefused(
                f"There is no column for {FIELD_NAMES[field]}; the columns are {_listed(header)}.",
                f"The first row must name the columns: {_example(synonyms[field])} is understood.",
            )
    return places


def _meanings(synonyms: Mapping[str, str], rank: int) -> dict[str, list[str]]:
    """Header key -> the fields it may mean, in the order of ``synonyms``."""
    meanings: dict[str, list[str]] = {}
    for field, words in synonyms.items():
        ranks = words.split("|")
        for word in ranks[rank].split(",") if rank < len(ranks) else ():
            meanings.setdefault(header_key(word), []).append(field)
    return meanings


def _chosen_places(
    header: tuple[str, ...], synonyms: Mapping[str, str], chosen: Mapping[str, str]
) -> dict[str, int]:
    keys = {header_key(name): place for place, name in enumerate(header)}
    places: dict[str, int] = {}
    for field, name in chosen.items():
        if field not in synonyms:
            raise FileRefused(f"There is no field {field!r} here.", f"The fields are {_listed(synonyms)}.")
        if not name:
            continue
        place = header.index(name) if name in header else keys.get(header_key(name))
        if place is None:
            raise FileRefused(f"There is no column {name!r}.", f"The columns are {_listed(header)}.")
        if place in places.values():
            raise FileRefused(f"The column {name!r} is chosen twice.", "One column can be one field only.")
        places[field] = place
    return places


def _without_unit(name: str) -> str:
    bare = name.casefold().rstrip(" .)").replace("(", "")
    for ending in _UNIT_ENDINGS:
        if bare.endswith(ending):
            return bare.removesuffix(ending)
    return name


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def _example(words: str) -> str:
    english, *others = (word.strip() for word in words.split(","))
    russian = next(word for word in others if not word.isascii())
    return f"{english!r} or {russian!r}"
