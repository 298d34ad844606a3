"""Payments for the accounting program: bytes from the fact sheet, and read back by our own readers."""

from __future__ import annotations

from io import BytesIO

from python_calamine import CalamineWorkbook

from kvit.domain.debts import Replaced
from kvit.domain.exports import PAYMENT, REVERSAL, ExportHead, PaidEntry
from kvit.files.base import ReadOptions, source_of_bytes
from kvit.files.exports import onec, tables
from kvit.files.statements.onec import format_

HEAD = ExportHead(
    "Водоканал", "RUB", 2, "2026-03-18", "2026-03-19", "2026-03-20", "09:05:00", "40702810000000000001"
)
PAID = PaidEntry(
    17, PAYMENT, "2026-03-18", "1002344", "Тестов Тест Тестович", 150_000, 1_800, "qiwi", "t-1", "water", "",
    "2026-03-18T10:00:00", 0,
)  # fmt: skip
BACK = PAID._replace(
    entry_id=23, kind=REVERSAL, day="2026-03-19", amount_minor=-150_000, fee_minor=-1_800, reverses=17
)
NOBODYS = PAID._replace(
    entry_id=19, number="", name="", typed="=77", amount_minor=5, fee_minor=0, txn="t=2", service=""
)
ENTRIES = [[PAID, NOBODYS], [BACK]]

#: Frame, keys, dates and sums as the sheet has them.
ONEC = """1CClientBankExchange
ВерсияФормата=1.03
Кодировка=Windows
Отправитель=kvit
Получатель=
ДатаСоздания=20.03.2026
ВремяСоздания=09:05:00
ДатаНачала=18.03.2026
ДатаКонца=19.03.2026
РасчСчет=40702810000000000001
СекцияДокумент=Платежное поручение
Номер=17
Дата=18.03.2026
Сумма=1500.00
ПлательщикСчет=
ПлательщикИНН=
Плательщик1=Тестов Тест Тестович
ПолучательСчет=40702810000000000001
ПолучательИНН=
ДатаПоступило=18.03.2026
Получатель1=Водоканал
Код=17
НазначениеПлатежа=Оплата, лицевой счет 1002344, water, qiwi t-1, комиссия 18.00
КонецДокумента
СекцияДокумент=Платежное поручение
Номер=19
Дата=18.03.2026
Сумма=0.05
ПлательщикСчет=
ПлательщикИНН=
Плательщик1==77
ПолучательСчет=40702810000000000001
ПолучательИНН=
ДатаПоступило=18.03.2026
Получатель1=Водоканал
Код=19
НазначениеПлатежа=Оплата, неизвестный номер =77, qiwi t=2
КонецДокумента
СекцияДокумент=Платежное поручение
Номер=23
Дата=19.03.2026
Сумма=1500.00
ПлательщикСчет=40702810000000000001
ПлательщикИНН=
ДатаСписано=19.03.2026
Плательщик1=Водоканал
ПолучательСчет=
ПолучательИНН=
Получатель1=Тестов Тест Тестович
Код=23
НазначениеПлатежа=Возврат платежа 17, лицевой счет 1002344, water, qiwi t-1, комиссия -18.00
КонецДокумента
КонецФайла
"""


def test_the_bytes_of_1c() -> None:
    data = b"".join(onec.write(HEAD, ENTRIES, Replaced()))
    assert data == ONEC.replace("\n", "\r\n").encode("cp1251")


def test_our_own_reader_reads_it() -> None:
    data = b"".join(onec.write(HEAD, ENTRIES, Replaced()))
    form = format_()
    assert form.fits("kl_to_1c.txt", data[:1000]) == 100
    reading = form.read(source_of_bytes(data, "kl_to_1c.txt"), ReadOptions("RUB"))
    batches = list(reading.batches())
    lines = [line for batch in batches for line in batch.lines]
    assert [bad for batch in batches for bad in batch.bad] == []
    assert reading.facts.problems == []
    assert [(line.amount_minor, line.direction, line.day, line.payer) for line in lines] == [
        (150_000, "in", "2026-03-18", "Тестов Тест Тестович"),
        (5, "in", "2026-03-18", "=77"),
        (150_000, "out", "2026-03-19", lines[2].payer),
    ]
    assert {line.own_account for line in lines} == {"40702810000000000001"}
    assert "1002344" in lines[0].text


def test_letters_that_1251_lacks_are_said() -> None:
    replaced = Replaced()
    data = b"".join(onec.write(HEAD, [[PAID._replace(name="Құдайбергенова\nӘсем")]], replaced))
    assert "Плательщик1=Кудайбергенова Асем\r\n".encode("cp1251") in data
    assert replaced.examples == [("Құдайбергенова\nӘсем", "Кудайбергенова Асем")]


def test_csv() -> None:
    names = [[PAID._replace(name='ТОО "Су"; цех 1'), NOBODYS], [BACK]]
    text = b"".join(tables.write_csv(HEAD, names)).decode("utf-8-sig")
    at = "2026-03-18T10:00:00"
    assert text.split("\r\n") == [
        "id;kind;date;account;payer;amount;fee;currency;agreement;txn;service;typed;paid_at;reverses",
        f'17;payment;2026-03-18;1002344;"ТОО ""Су""; цех 1";1500.00;18.00;RUB;qiwi;t-1;water;;{at};',
        f"19;payment;2026-03-18;;;0.05;0.00;RUB;qiwi;t=2;;'=77;{at};",
        f"23;reversal;2026-03-19;1002344;Тестов Тест Тестович;-1500.00;-18.00;RUB;qiwi;t-1;water;;{at};17",
        "",
    ]


def test_xlsx() -> None:
    data = b"".join(tables.write_xlsx(HEAD, ENTRIES))
    assert data == b"".join(tables.write_xlsx(HEAD, [[PAID], [NOBODYS, BACK]]))
    rows = CalamineWorkbook.from_filelike(BytesIO(data)).get_sheet_by_index(0).to_python()
    assert rows[0] == list(tables.COLUMNS)
    assert rows[1][:7] == ["17", "payment", "2026-03-18", "1002344", "Тестов Тест Тестович", 1500.0, 18.0]
    assert rows[2][11] == "'=77"
    assert rows[3][0:6:5] == ["23", -1500.0]
    assert rows[3][-1] == "17"
