"""MT940 and MT942: the example of the description, and the dialects of banks."""

from __future__ import annotations

import pytest

from kvit.domain.lines import IN, OUT
from tests.files.statements.outcomes import Outcome, read

EXAMPLE = """{1:F01EXMPCHZZAXXX0000000000}{2:O9400000260318EXMPCHZZAXXX00000000002603180000N}{4:
:20:STMT20260318
:25:DE89370400440532013000
:28C:77/1
:60F:C260317EUR1000,00
:61:2603180318C150,00NTRFINV-000123//B26031800017
GUTSCHRIFT
:86:166?00SEPA-GUTSCHRIFT?20EREF+NOTPROVIDED?21SVWZ+KD 1002344?32TEST KLIENT
:61:2603180318C150,NTRFNONREF//B26031800018
:86:KD 1002344 TEST KLIENT
:61:2603180318D2,5NCHGNONREF
:86:FEE
:62F:C260318EUR1297,50
-}
"""


def one(entry: str, closing: str = "") -> Outcome:
    """A statement of one entry, which is 150,00 in unless ``closing`` says otherwise."""
    text = f":20:S\n:25:DE89370400440532013000\n:28C:1\n:60F:C260317EUR1000,00\n{entry}\n"
    return read(f"{text}:62F:{closing or 'C260318EUR1150,00'}\n-\n".encode())


def details(text: str) -> Outcome:
    """The same with a ``:86:``."""
    return one(f":61:2603180318C150,00NTRFNONREF\n:86:{text}")


def test_the_example_of_the_description() -> None:
    outcome = read(EXAMPLE.replace("\n", "\r\n").encode())
    assert outcome.moved == [15_000, 15_000, -250]
    first, second, fee = outcome.lines
    assert (first.direction, first.day, first.currency) == (IN, "2026-03-18", "EUR")
    assert (first.payer, first.text) == ("TEST KLIENT", "KD 1002344")
    # What the library alone would lose:
    assert ("reference", "INV-000123") in first.more
    assert ("bank_reference", "B26031800017") in first.more
    assert ("about", "GUTSCHRIFT") in first.more
    assert (second.text, second.payer) == ("KD 1002344 TEST KLIENT", "")
    assert not any(name == "reference" for name, _ in second.more)
    assert (fee.direction, fee.text) == (OUT, "FEE")
    assert [line.line for line in outcome.lines] == [6, 9, 11]
    assert [(line.key, line.number, line.own_account) for line in outcome.lines] == [
        ("", "", "DE89370400440532013000")
    ] * 3
    facts = outcome.facts
    assert (facts.format, facts.currency, facts.own_account) == ("mt940", "EUR", "DE89370400440532013000")
    assert (facts.opening_minor, facts.closing_minor) == (100_000, 129_750)
    assert (facts.problems, facts.notes) == ([], [])


@pytest.mark.parametrize(
    ("mark", "direction", "is_reversal", "is_final"),
    [("C", IN, False, True), ("D", OUT, False, True), ("RC", OUT, True, True), ("RD", IN, True, True),
     ("CR", IN, False, True), ("DR", OUT, False, True), ("EC", IN, False, False), ("ED", OUT, False, False)],
)  # fmt: skip
def test_marks(mark: str, direction: str, is_reversal: bool, is_final: bool) -> None:
    closing = 1000 + (0 if not is_final else 150 if direction == IN else -150)
    outcome = one(f":61:2603180318{mark}150,00NTRFNONREF", f"C260318EUR{closing},00")
    line = outcome.only
    assert (line.direction, line.is_reversal, line.is_final) == (direction, is_reversal, is_final)
    assert outcome.facts.problems == []


@pytest.mark.parametrize("written", ["150,", "150", "150,0", "150,00", "000000000150,00"])
def test_sums_end_as_they_like(written: str) -> None:
    assert one(f":61:2603180318C{written}NTRFNONREF").only.amount_minor == 15_000


