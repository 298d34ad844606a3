"""OFX 1.x and 2.x: the example of the description, and what banks make of it."""

from __future__ import annotations

import pytest

from kvit.domain.lines import IN, OUT
from tests.files.statements.outcomes import Outcome, read

HEAD = """OFXHEADER:100
DATA:OFXSGML
VERSION:102
SECURITY:NONE
ENCODING:USASCII
CHARSET:1252
COMPRESSION:NONE
OLDFILEUID:NONE
NEWFILEUID:NONE

"""
BODY = """<OFX>
<SIGNONMSGSRSV1><SONRS><STATUS><CODE>0<SEVERITY>INFO</STATUS><DTSERVER>20260319060000<LANGUAGE>ENG</SONRS></SIGNONMSGSRSV1>
<BANKMSGSRSV1><STMTTRNRS><TRNUID>0<STATUS><CODE>0<SEVERITY>INFO</STATUS>
<STMTRS><CURDEF>USD<BANKACCTFROM><BANKID>000000000<ACCTID>1234567<ACCTTYPE>CHECKING</BANKACCTFROM>
<BANKTRANLIST><DTSTART>20260318<DTEND>20260318
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260318120000<TRNAMT>150.00<FITID>20260318-1<NAME>TEST CLIENT<MEMO>ACC 1002344</STMTTRN>
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20260318120000<TRNAMT>150.00<FITID>20260318-2<NAME>TEST CLIENT<MEMO>ACC 1002344</STMTTRN>
</BANKTRANLIST>
<LEDGERBAL><BALAMT>300.00<DTASOF>20260318235959</LEDGERBAL>
</STMTRS></STMTTRNRS></BANKMSGSRSV1>
</OFX>
"""  # noqa: E501 - as a bank sends it
EXAMPLE = HEAD + BODY
PAYMENT = "<TRNTYPE>CREDIT<DTPOSTED>20260318<TRNAMT>150.00<FITID>1"


def one(payment: str = PAYMENT, head: str = "", codec: str = "utf-8") -> Outcome:
    """A statement of one payment."""
    text = (
        f"{head}<OFX><STMTRS><CURDEF>USD<BANKACCTFROM><ACCTID>1234567</BANKACCTFROM><BANKTRANLIST>\n"
        f"<STMTTRN>{payment}</STMTTRN></BANKTRANLIST></STMTRS></OFX>"
    )
    return read(text.encode(codec))


def test_the_example_of_the_description() -> None:
    outcome = read(EXAMPLE.replace("\n", "\r\n").encode())
    assert outcome.moved == [15_000, 15_000]
    for line in outcome.lines:
        assert (line.direction, line.currency, line.day) == (IN, "USD", "2026-03-18")
        assert (line.payer, line.text, line.own_account) == ("TEST CLIENT", "ACC 1002344", "1234567")
        assert (line.key, line.number) == ("", "")
    assert [line.line for line in outcome.lines] == [16, 17]
    assert ("FITID", "20260318-2") in outcome.lines[1].more
    assert len(set(outcome.ids)) == 2
    facts = outcome.facts
    assert (facts.format, facts.opening_minor, facts.closing_minor) == ("ofx", None, 30_000)
    assert (facts.own_account, facts.problems, facts.notes) == ("1234567", [], [])


def test_closed_leaves_read_alike() -> None:
    closed = BODY
    for tag in ("TRNTYPE", "DTPOSTED", "TRNAMT", "FITID", "NAME", "MEMO", "CURDEF", "ACCTID", "BALAMT"):
        closed = "\n".join(
            piece if f"<{tag}>" not in piece else _closed(piece, tag) for piece in closed.split("\n")
        )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<?OFX OFXHEADER="200" VERSION="211" SECURITY="NONE"?>\n'
        + closed
    )
    older, newer = read(EXAMPLE.encode()), read(xml.encode())
    assert [line.known_by for line in newer.lines] == [line.known_by for line in older.lines]
    assert newer.facts.closing_minor == 30_000


def _closed(piece: str, tag: str) -> str:
    before, _, rest = piece.partition(f"<{tag}>")
    said, mark, after = rest.partition("<")
    return f"{before}<{tag}>{said}</{tag}>{mark}{after}"


@pytest.mark.parametrize(
    ("written", "moved"),
    [
        ("150.00", 15_000),
        ("+150", 15_000),
        ("-150,00", -15_000),
        ("-150.5", -15_050),
        ("-.50", -50),
        (" 7 ", 700),
    ],
)
def test_sums(written: str, moved: int) -> None:
    assert one(PAYMENT.replace("150.00", written)).moved == [moved]


@pytest.mark.parametrize("written", ["", "1,500.00", "150.005", "1e2", "--5", "(5)", "15O"])
def test_what_is_no_sum_is_a_bad_line(written: str) -> None:
    outcome = one(PAYMENT.replace("150.00", written))
    assert outcome.lines == []
    assert "sum" in outcome.bad[0].reason
    assert "<FITID>1" in outcome.bad[0].raw


@pytest.mark.parametrize(
    "written",
    ["20260318", "202603182359", "20260318235959", "20260318235959.123", "20260318000000[-3:GMT]",
     "20260318233000.000[+5:ALMT]", "20260318235959[-8:PST]"],
)  # fmt: skip
def test_the_day_is_the_one_the_bank_writes(written: str) -> None:
    assert one(PAYMENT.replace("20260318", written)).only.day == "2026-03-18"


@pytest.mark.parametrize("written", ["", "20260231", "2026-03-18", "18.03.2026", "2026031"])
def test_what_is_no_day_is_a_bad_line(written: str) -> None:
    outcome = one(PAYMENT.replace("20260318", written))
    assert outcome.lines == []
    assert "day" in outcome.bad[0].reason


