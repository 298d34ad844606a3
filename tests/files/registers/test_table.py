"""Tables of payments: headers by their words, anywhere; totals are no payments; every carrier."""

from __future__ import annotations

import pytest

from kvit.domain.lines import LineIds
from kvit.files.errors import FileRefused
from kvit.files.registers import table
from tests.files.registers.reading import read_lines
from tests.files.workbooks import workbook_bytes

PLAIN = (
    "Номер операции;Дата;Время;Лицевой счет;ФИО плательщика;Сумма;Комиссия\n"
    "A-1;18.03.2026;09:15:02;1002344;Тестов Тест;1500.00;15.00\n"
    "A-2;18.03.2026;09:15:40;1002351;Пробный П.;1234.50;12.35\n"
    "Итого;;;;;2734.50;27.35\n"
)


def test_columns_are_found_by_their_words() -> None:
    lines, bad, facts = read_lines(table.FORMAT, PLAIN)
    assert bad == []
    assert facts.problems == []
    assert [
        (
            line.line,
            line.key,
            line.number,
            line.payer,
            line.amount_minor,
            line.fee_minor,
            line.net_minor,
            line.at,
        )
        for line in lines
    ] == [
        (2, "A-1", "1002344", "Тестов Тест", 150000, 1500, 148500, "2026-03-18T09:15:02"),
        (3, "A-2", "1002351", "Пробный П.", 123450, 1235, 122215, "2026-03-18T09:15:40"),
    ]
    assert facts.encoding == "utf-8"


@pytest.mark.parametrize("encoding", ["cp1251", "cp866", "koi8_r", "utf-8-sig", "utf-16"])
def test_the_code_page_is_found(encoding: str) -> None:
    lines, _, facts = read_lines(table.FORMAT, PLAIN.encode(encoding))
    assert [line.payer for line in lines] == ["Тестов Тест", "Пробный П."]
    assert facts.problems == []


@pytest.mark.parametrize("delimiter", ["\t", "|", ",", ";"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    lines, bad, _ = read_lines(table.FORMAT, PLAIN.replace(";", delimiter))
    assert [line.amount_minor for line in lines] == [150000, 123450]
    assert bad == []


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("Дербес шот;Сомасы;Күні", "kk"),
        ("Особовий рахунок;Сума;Дата платежу", "uk"),
        ("Account number;Amount paid;Payment date", "en"),
        ("Лицевой счёт;Сумма, руб.;Дата и время операции", "ru"),
    ],
)
def test_headers_in_four_languages(header: str, language: str) -> None:
    lines, bad, _ = read_lines(table.FORMAT, f"{header}\n1002344;1500,00;18.03.2026 09:15\n")
    assert [(line.number, line.amount_minor, line.day, line.at) for line in lines] == [
        ("1002344", 150000, "2026-03-18", "2026-03-18T09:15:00")
    ], language
    assert bad == []


def test_a_header_of_two_rows_under_other_rows() -> None:
    text = (
        "Выписка по счету;;;;;\n"
        "Дата формирования;18.03.2026;;;;\n"
        ";;;;;\n"
        "Дата операции;Плательщик;;Сумма;Назначение платежа;Лицевой счет\n"
        ";Наименование;ИИН/БИН;;;\n"
        "1;2;3;4;5;6\n"
        "18.03.2026;Тестов Т.;900101300123;1 500,00;вода;1002344\n"
        "Итого;;;1 500,00;;\n"
        "Исходящий остаток;;;9 999,00;;\n"
        "Подпись ________;;;;;\n"
    )
    lines, bad, facts = read_lines(table.FORMAT, text)
    assert [(line.line, line.number, line.payer, line.text, line.amount_minor) for line in lines] == [
        (7, "1002344", "Тестов Т.", "вода", 150000)
    ]
    assert bad == []
    assert facts.notes == ["1 rows hold no payment and were left out."]
    assert facts.problems == []
    wrong = text.replace("Итого;;;1 500,00", "Итого;;;1 500,01")
    assert read_lines(table.FORMAT, wrong)[2].problems == [
        "The totals name 1500.01 as amount in line 8, the lines add up to 1500.00."
    ]


def test_a_map_of_columns_goes_before_the_words() -> None:
    text = "Счет;Код;Сумма;Всего;Когда\n77;1002344;1.00;1500.00;2026-03-18\n"
    lines, _, _ = read_lines(
        table.FORMAT, text, columns={"number": "код", "amount": "Всего", "date": "Когда|Дата"}
    )
    assert [(line.number, line.amount_minor) for line in lines] == [("1002344", 150000)]
    with pytest.raises(FileRefused, match="with number = 'Шифр'"):
        read_lines(table.FORMAT, text, columns={"number": "Шифр", "date": "Когда"})
    with pytest.raises(FileRefused, match="no field 'numbr'"):
        read_lines(table.FORMAT, text, columns={"numbr": "Код"})