@pytest.mark.parametrize(
    "entry",
    [":61:2603180318C150,005NTRF", ":61:2603180318C,NTRF", ":61:2613180318C150,00NTRF", ":61:X", ":61:"],
)
def test_what_is_no_entry_is_a_bad_line(entry: str) -> None:
    outcome = one(f"{entry}\n:86:about")
    assert outcome.lines == []
    (bad,) = outcome.bad
    assert (bad.line, bad.raw) == (5, f"{entry}\n:86:about")
    # What cannot be read is not there for the balances; that alone is no sign of a torn file.
    assert outcome.facts.problems == []
    assert "1 lines of it could not be read" in outcome.facts.notes[0]


@pytest.mark.parametrize(
    ("dates", "day", "value"),
    [
        ("2603180319", "2026-03-19", "2026-03-18"),
        ("260318", "2026-03-18", "2026-03-18"),
        ("260318    ", "2026-03-18", "2026-03-18"),
        ("2512310102", "2026-01-02", "2025-12-31"),
        ("2601021231", "2025-12-31", "2026-01-02"),
        ("1602300301", "2016-03-01", "2016-02-29"),
        ("2604310431", "2026-04-30", "2026-04-30"),
    ],
)
def test_days(dates: str, day: str, value: str) -> None:
    line = one(f":61:{dates}C150,00NTRFNONREF").only
    assert line.day == day
    assert ("value_day", value) in line.more


class TestDetails:
    def test_a_mark_wrapped_over_two_lines(self) -> None:
        line = details("166?00GUTSCHRIFT?20SVWZ+KD 100\n2344?3\n2TEST KLI\nENT").only
        assert (line.text, line.payer) == ("KD 1002344", "TEST KLIENT")

    @pytest.mark.parametrize("mark", ["~", "<", "^", ">", "@"])
    def test_other_marks_of_sub_fields(self, mark: str) -> None:
        text = "166?00GUT?20SVWZ+KD 1002344?31DE021203?32TEST?33KLIENT".replace("?", mark)
        line = details(text).only
        assert (line.text, line.payer, line.payer_account) == ("KD 1002344", "TESTKLIENT", "DE021203")

    def test_references_of_the_payer(self) -> None:
        line = details("166?20EREF+E-1?21KREF+K-1?22MREF+M-1?23SVWZ+Text").only
        assert line.text == "Text"
        assert {("end_to_end", "E-1"), ("customer_reference", "K-1"), ("mandate", "M-1")} <= set(line.more)

    def test_sub_fields_without_a_purpose_keep_their_text(self) -> None:
        assert "KD 1002344" in details("166?00GUTSCHRIFT?20CRED+X KD 1002344").only.text

    def test_slash_codes(self) -> None:
        line = details("/EREF/E-1/ORDP//NAME/TEST KLIENT/REMI/KD 1002344").only
        assert (line.text, line.payer) == ("KD 1002344", "TEST KLIENT")
        assert ("EREF", "E-1") in line.more

    def test_polish_labels(self) -> None:
        line = details(
            "911 TRANSAKCJA; Z RACH.: \n56114010810000267002001001; OD: JAN NOWAK \nUL. NIJAKA; "
            "TYT.: KD 1002344 ; \nTNR: 179171073864111.010001"
        ).only
        assert (line.payer, line.payer_account) == ("JAN NOWAK UL. NIJAKA", "56114010810000267002001001")
        assert line.text == "KD 1002344"
        assert ("tnr", "179171073864111.010001") in line.more

    def test_free_text_over_several_lines(self) -> None:
        full = "X" * 61 + "1002"
        assert details(f"{full}\n344 FOR MARCH\nAND MAY").only.text == f"{full}344 FOR MARCH AND MAY"

    @pytest.mark.parametrize("odd", [":12:11 o'clock", ":37 Folgenr.", "-12,50 EUR", "-", "- of March"])
    def test_lines_that_look_like_marks_are_text(self, odd: str) -> None:
        outcome = details(f"KD 1002344\n{odd}\nEND")
        assert outcome.only.text == f"KD 1002344 {odd} END"
        assert outcome.facts.problems == []

    @pytest.mark.parametrize(
        "entry", [":61:2603180318C150,00NTRFNONREF", ":61:2603180318C150,00NTRFNONREF\n:86:"]
    )
    def test_no_details(self, entry: str) -> None:
        assert one(entry).only.text == ""

    def test_details_of_the_statement_are_not_the_last_entrys(self) -> None:
        text = EXAMPLE.replace("-}", ":86:CLOSED FOR THE DAY\n-}")
        outcome = read(text.encode())
        assert outcome.lines[2].text == "FEE"
        assert outcome.moved == [15_000, 15_000, -250]

    def test_the_extension_stands_in_for_details(self) -> None:
        line = one(":61:2603180318C150,00NTRFNONREF\n:NS:01KD 1002344\n02MARCH").only
        assert line.text == "01KD 1002344 02MARCH"

    def test_long_references_and_an_account_below_the_entry(self) -> None:
        line = one(
            ":61:2603180318C150,00NTRFBIPI-dvT1FzfMqvzF5HaU4oetlH7//2026031816391534\nNL70ABNA0987654321"
        ).only
        assert ("bank_reference", "2026031816391534") in line.more
        assert line.payer_account == "NL70ABNA0987654321"


