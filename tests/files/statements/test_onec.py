"""1CClientBankExchange: both dialects and their odd sides, from the published standard and public files."""

from __future__ import annotations

import pytest

from kvit.domain.lines import IN, OUT
from tests.files.statements.outcomes import Outcome, read

OURS, THEIRS = "40702810000000000001", "40817810000000000009"
HEAD = f"""1CClientBankExchange
ВерсияФормата=1.03
Кодировка=Windows
Отправитель=Тестовый банк
Получатель=
ДатаНачала=18.03.2026
ДатаКонца=18.03.2026
РасчСчет={OURS}
"""
BALANCES = f"""СекцияРасчСчет
ДатаНачала=18.03.2026
ДатаКонца=18.03.2026
РасчСчет={OURS}
НачальныйОстаток=0.00
ВсегоПоступило=1500.00
ВсегоСписано=0
КонечныйОстаток=1500.00
КонецРасчСчет
"""
DOCUMENT = f"""СекцияДокумент=Платежное поручение
Номер=17
Дата=18.03.2026
Сумма=1500.00
ПлательщикСчет={THEIRS}
ПлательщикИНН=
Плательщик1=Тестов Тест Тестович
ПлательщикБИК=044525000
ПолучательСчет={OURS}
ПолучательИНН=7700000000
ДатаПоступило=18.03.2026
НазначениеПлатежа=Оплата, лицевой счет=1002344
 за март
КонецДокумента
"""
END = "КонецФайла\n"
KAZAKH = """1CClientBankExchange
ВерсияФормата=2.00
РасчСчет=KZ000000000000000001
СекцияДокумент="Выписка"
ВидДокумента=ПлатежноеПоручение
ДатаОперации=19.03.2026
НомерДокумента=17
ДатаДокумента=18.03.2026
СуммаПриход=1500,0
СуммаРасход=
Валюта=KZT
ПлательщикНаименование=Сынақ Клиент
ПлательщикБИН_ИИН=000000000000
ПлательщикИИК=KZ000000000000000009
ПолучательИИК=KZ000000000000000001
КодНазначенияПлатежа=859
НазначениеПлатежа=Оплата за март, счет 1002344
КонецДокумента
КонецФайла
"""


def text(*changes: tuple[str, str], head: str = HEAD + BALANCES, tail: str = END) -> str:
    """A file with one document, changed."""
    document = DOCUMENT
    for before, after in changes:
        assert before in document
        document = document.replace(before, after)
    return (head + document + tail).replace("\n", "\r\n")


def encoded(*changes: tuple[str, str], codec: str = "cp1251", head: str = HEAD) -> Outcome:
    return read(text(*changes, head=head).encode(codec), currency="RUB")


def test_the_example_of_the_standard() -> None:
    outcome = read(text().encode("cp1251"), currency="RUB")
    line = outcome.only
    assert (line.amount_minor, line.direction, line.day, line.currency) == (150_000, IN, "2026-03-18", "RUB")
    assert (line.payer, line.payer_account) == ("Тестов Тест Тестович", THEIRS)
    assert line.text == "Оплата, лицевой счет=1002344 за март"
    assert (line.key, line.number, line.own_account, line.document, line.line) == ("", "", OURS, "17", 18)
    assert ("ПлательщикБИК", "044525000") in line.more
    assert line.raw.startswith("СекцияДокумент=Платежное поручение\n")
    facts = outcome.facts
    assert (facts.format, facts.encoding, facts.currency) == ("1c", "windows-1251", "RUB")
    assert (facts.own_account, facts.opening_minor, facts.closing_minor) == (OURS, 0, 150_000)
    assert (facts.first_day, facts.last_day, facts.problems, facts.notes) == (
        "2026-03-18",
        "2026-03-18",
        [],
        [],
    )


def test_the_dialect_of_version_2() -> None:
    line = read(KAZAKH.encode()).only
    assert (line.amount_minor, line.direction, line.day, line.currency) == (150_000, IN, "2026-03-19", "KZT")
    assert (line.payer, line.payer_account) == ("Сынақ Клиент", "KZ000000000000000009")
    assert (line.text, line.document) == ("Оплата за март, счет 1002344", "17")
    assert line.own_account == "KZ000000000000000001"
    assert ("КодНазначенияПлатежа", "859") in line.more
    assert ("kind", "Выписка") in line.more


