"""Headers in three languages, and the cases that only a person can decide."""

from __future__ import annotations

import pytest

from kvit.files.errors import FileRefused
from kvit.files.headers import ACCOUNT_HEADERS, BALANCE_HEADERS, CHARGE_HEADERS, FIELD_NAMES, match_columns
from kvit.files.tables import header_key

KINDS = [ACCOUNT_HEADERS, CHARGE_HEADERS, BALANCE_HEADERS]


def fields(header: str, synonyms: dict[str, str], **chosen: str) -> str:
    """The field of each column of ``header`` (parted by ``|``), ``-`` for columns of no field."""
    names = tuple(name.strip() for name in header.split("|"))
    places = match_columns(names, synonyms, chosen, [])
    by_place = {place: field for field, place in places.items()}
    return " ".join(by_place.get(place, "-") for place in range(len(names)))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("number | name | address | phone | email | meter", "number name address phone email -"),
        ("Лицевой счёт | ФИО | Адрес | Телефон | E-mail", "number name address phone email"),
        ("№ л/с | Наименование | адрес | тел. | Эл. почта | Этаж", "number name address phone email -"),
        ("ЛС | Абонент", "number name"),
        ("Дербес шот | Аты-жөні | Мекенжайы | Телефоны | Пошта", "number name address phone email"),
        ("Account_Number | Full Name", "number name"),
        ("Счет | Клиент", "number name"),
        ("Номер счета | Плательщик", "number name"),
        # A better word leaves the weaker one to the attributes.
        ("Лицевой счет | Договор | ФИО | Клиент", "number - name -"),
        ("№ | Лицевой счет", "- number"),
        ("Код абонента | Абонент", "number name"),
    ],
)
def test_headers_of_accounts(header: str, found: str) -> None:
    assert fields(header, ACCOUNT_HEADERS) == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("number | service | period | amount | due | document", "number service period amount due document"),
        (
            "Лицевой счёт | Услуга | Период | Начислено, руб. | Срок оплаты | Квитанция",
            "number service period amount due document",
        ),
        ("ЛС | Месяц | Сумма (тг) | Оплатить до | Документ", "number period amount due document"),
        (
            "Жеке шот | Қызмет түрі | Кезең | Сомасы, теңге | Төлеу мерзімі | Құжат",
            "number service period amount due document",
        ),
        ("Счет | Сумма | Номер счета", "number amount document"),
        ("Лицевой счет | Счет | Сумма в рублях", "number document amount"),
        ("Лицевой счет | К оплате", "number -"),
        ("Account | Amount, KZT | Invoice number | Comment", "number amount document -"),
    ],
)
def test_headers_of_charges(header: str, found: str) -> None:
    assert fields(header, CHARGE_HEADERS) == found


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("number | balance", "number amount"),
        ("number | amount | service", "number amount service"),
        ("Лицевой счет | Сальдо", "number amount"),
        ("Номер счета | Задолженность, руб. | Услуга", "number amount service"),
        ("Дербес шот | Берешек", "number amount"),
    ],
)
def test_headers_of_balances(header: str, found: str) -> None:
    assert fields(header, BALANCE_HEADERS) == found


def test_a_person_may_say_which_column_is_which() -> None:
    assert fields("Код | Имя", ACCOUNT_HEADERS, number="Код") == "number name"
    assert fields("Код | Имя", ACCOUNT_HEADERS, number="код ") == "number name"
    assert fields("number | name | ФИО", ACCOUNT_HEADERS, name="ФИО") == "number - name"
    assert fields("amount | sum", CHARGE_HEADERS, number="amount") == "number amount"
    assert fields("number | phone", ACCOUNT_HEADERS, phone="") == "number -"
    assert (
        fields("number | amount | name", ACCOUNT_HEADERS, name="number", number="amount") == "name number -"
    )


@pytest.mark.parametrize(
    ("header", "chosen", "said"),
    [
        ("number | лс", {}, "Two columns may be the account number: 'number' and 'лс'"),
        ("number | Начислено | Сумма", {}, "Two columns may be the amount: 'Начислено' and 'Сумма'"),
        ("Договор | Номер | Сумма", {}, "Two columns may be the account number: 'Договор' and 'Номер'"),
        ("number | amount", {"amount": "sum"}, "There is no column 'sum'"),
        ("number | amount", {"summe": "amount"}, "There is no field 'summe' here"),
        ("number | amount", {"amount": "number", "number": "number"}, "'number' is chosen twice"),
        (
            "100234 | 12.50",
            {},
            "There is no column for the account number; the columns are '100234', '12.50'",
        ),
        ("number | name", {}, "There is no column for the amount"),
        ("number | amount", {"amount": ""}, "There is no column for the amount"),
    ],
)
def test_what_nobody_can_tell_is_refused(header: str, chosen: dict[str, str], said: str) -> None:
    names = tuple(name.strip() for name in header.split("|"))
    with pytest.raises(FileRefused) as caught:
        match_columns(names, CHARGE_HEADERS, chosen, ["number", "amount"])
    assert said in str(caught.value)
    assert caught.value.advice


def test_the_advice_names_a_header_that_is_understood() -> None:
    with pytest.raises(FileRefused) as caught:
        match_columns(("x",) * 1, CHARGE_HEADERS, {}, ["amount"])
    assert "'amount' or 'сумма'" in caught.value.advice
    many = tuple(f"column {place}" for place in range(30))
    with pytest.raises(FileRefused, match="'column 11' and 18 more"):
        match_columns(many, CHARGE_HEADERS, {}, ["amount"])


@pytest.mark.parametrize("synonyms", KINDS)
def test_every_synonym_finds_its_field_alone(synonyms: dict[str, str]) -> None:
    for field, words in synonyms.items():
        assert field in FIELD_NAMES
        for word in words.replace("|", ",").split(","):
            places = match_columns((word.strip(),), synonyms, {}, [])
            # "Счёт" is a client's account, unless there is a better column for it.
            assert places == {"number" if word.strip() in {"счет", "шот"} else field: 0}


@pytest.mark.parametrize("synonyms", KINDS)
def test_no_sure_synonym_has_two_meanings(synonyms: dict[str, str]) -> None:
    seen: dict[str, str] = {}
    for field, words in synonyms.items():
        for word in words.partition("|")[0].split(","):
            key = header_key(word)
            assert key
            assert seen.setdefault(key, field) == field