class TestBalances:
    def test_they_do_not_fit(self) -> None:
        (problem,) = read(EXAMPLE.replace("1297,50", "1297,60").encode()).facts.problems
        assert "1297.50 EUR, the file says 1297.60 EUR" in problem

    def test_below_zero(self) -> None:
        facts = one(":61:2603180318D1150,00NTRF", "D260318EUR150,00").facts
        assert (facts.problems, facts.closing_minor) == ([], -15_000)

    def test_a_balance_without_its_currency(self) -> None:
        facts = one(":61:2603180318C150,00NTRF", "C2603181150,00").facts
        assert (facts.problems, facts.closing_minor, facts.currency) == ([], 115_000, "EUR")

    def test_a_balance_in_another_currency(self) -> None:
        assert (
            "in USD, the statement in EUR"
            in one(":61:2603180318C150,00NTRF", "C260318USD1150,00").facts.problems[0]
        )

    @pytest.mark.parametrize("closing", ["X", "C260318EUR", "C260318EURx", "C260318eur1150,00"])
    def test_a_balance_that_is_none(self, closing: str) -> None:
        assert "cannot be read" in one(":61:2603180318C150,00NTRF", closing).facts.problems[0]

    def test_pages_of_one_statement(self) -> None:
        pages = EXAMPLE.replace("62F", "62M").replace("-}\n", "-}\n") + (
            ":20:STMT20260318\n:25:DE89370400440532013000\n:28C:77/2\n:60M:C260318EUR1297,50\n"
            ":61:2603180318C150,NTRFNONREF//B26031800018\n:86:KD 1002344 TEST KLIENT\n"
            ":62F:C260318EUR1447,50\n-"
        )
        outcome = read(pages.encode())
        assert (outcome.facts.opening_minor, outcome.facts.closing_minor) == (100_000, 144_750)
        assert outcome.facts.problems == []
        # The same line on the next page is another payment; where it stands does not tell it from others.
        assert outcome.lines[3].known_by == outcome.lines[1].known_by
        assert len(set(outcome.ids)) == 4

    def test_statements_of_several_accounts(self) -> None:
        text = EXAMPLE + EXAMPLE.replace("DE89370400440532013000", "12345678/1020304050")
        outcome = read(text.encode())
        assert {line.own_account for line in outcome.lines} == {
            "DE89370400440532013000",
            "12345678/1020304050",
        }
        assert (outcome.facts.own_account, outcome.facts.opening_minor) == ("", None)
        assert outcome.facts.problems == []

    def test_an_account_with_its_currency_behind_it(self) -> None:
        text = EXAMPLE.replace("DE89370400440532013000", "70011110/4005287001EUR")
        assert read(text.encode()).facts.own_account == "70011110/4005287001"

    def test_without_a_closing_balance(self) -> None:
        outcome = read(EXAMPLE[: EXAMPLE.index(":62F")].encode())
        assert outcome.moved == [15_000, 15_000, -250]
        assert "has no closing balance" in outcome.facts.problems[0]


