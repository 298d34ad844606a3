"""Payments as 1CClientBankExchange 1.03: windows-1251, CRLF, one document a payment.

Source: the exchange standard of 1C (frame, keys, dates, sums). `Номер` and `Код` are the entry's own id, so
that the same file twice is seen; a payment has `ДатаПоступило`, a reversal `ДатаСписано`. There are no
balances: kvit does not keep the bank's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from kvit.domain.debts import Replaced
from kvit.domain.exports import REVERSAL, ExportHead, PaidEntry
from kvit.domain.money import format_amount
from kvit.files.debts.letters import Letters

_END = "\r\n"
CODEC = "cp1251"


def write(head: ExportHead, entries: Iterable[Sequence[PaidEntry]], replaced: Replaced) -> Iterator[bytes]:
    """The file, piece by piece."""
    letters = Letters(CODEC, "", replaced)
    made_on, first, last = map(_day, (head.made_on, head.first_day, head.last_day))
    biller = letters.text(head.biller)
    yield _lines(
        "1CClientBankExchange", "ВерсияФормата=1.03", "Кодировка=Windows", "Отправитель=kvit", "Получатель=",
        f"ДатаСоздания={made_on}", f"ВремяСоздания={head.made_at}", f"ДатаНачала={first}",
        f"ДатаКонца={last}", f"РасчСчет={head.own_account}",
    )  # fmt: skip
    for some in entries:
        yield b"".join(_document(entry, head, biller, letters) for entry in some)
    yield _lines("КонецФайла")


def _document(entry: PaidEntry, head: ExportHead, biller: str, letters: Letters) -> bytes:
    day = _day(entry.day)
    client = letters.text(entry.name or entry.number or entry.typed)
    if entry.kind == REVERSAL:
        sides = [
            f"ПлательщикСчет={head.own_account}", "ПлательщикИНН=", f"ДатаСписано={day}",
            f"Плательщик1={biller}", "ПолучательСчет=", "ПолучательИНН=", f"Получатель1={client}",
        ]  # fmt: skip
    else:
        sides = [
            "ПлательщикСчет=", "ПлательщикИНН=", f"Плательщик1={client}",
            f"ПолучательСчет={head.own_account}", "ПолучательИНН=",
            f"ДатаПоступило={day}", f"Получатель1={biller}",
        ]  # fmt: skip
    return _lines(
        "СекцияДокумент=Платежное поручение", f"Номер={entry.entry_id}", f"Дата={day}",
        f"Сумма={format_amount(abs(entry.amount_minor), head.exponent)}", *sides, f"Код={entry.entry_id}",
        f"НазначениеПлатежа={letters.text(_purpose(entry, head))}", "КонецДокумента",
    )  # fmt: skip


def _purpose(entry: PaidEntry, head: ExportHead) -> str:
    """What a person reads; the client's number stands where a program finds it."""
    whose = f"лицевой счет {entry.number}" if entry.number else f"неизвестный номер {entry.typed}"
    what = f"Возврат платежа {entry.reverses}" if entry.kind == REVERSAL else "Оплата"
    service = f", {entry.service}" if entry.service else ""
    fee = f", комиссия {format_amount(entry.fee_minor, head.exponent)}" if entry.fee_minor else ""
    return f"{what}, {whose}{service}, {entry.agreement_id} {entry.txn}{fee}"


def _day(iso: str) -> str:
    return f"{iso[8:]}.{iso[5:7]}.{iso[:4]}"


def _lines(*lines: str) -> bytes:
    return "".join([line + _END for line in lines]).encode(CODEC)