def test_columns_by_number_where_there_is_no_header() -> None:
    text = "1002344|150000|20260318\n1002344|150000|20260318\n"
    lines, bad, _ = read_lines(
        table.FORMAT, text, columns={"number": "1", "amount": "2", "date": "3"},
        header="no", delimiter="pipe", unit="minor", date_format="yyyymmdd",
    )  # fmt: skip
    assert [(line.line, line.amount_minor, line.day) for line in lines] == [
        (1, 150000, "2026-03-18"),
        (2, 150000, "2026-03-18"),
    ]
    assert bad == []
    ids = LineIds()
    assert len({ids.of(line) for line in lines}) == 2
    with pytest.raises(FileRefused, match="from 1 to 3"):
        read_lines(table.FORMAT, text, columns={"amount": "4"}, header="no", delimiter="pipe")


def test_fixed_widths() -> None:
    text = "1002344     1500.0018.03.2026Тестов\n1002351     1234.5018.03.2026Пробный\n"
    lines, bad, _ = read_lines(
        table.FORMAT, text, columns={"number": "1", "amount": "2", "date": "3", "payer": "4"},
        header="no", widths="9,10,10,20",
    )  # fmt: skip
    assert [(line.number, line.amount_minor, line.payer) for line in lines] == [
        ("1002344", 150000, "Тестов"),
        ("1002351", 123450, "Пробный"),
    ]
    assert bad == []


def test_a_workbook() -> None:
    data = workbook_bytes(
        [
            ["Реестр платежей", "", "", ""],
            ["Лицевой счет", "Сумма", "Дата", "Id"],
            ["0012", 1500.1, "18.03.2026", "A-1"],
            [1002344, 0.29, "19.03.2026", "A-2"],
            ["Всего", 1500.39, "", ""],
        ]
    )
    lines, bad, facts = read_lines(table.FORMAT, data)
    assert [(line.line, line.number, line.amount_minor) for line in lines] == [(3, "0012", 150010)]
    assert [(each.line, each.raw) for each in bad] == [(4, "1002344 | 0.29 | 19.03.2026 | A-2")]
    assert "quantity" in bad[0].reason
    assert facts.problems == [
        "The totals name 1500.39 as amount in line 5, the lines add up to 1500.10 (1 lines cannot be read)."
    ]
    lines, bad, facts = read_lines(table.FORMAT, data, numeric_numbers="yes")
    assert [line.number for line in lines] == ["0012", "1002344"]
    assert (bad, facts.problems) == ([], [])


def test_an_empty_register_is_a_register() -> None:
    header = PLAIN.partition("\n")[0]
    for text in ("", "\n\n", header, header + "\nИтого;;;;;0.00;0.00\n"):
        lines, bad, facts = read_lines(table.FORMAT, text)
        assert (lines, bad, facts.problems) == ([], [], [])


def test_a_text_without_a_header_is_refused_with_advice() -> None:
    with pytest.raises(FileRefused, match="header = no"):
        read_lines(table.FORMAT, "a;b;c\n1;2;3\n")
    with pytest.raises(FileRefused, match="no column for the date"):
        read_lines(table.FORMAT, "Лицевой счет;Сумма\n1;2.00\n")
    lines, _, _ = read_lines(table.FORMAT, "Лицевой счет;Сумма\n1;2.00\n", day="18.03.2026")
    assert lines[0].day == "2026-03-18"
    lines, _, _ = read_lines(table.FORMAT, "Дата платежей: 18.03.2026\nЛицевой счет;Сумма\n1;2.00\n")
    assert lines[0].day == "2026-03-18"


def test_subtotals_are_of_what_stands_since_the_last() -> None:
    text = (
        "Лицевой счет;Сумма;Дата\n1;1.00;18.03.2026\n2;2.00;18.03.2026\nВсего;3.00;\n"
        "3;4.00;19.03.2026\nВсего;4.00;\nИтого;7.00;\n"
    )
    lines, bad, facts = read_lines(table.FORMAT, text)
    assert ([line.amount_minor for line in lines], bad, facts.problems) == ([100, 200, 400], [], [])
    assert len(read_lines(table.FORMAT, text.replace("Всего;4.00", "Всего;5.00"))[2].problems) == 1


def test_somebody_may_be_called_total() -> None:
    text = "ФИО;Лицевой счет;Сумма;Дата\nTotal Energy;1;1.00;18.03.2026\nTotal;;1.00;\n"
    lines, bad, facts = read_lines(table.FORMAT, text)
    assert ([line.payer for line in lines], bad, facts.problems) == (["Total Energy"], [], [])