class TestWithinTheDay:
    TEXT = (
        ":20:ST\n:25:PL29114010810000267002001002\n:28C:1/1\n:34F:PLN0,\n:13D:1701191815+0100\n"
        ":61:1701190119CN0,01NTRFNONREF//MB1\n:86:A\n:61:1701190119CN0,02NTRFNONREF//MB2\n:86:B\n"
        ":90D:0PLN0,00\n:90C:2PLN0,03\n-\n"
    )

    def test_totals_instead_of_balances(self) -> None:
        outcome = read(self.TEXT.encode())
        assert (outcome.moved, outcome.facts.currency, outcome.facts.problems) == ([1, 2], "PLN", [])
        assert "MT942" in outcome.facts.notes[0]

    @pytest.mark.parametrize(
        ("before", "after"), [("2PLN0,03", "2PLN0,04"), ("2PLN", "3PLN"), ("0PLN0,00", "1PLN7,00")]
    )
    def test_totals_that_do_not_hold(self, before: str, after: str) -> None:
        assert len(read(self.TEXT.replace(before, after).encode()).facts.problems) == 1

    def test_totals_cannot_hold_without_a_line_that_cannot_be_read(self) -> None:
        outcome = read(self.TEXT.replace("CN0,02N", "XN0,02N").encode())
        assert (outcome.moved, len(outcome.bad), outcome.facts.problems) == ([1], 1, [])
        assert ":90C:" in outcome.facts.notes[-1]


@pytest.mark.parametrize("codec", ["cp1252", "cp1251", "utf-8", "utf-8-sig"])
def test_letters(codec: str) -> None:
    name = "Плательщик" if codec == "cp1251" else "Empfänger"
    text = EXAMPLE.replace(
        "{1:F01EXMPCHZZAXXX0000000000}{2:O9400000260318EXMPCHZZAXXX00000000002603180000N}{4:\n", ""
    )
    assert (
        read(text.replace("KD 1002344 TEST", f"{name} TEST").encode(codec)).lines[1].text
        == f"{name} TEST KLIENT"
    )
    assert (
        read(text.replace("KD 1002344 TEST", "Łódź").encode("cp852"), encoding="cp852")
        .lines[1]
        .text.startswith("Łódź")
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [("2603180318C150,N", "2603190318C150,N"), ("2603180318C150,N", "2603180319C150,N"), ("150,N", "151,N"),
     ("B26031800018", "B26031800019"), ("KD 1002344 TEST", "KD 1002345 TEST"), ("C150,N", "RD150,N")],
)  # fmt: skip
def test_what_tells_entries_apart(before: str, after: str) -> None:
    assert before in EXAMPLE
    changed = read(EXAMPLE.replace(before, after).encode()).lines[1]
    assert changed.known_by != read(EXAMPLE.encode()).lines[1].known_by


def test_numbers_of_the_statement_and_wrapping_do_not() -> None:
    whole = read(EXAMPLE.encode())
    other = (
        EXAMPLE.replace("STMT20260318", "OTHER")
        .replace("77/1", "78/2")
        .replace("TEST KLIENT\n", "TEST \nKLIENT\n")
    )
    assert [line.known_by for line in read(other.encode()).lines] == [line.known_by for line in whole.lines]