def test_two_equal_credits_of_version_2_are_two_payments() -> None:
    document = KAZAKH[KAZAKH.index("СекцияДокумент") : KAZAKH.index("КонецФайла")]
    twice = KAZAKH.replace(document, document.replace("1500,0", "1500") + document)
    outcome = read(twice.encode())
    assert outcome.moved == [150_000, 150_000]
    assert outcome.lines[0].known_by == outcome.lines[1].known_by
    assert outcome.ids[0].removesuffix(":1") == outcome.ids[1].removesuffix(":2")


@pytest.mark.parametrize("codec", ["cp1251", "cp866", "koi8_r", "utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("declared", ["Windows", "windows", "DOS", "UTF-8", ""])
def test_the_encoding_is_found_whatever_the_header_says(codec: str, declared: str) -> None:
    head = HEAD.replace("Кодировка=Windows", f"Кодировка={declared}" if declared else "Отправитель=Б")
    line = encoded(codec=codec, head=head).only
    assert line.payer == "Тестов Тест Тестович"


def test_kazakh_letters_of_the_page_that_nobody_declares() -> None:
    head = HEAD.replace("Тестовый банк", "Қазақ банкі")
    outcome = encoded(("Тестов Тест Тестович", "Сынақ Әлі Ғани"), codec="kz1048", head=head)
    assert outcome.only.payer == "Сынақ Әлі Ғани"
    assert outcome.facts.encoding == "kz1048"


def test_a_named_encoding_is_used() -> None:
    data = text(("Тестов Тест Тестович", "Қали")).encode("kz1048")
    assert read(data, encoding="kz1048").only.payer == "Қали"


@pytest.mark.parametrize("written", ["1500", "1500.0", "1500.00", "1500,00", "1500-00", "1500.000", "01500,"])
def test_a_sum_however_it_is_written(written: str) -> None:
    assert encoded(("Сумма=1500.00", f"Сумма={written}")).only.amount_minor == 150_000


@pytest.mark.parametrize(
    "written", ["", "1 500", "1'500", "1e3", "-5", "1500.005", "1.500,00", "１５", "9" * 20]
)
def test_what_is_no_sum_is_a_bad_line(written: str) -> None:
    outcome = encoded(("Сумма=1500.00", f"Сумма={written}"), codec="utf-8")
    assert outcome.lines == []
    (bad,) = outcome.bad
    assert "sum" in bad.reason
    assert bad.line == 9
    assert bad.raw.startswith("СекцияДокумент=Платежное поручение\nНомер=17\n")


@pytest.mark.parametrize("written", ["31.02.2026", "2026-03-18", "18.03.26", "18.03.0206"])
def test_what_is_no_day_is_a_bad_line(written: str) -> None:
    outcome = encoded(("ДатаПоступило=18.03.2026", f"ДатаПоступило={written}"))
    assert outcome.lines == []
    assert written in outcome.bad[0].reason


def test_a_bad_line_does_not_make_the_totals_a_problem() -> None:
    outcome = read(text(("Сумма=1500.00", "Сумма=x")).encode("cp1251"))
    assert outcome.facts.problems == []
    assert "1 documents could not be read" in outcome.facts.notes[0]


class TestDirection:
    """Sums in and out first, then the days, then whose accounts they are."""

    def test_a_day_of_leaving_is_money_out(self) -> None:
        line = encoded(("ДатаПоступило", "ДатаСписано")).only
        assert line.direction == OUT
        assert line.payer_account == OURS  # the other side, whatever the accounts say

    def test_without_days_the_own_account_decides(self) -> None:
        line = encoded(("ДатаПоступило=18.03.2026\n", "")).only
        assert (line.direction, line.day) == (IN, "2026-03-18")
        swapped = encoded(
            ("ДатаПоступило=18.03.2026\n", ""), (f"ПлательщикСчет={THEIRS}", f"ПлательщикСчет={OURS}"),
            (f"ПолучательСчет={OURS}", f"ПолучательСчет={THEIRS}"),
        ).only  # fmt: skip
        assert (swapped.direction, swapped.payer_account) == (OUT, THEIRS)

    def test_both_days_and_one_own_account(self) -> None:
        line = encoded(("ДатаПоступило=18.03.2026", "ДатаСписано=18.03.2026\nДатаПоступило=19.03.2026")).only
        assert (line.direction, line.day) == (IN, "2026-03-19")

    def test_neither_days_nor_own_accounts(self) -> None:
        outcome = encoded(("ДатаПоступило=18.03.2026\n", ""), (OURS, "40702810000000000077"))
        assert outcome.lines == []
        assert "cannot be told" in outcome.bad[0].reason

    def test_accounts_that_match_neither_side_leave_it_to_the_days(self) -> None:
        line = encoded((OURS, "40702810000000000077")).only
        assert (line.direction, line.own_account) == (IN, OURS)

    def test_a_transfer_between_own_accounts_is_two_movements(self) -> None:
        both = ("ДатаПоступило=18.03.2026", "ДатаСписано=18.03.2026\nДатаПоступило=18.03.2026")
        head = HEAD + f"РасчСчет={THEIRS}\n"
        once = encoded(both, head=head)
        assert [(line.direction, line.own_account) for line in once.lines] == [(OUT, THEIRS), (IN, OURS)]
        document = text(both, head="", tail="")
        twice = read(text(both, head=head, tail=document + END).encode("cp1251"))
        assert twice.moved == once.moved

    def test_several_own_accounts_each_have_their_lines(self) -> None:
        other = "40702810000000000002"
        more = DOCUMENT.replace(OURS, other)
        outcome = read((HEAD + f"РасчСчет={other}\n" + DOCUMENT + more + END).encode())
        assert [line.own_account for line in outcome.lines] == [OURS, other]
        assert outcome.facts.own_account == ""

    def test_none_of_several_own_accounts(self) -> None:
        head = HEAD + "РасчСчет=40702810000000000002\n"
        outcome = encoded((OURS, "40702810000000000077"), head=head)
        assert "none of the file's accounts" in outcome.bad[0].reason


class TestKeys:
    """Unknown ones are kept; lines without a key go on with the value before them."""

    def test_a_value_may_hold_the_sign(self) -> None:
        assert "счет=1002344" in encoded().only.text

    @pytest.mark.parametrize(
        "more", ["счет=1002344", "Счет=1002344", "ЛС=1002344", "Номер=5", "за март = 3", "= 3"]
    )
    def test_a_line_of_the_purpose_is_no_key(self, more: str) -> None:
        assert encoded((" за март", more)).only.text == f"Оплата, лицевой счет=1002344 {more}"

    @pytest.mark.parametrize("key", ["КодНазначенияПлатежа", "НоваяГрафа", "ПоказательКБК", "ОКАТО"])
    def test_an_unknown_key_is_kept(self, key: str) -> None:
        line = encoded((" за март", f"{key}=859")).only
        assert line.text == "Оплата, лицевой счет=1002344"
        assert (key, "859") in line.more

    def test_keys_in_capitals(self) -> None:
        written = "\n".join(
            row.partition("=")[0].upper() + "".join(row.partition("=")[1:])
            if not row.startswith(" ")
            else row
            for row in (HEAD + BALANCES + DOCUMENT + END).split("\n")
        )
        outcome = read(written.replace("1CCLIENTBANKEXCHANGE", "1CClientBankExchange").encode("cp1251"))
        assert outcome.only._replace(raw="", more=()) == read(text().encode()).only._replace(raw="", more=())
        assert outcome.facts.closing_minor == 150_000

    def test_purpose_and_name_in_numbered_lines(self) -> None:
        line = encoded(
            ("НазначениеПлатежа=Оплата, лицевой счет=1002344", "НазначениеПлатежа1=Оплата"),
            (" за март", "НазначениеПлатежа2=1002344"),
            ("Плательщик1=Тестов Тест Тестович", "Плательщик1=Тестов\nПлательщик2=Тест"),
        ).only  # fmt: skip
        assert (line.text, line.payer) == ("Оплата 1002344", "Тестов Тест")

    def test_a_purpose_told_whole_and_in_parts_counts_once(self) -> None:
        line = encoded((" за март", "НазначениеПлатежа1=Оплата, лицевой счет=1002344")).only
        assert line.text == "Оплата, лицевой счет=1002344"

    def test_lines_end_as_they_like(self) -> None:
        for end in ("\n", "\r\n", "\r"):
            assert read(text().replace("\r\n", end).encode()).moved == [150_000]


class TestTotals:
    """Sections of accounts against each other and against the documents."""

    def test_a_document_is_missing(self) -> None:
        outcome = read((HEAD + BALANCES.replace("1500", "3000") + DOCUMENT + END).encode(), currency="RUB")
        assert outcome.moved == [150_000]
        (problem,) = outcome.facts.problems
        assert "ВсегоПоступило" in problem
        assert "3000.00" in problem
        assert "1500.00" in problem

    def test_balances_that_do_not_fit_their_own_sums(self) -> None:
        odd = BALANCES.replace("КонечныйОстаток=1500.00", "КонечныйОстаток=1500.01")
        (problem,) = read((HEAD + odd + DOCUMENT + END).encode(), currency="RUB").facts.problems
        assert "1500.01 RUB" in problem

    @pytest.mark.parametrize("figures", ["0.00", "", "0"])
    def test_balances_that_are_not_told(self, figures: str) -> None:
        empty = (
            BALANCES.replace("1500.00", figures)
            .replace("=0.00", f"={figures}")
            .replace("=0\n", f"={figures}\n")
        )
        outcome = read((HEAD + empty + DOCUMENT + END).encode())
        assert (outcome.moved, outcome.facts.problems) == ([150_000], [])
        assert (outcome.facts.opening_minor, outcome.facts.closing_minor) == (None, None)

    def test_sums_are_not_told_and_balances_are(self) -> None:
        some = BALANCES.replace("ВсегоПоступило=1500.00\n", "").replace("ВсегоСписано=0\n", "")
        assert read((HEAD + some + DOCUMENT + END).encode()).facts.problems == []
        (problem,) = read((HEAD + some + END).encode()).facts.problems
        assert "1500.00" in problem

    def test_a_section_a_day(self) -> None:
        second = BALANCES.replace("18.03", "19.03").replace("=1500.00\nКонецРасч", "=3000.00\nКонецРасч")
        second = second.replace("НачальныйОстаток=0.00", "НачальныйОстаток=1500.00")
        documents = DOCUMENT + DOCUMENT.replace("18.03", "19.03")
        for sections in (BALANCES + second, second + BALANCES):
            facts = read((HEAD + sections + documents + END).encode()).facts
            assert (facts.problems, facts.opening_minor, facts.closing_minor) == ([], 0, 300_000)

    def test_sections_of_days_and_of_the_period_are_not_added_up(self) -> None:
        outcome = read((HEAD + BALANCES + BALANCES + DOCUMENT + END).encode())
        assert outcome.facts.problems == []
        assert "twice" in outcome.facts.notes[0]

    def test_a_balance_below_zero(self) -> None:
        odd = BALANCES.replace("Остаток=0.00", "Остаток=-2000.00").replace(
            "Остаток=1500.00", "Остаток=-500.00"
        )
        facts = read((HEAD + odd + DOCUMENT + END).encode()).facts
        assert (facts.problems, facts.opening_minor, facts.closing_minor) == ([], -200_000, -50_000)


class TestBrokenFiles:
    def test_the_end_is_missing(self) -> None:
        outcome = read((HEAD + BALANCES + DOCUMENT).encode())
        assert outcome.moved == [150_000]
        assert "КонецФайла" in outcome.facts.problems[0]

    def test_a_document_breaks_off(self) -> None:
        outcome = read((HEAD + DOCUMENT + DOCUMENT.replace("КонецДокумента\n", "")).encode())
        assert outcome.moved == [150_000]
        assert "no end" in outcome.bad[0].reason
        assert outcome.facts.problems

    def test_a_document_without_an_end_before_another(self) -> None:
        outcome = read((HEAD + DOCUMENT.replace("КонецДокумента\n", "") + DOCUMENT + END).encode())
        assert (outcome.moved, len(outcome.bad)) == ([150_000], 1)

    def test_an_endless_document(self) -> None:
        long = DOCUMENT.replace(" за март", "\n".join(["слово " * 20] * 3000))
        outcome = read((HEAD + long + DOCUMENT + END).encode())
        assert outcome.moved == [150_000]
        assert "characters" in outcome.bad[0].reason

    def test_no_documents_at_all(self) -> None:
        outcome = read((HEAD + END).encode())
        assert (outcome.lines, outcome.bad, outcome.facts.problems) == ([], [], [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Номер=17", "Номер=18"), ("Дата=18.03.2026", "Дата=17.03.2026"), (THEIRS, "40817810000000000008"),
        ("БИК=044525000", "БИК=044525001"), ("ДатаПоступило=18", "ДатаПоступило=17"), ("за март", "за май"),
        ("за март", "за март\nКод=123"), ("Тестов", "Иванов"), ("ПолучательИНН", "ДатаСписано"),
    ],
)  # fmt: skip
def test_what_tells_documents_apart(before: str, after: str) -> None:
    if after == "ДатаСписано":
        before, after = "ДатаПоступило=", "ДатаСписано="
    assert encoded((before, after)).only.known_by != encoded().only.known_by


def test_wrapping_and_unknown_keys_do_not_tell_documents_apart() -> None:
    plain = encoded().only
    assert encoded(("1002344\n за март", "1002344 за март")).only.known_by == plain.known_by
    assert encoded(("Номер=17", "Номер=17\nВидОплаты=01")).only.known_by == plain.known_by