def test_quotation_marks_are_csvs_or_letters() -> None:
    header = "Лицевой счет;Плательщик;Сумма;Дата\n"
    rows = (
        '1;"ООО ""Вода""; филиал";1.00;18.03.2026\n2;ООО "Вода";2.00;18.03.2026\n'
        '3;"Вода" ООО;3.00;18.03.2026\n'
        '4;"две\nстроки";4.00;18.03.2026\n5;труба 5";5.00;18.03.2026\n'
    )
    lines, bad, _ = read_lines(table.FORMAT, header + rows)
    assert [(line.line, line.payer, line.amount_minor) for line in lines] == [
        (2, 'ООО "Вода"; филиал', 100),
        (3, 'ООО "Вода"', 200),
        (4, '"Вода" ООО', 300),
        (5, "две строки", 400),
        (7, 'труба 5"', 500),
    ]
    assert bad == []
    lines, _, _ = read_lines(table.FORMAT, header + '1;"Вода";1.00;18.03.2026\n', quotes="none")
    assert lines[0].payer == '"Вода"'


def test_a_mark_without_its_fellow_swallows_no_payment() -> None:
    rows = ['1;"Вода;1.00;18.03.2026', "2;Тестов;2.00;18.03.2026", '3;Вода";3.00;18.03.2026']
    lines, bad, _ = read_lines(table.FORMAT, "Лицевой счет;Плательщик;Сумма;Дата\n" + "\n".join(rows))
    assert [(line.number, line.amount_minor) for line in lines] == [("1", 100), ("2", 200), ("3", 300)]
    assert bad == []


def test_a_delimiter_in_a_name_moves_no_money() -> None:
    text = "Лицевой счет;Плательщик;Сумма;Дата\n1;Тестов; Тест;1.00;18.03.2026\n"
    lines, bad, _ = read_lines(table.FORMAT, text)
    assert lines == []
    assert bad[0].reason == "the row has 5 cells, the header only 4"


def test_lines_at_the_top_and_bottom_are_left_out() -> None:
    text = "мусор;1\nЛицевой счет;Сумма;Дата\n1;1.00;18.03.2026\n2;2.00;18.03.2026\n9;9.00;18.03.2026\n\n"
    lines, bad, _ = read_lines(table.FORMAT, text, skip_top="1", skip_bottom="1")
    assert ([line.number for line in lines], bad) == (["1", "2"], [])
    assert read_lines(table.FORMAT, text, skip_bottom="99")[0] == []


def test_rows_are_chosen_by_patterns() -> None:
    text = "Лицевой счет;Сумма;Дата;Статус\n1;1.00;18.03.2026;ОК\n2;2.00;18.03.2026;отказ\n"
    assert [line.number for line in read_lines(table.FORMAT, text, rows="ок$")[0]] == ["1"]
    assert [line.number for line in read_lines(table.FORMAT, text, skip_rows="отказ")[0]] == ["1"]
    lines, _, facts = read_lines(table.FORMAT, text, totals="^2;")
    assert [line.number for line in lines] == ["1"]
    assert len(facts.problems) == 1


def test_the_number_is_got_out_of_a_text() -> None:
    text = "Назначение;Сумма;Дата\nЛС 001-1002344 за воду;1.00;18.03.2026\nза воду;1.00;18.03.2026\n"
    lines, bad, _ = read_lines(
        table.FORMAT, text, columns={"number": "Назначение"}, number_mask=r"ЛС (\S+)", number_prefix="001-",
        number_min="7", number_max="7",
    )  # fmt: skip
    assert [line.number for line in lines] == ["1002344"]
    assert [each.reason for each in bad] == ["there is no client's number in this cell"]
    short = read_lines(
        table.FORMAT, text, columns={"number": "Назначение"}, number_mask=r"ЛС (\S+)", number_max="5"
    )[1]
    assert "has not as many characters" in short[0].reason


def test_money_without_a_number_is_nobodys_yet() -> None:
    text = "Лицевой счет;Сумма;Дата\n;1.00;18.03.2026\n"
    assert [line.number for line in read_lines(table.FORMAT, text)[0]] == [""]
    assert read_lines(table.FORMAT, text, number_needed="yes")[1][0].reason == "the number is missing"
    assert read_lines(table.FORMAT, text, number_needed="skip")[:2] == ([], [])


def test_another_currency_is_no_money_of_these_books() -> None:
    text = (
        "Лицевой счет;Сумма;Дата;Валюта\n1;1.00;18.03.2026;RUB\n2;2.00;18.03.2026;KZT\n3;3.00;18.03.2026;\n"
    )
    lines, bad, _ = read_lines(table.FORMAT, text)
    assert [line.number for line in lines] == ["1", "3"]
    assert bad[0].reason == "the line is in KZT, the books are in RUB"