def test_when_the_payer_paid() -> None:
    assert one(f"{PAYMENT}<DTUSER>20260317101112[+5:ALMT]").only.at == "2026-03-17T10:11:12"
    assert one(f"{PAYMENT}<DTUSER>20260317").only.at == ""


class TestIdentity:
    """FITID is neither unique nor stable: it counts together with sum, day and all the rest."""

    def test_the_same_id_with_another_sum_is_another_payment(self) -> None:
        fee = PAYMENT.replace("150.00", "-1.50")
        assert one(fee).only.known_by != one().only.known_by

    @pytest.mark.parametrize(
        "more", ["<NAME>X", "<MEMO>X", "<CHECKNUM>5", "<REFNUM>5", "<PAYEE><NAME>X</PAYEE>",
                 "<BANKACCTTO><BANKID>1<ACCTID>77</BANKACCTTO>"],
    )  # fmt: skip
    def test_what_tells_payments_apart(self, more: str) -> None:
        assert one(PAYMENT + more).only.known_by != one().only.known_by

    def test_another_id(self) -> None:
        assert one(PAYMENT.replace("FITID>1", "FITID>2")).only.known_by != one().only.known_by

    def test_all_the_same_twice_is_two_payments(self) -> None:
        outcome = read(EXAMPLE.replace("20260318-2", "20260318-1").encode())
        assert outcome.lines[0].known_by == outcome.lines[1].known_by
        assert len(set(outcome.ids)) == 2


class TestStrayFiles:
    def test_several_lists_in_one_statement(self) -> None:
        text = EXAMPLE.replace("<STMTTRN>", "</BANKTRANLIST><BANKTRANLIST><DTSTART>20260318<STMTTRN>")
        assert read(text.encode()).moved == [15_000, 15_000]

    def test_no_header(self) -> None:
        assert read(BODY.encode()).moved == [15_000, 15_000]

    def test_payments_that_are_not_closed(self) -> None:
        outcome = read(EXAMPLE.replace("</STMTTRN>", "").encode())
        assert (outcome.moved, outcome.facts.problems) == ([15_000, 15_000], [])

    def test_small_letters_and_prefixes(self) -> None:
        text = EXAMPLE.replace("<STMTTRN>", "<stmttrn>").replace("<TRNAMT>", "<bank:TrnAmt>")
        assert read(text.encode()).moved == [15_000, 15_000]

    @pytest.mark.parametrize(
        ("written", "text"),
        [("AT&T", "AT&T"), ("AT&amp;T", "AT&T"), ("A &lt; B", "A < B"), ("A < B", "A < B"),
         ("1 & 2; 3", "1 & 2; 3"), ("&#1050;", "К"), ("&eacute;", "é"), ("&nosuch;", "&nosuch;")],
    )  # fmt: skip
    def test_entities_and_marks_in_texts(self, written: str, text: str) -> None:
        assert one(f"{PAYMENT}<MEMO>{written}").only.text == text

    def test_entities_of_a_document_type_mean_nothing(self) -> None:
        head = '<!DOCTYPE x [<!ENTITY a "AAAAAAAAAA"><!ENTITY b SYSTEM "file:///etc/passwd">]>\n'
        assert one(f"{PAYMENT}<MEMO>&a;&b;", head).only.text == "&a;&b;"

    @pytest.mark.parametrize(
        ("charset", "codec"), [("1252", "cp1252"), ("1251", "cp1251"), ("NONE", "utf-8")]
    )
    def test_letters(self, charset: str, codec: str) -> None:
        name = "Оплата" if codec == "cp1251" else "Zoë"
        assert one(f"{PAYMENT}<MEMO>{name}", f"CHARSET:{charset}\n", codec).only.text == name

    def test_a_card_is_an_account(self) -> None:
        text = EXAMPLE.replace("STMTRS>", "CCSTMTRS>").replace("BANKACCTFROM", "CCACCTFROM")
        assert read(text.encode()).facts.own_account == "1234567"

    def test_two_accounts(self) -> None:
        second = BODY.replace("1234567", "7654321").replace("<OFX>", "")
        outcome = read((HEAD + BODY.replace("</OFX>", "") + second).encode())
        assert [line.own_account for line in outcome.lines] == ["1234567", "1234567", "7654321", "7654321"]
        assert (outcome.facts.own_account, outcome.facts.closing_minor) == ("", None)

    def test_a_sum_in_another_currency_is_not_taken(self) -> None:
        outcome = one(f"{PAYMENT}<CURRENCY><CURRATE>1.1<CURSYM>EUR</CURRENCY>")
        assert "another currency" in outcome.bad[0].reason

    def test_money_out(self) -> None:
        line = one(PAYMENT.replace("150.00", "-150.00") + "<NAME>SHOP").only
        assert (line.direction, line.payer) == (OUT, "SHOP")

    def test_a_file_that_breaks_off(self) -> None:
        outcome = read(EXAMPLE[: EXAMPLE.index("<FITID>20260318-2")].encode())
        assert outcome.moved == [15_000]
        assert "breaks off" in outcome.bad[0].reason
        assert "</OFX>" in outcome.facts.problems[0]

    def test_tags_cut_by_the_blocks_that_a_file_is_read_in(self) -> None:
        pad = "x" * 65_500
        for shift in range(0, 160, 7):
            payment = f"{PAYMENT}<NAME>{pad}{'y' * shift}<MEMO>A < B"
            outcome = one(payment)
            assert (outcome.moved, outcome.only.text) == ([15_000], "A < B")
