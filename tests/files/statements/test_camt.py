"""camt.052, camt.053 and camt.054: the example of the message, the versions' shapes, and the odd sides."""

from __future__ import annotations

import pytest

from kvit.domain.lines import IN, OUT, MoneyLine
from kvit.files.errors import FileRefused
from kvit.files.statements.camt_lines import client_number
from tests.files.statements.outcomes import Outcome, read

#: One booking, two payments of the same client and sum.
BATCH = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.054.001.08">
 <BkToCstmrDbtCdtNtfctn>
  <GrpHdr><MsgId>N20260318-1</MsgId><CreDtTm>2026-03-18T18:00:00+01:00</CreDtTm></GrpHdr>
  <Ntfctn><Id>N20260318-1-CH44</Id><CreDtTm>2026-03-18T18:00:00+01:00</CreDtTm>
   <Acct><Id><IBAN>CH4431999123000889012</IBAN></Id></Acct>
   <Ntry>
    <NtryRef>CH4431999123000889012</NtryRef><Amt Ccy="CHF">300.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>false</RvslInd>
    <Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-03-18</Dt></BookgDt><ValDt><Dt>2026-03-18</Dt></ValDt>
    <AcctSvcrRef>20260318CH0001</AcctSvcrRef>
    <BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>VCOM</SubFmlyCd></Fmly></Domn></BkTxCd>
    <NtryDtls><Btch><NbOfTxs>2</NbOfTxs></Btch>
     <TxDtls><Refs><AcctSvcrRef>20260318CH0001-1</AcctSvcrRef><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
      <Amt Ccy="CHF">150.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>
      <RltdPties><Dbtr><Pty><Nm>Test Klient</Nm></Pty></Dbtr></RltdPties>
      <RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Prtry>QRR</Prtry></CdOrPrtry></Tp><Ref>000000000000000000001002344</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>
     <TxDtls><Refs><AcctSvcrRef>20260318CH0001-2</AcctSvcrRef><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
      <Amt Ccy="CHF">150.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>
      <RltdPties><Dbtr><Pty><Nm>Test Klient</Nm></Pty></Dbtr></RltdPties>
      <RmtInf><Strd><CdtrRefInf><Tp><CdOrPrtry><Prtry>QRR</Prtry></CdOrPrtry></Tp><Ref>000000000000000000001002344</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>
    </NtryDtls>
   </Ntry>
  </Ntfctn>
 </BkToCstmrDbtCdtNtfctn>
</Document>
"""  # noqa: E501 - as a bank sends it
PARTS = BATCH[BATCH.index("<NtryDtls>") : BATCH.index("</NtryDtls>") + len("</NtryDtls>")]


def entry(inside: str = "", *, amount: str = "150.00", mark: str = "CRDT", status: str = "BOOK") -> str:
    """One entry; ``inside`` comes before its end."""
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{mark}</CdtDbtInd><Sts><Cd>{status}</Cd></Sts>'
        f"<BookgDt><Dt>2026-03-18</Dt></BookgDt>{inside}</Ntry>\n"
    )


def part(inside: str = "", amount: str = "", currency: str = "EUR") -> str:
    """One payment of an entry."""
    own = f'<Amt Ccy="{currency}">{amount}</Amt>' if amount else ""
    return f"<TxDtls>{own}{inside}</TxDtls>\n"


def details(*parts: str) -> str:
    return f"<NtryDtls>{''.join(parts)}</NtryDtls>"


def balance(kind: str, amount: str, mark: str = "CRDT", currency: str = "EUR") -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount}</Amt>'
        f"<CdtDbtInd>{mark}</CdtDbtInd><Dt><Dt>2026-03-18</Dt></Dt></Bal>\n"
    )


def statement(*inside: str, account: str = "<IBAN>DE89370400440532013000</IBAN>") -> str:
    return f"<Stmt><Id>1</Id><Acct><Id>{account}</Id></Acct>\n{''.join(inside)}</Stmt>\n"


def message(*statements: str, declared: str = "UTF-8") -> str:
    return (
        f'<?xml version="1.0" encoding="{declared}"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>M</MsgId></GrpHdr>{''.join(statements)}</BkToCstmrStmt></Document>"
    )


def one(inside: str = "", **how: str) -> Outcome:
    """A statement with one entry."""
    return read(message(statement(entry(inside, **how))).encode())


def test_one_booking_of_two_equal_payments() -> None:
    outcome = read(BATCH.encode())
    assert outcome.moved == [15_000, 15_000]
    for line in outcome.lines:
        assert (line.direction, line.currency, line.day, line.payer) == (
            IN,
            "CHF",
            "2026-03-18",
            "Test Klient",
        )
        assert (line.number, line.key) == ("100234", "")
        assert ("reference", "000000000000000000001002344") in line.more
        assert (line.own_account, line.is_final, line.is_reversal) == ("CH4431999123000889012", True, False)
    assert [line.line for line in outcome.lines] == [13, 17]
    assert len(set(outcome.ids)) == 2
    facts = outcome.facts
    assert (facts.format, facts.encoding, facts.currency) == ("camt.054", "utf-8", "CHF")
    assert (facts.problems, facts.notes) == ([], [])


def test_the_same_payments_without_references_of_their_own_are_still_two() -> None:
    bare = BATCH.replace("<AcctSvcrRef>20260318CH0001-1</AcctSvcrRef>", "")
    bare = bare.replace("<AcctSvcrRef>20260318CH0001-2</AcctSvcrRef>", "")
    outcome = read(bare.encode())
    assert outcome.lines[0].known_by == outcome.lines[1].known_by
    assert len(set(outcome.ids)) == 2


def _old(text: str, version: str) -> str:
    """The same message as older versions write it."""
    text = text.replace("001.08", f"001.{version}").replace("<Cd>BOOK</Cd>", "BOOK")
    text = text.replace("<Pty>", "").replace("</Pty>", "")
    if version == "01":
        text = text.replace("<NtryDtls>", "").replace("</NtryDtls>", "")
        text = text.replace("<NtryRef>CH4431999123000889012</NtryRef>", "").replace(
            "Ntfctn>", "NtfctnV01>", 0
        )
    return text


@pytest.mark.parametrize("version", ["01", "02", "03", "04", "06"])
def test_older_versions_read_alike(version: str) -> None:
    newer, older = read(BATCH.encode()), read(_old(BATCH, version).encode())
    assert [line.known_by for line in older.lines] == [line.known_by for line in newer.lines]


@pytest.mark.parametrize("version", ["07", "08", "09", "10", "11", "12"])
def test_newer_versions_and_prefixes_read_alike(version: str) -> None:
    text = BATCH.replace("001.08", f"001.{version}").replace("<", "<x:").replace("<x:/", "</x:")
    text = text.replace("<x:?xml", "<?xml").replace("xmlns=", "xmlns:x=")
    assert [line.known_by for line in read(text.encode()).lines] == [
        line.known_by for line in read(BATCH.encode()).lines
    ]


@pytest.mark.parametrize(
    ("root", "inner", "form"),
    [("BkToCstmrAcctRpt", "Rpt", "camt.052"), ("BkToCstmrStmt", "Stmt", "camt.053"),
     ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "camt.054"), ("BkToCstmrStmtV01", "Stmt", "camt.053")],
)  # fmt: skip
def test_the_three_messages(root: str, inner: str, form: str) -> None:
    text = message(statement(entry())).replace("BkToCstmrStmt", root).replace("Stmt>", f"{inner}>")
    text = text.replace(f"BkToCstmr{inner}>", f"{root}>") if root.endswith("V01") else text
    outcome = read(text.encode())
    assert (outcome.facts.format, outcome.moved) == (form, [15_000])


def test_a_message_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(FileRefused, match=r"no camt\.054 message"):
        read(message(statement(entry())).encode(), "camt.054")


class TestSums:
    def test_an_entry_without_payments_is_itself_the_line(self) -> None:
        line = one("<AddtlNtryInf>Deposit  KD 1002344</AddtlNtryInf>").only
        assert (line.amount_minor, line.text, line.line) == (15_000, "Deposit KD 1002344", 3)

    def test_the_only_payment_needs_no_sum(self) -> None:
        assert one(details(part("<Refs><EndToEndId>E</EndToEndId></Refs>"))).only.amount_minor == 15_000

    def test_one_of_several_does(self) -> None:
        outcome = one(details(part(amount="100.00"), part()))
        assert outcome.moved == [10_000]
        assert "150.00 EUR has no sum" in outcome.bad[0].reason
        assert (outcome.bad[0].line, outcome.facts.problems) == (4, [])

    @pytest.mark.parametrize(
        ("written", "minor"), [("150", 15_000), ("150.5", 15_050), ("150.50000", 15_050)]
    )
    def test_up_to_five_decimals(self, written: str, minor: int) -> None:
        assert one(amount=written).only.amount_minor == minor

    @pytest.mark.parametrize("written", ["150.505", "1,50", "-150.00", "1e2", "", "١٥٠", "9" * 17])
    def test_what_is_no_sum_is_a_bad_line(self, written: str) -> None:
        outcome = one(amount=written)
        assert outcome.lines == []
        assert "sum" in outcome.bad[0].reason

    def test_currencies_have_their_own_decimals(self) -> None:
        text = message(statement(entry(amount="150.5"))).replace('Ccy="EUR"', 'Ccy="JPY"')
        assert read(text.encode()).lines == []
        line = read(message(statement(entry(amount="150"))).replace('"EUR"', '"JPY"').encode()).only
        assert (line.amount_minor, line.currency) == (150, "JPY")
        assert read(message(statement(entry())).replace('"EUR"', '"978"').encode()).bad

    def test_parts_that_make_another_sum(self) -> None:
        outcome = one(details(part(amount="100.00"), part(amount="40.00")))
        assert outcome.moved == [10_000, 4_000]
        assert "payments of 140.00 in all" in outcome.facts.problems[0]

    def test_charges_explain_a_difference(self) -> None:
        charges = '<Chrgs><TtlChrgsAndTaxAmt Ccy="EUR">0.50</TtlChrgsAndTaxAmt></Chrgs>'
        outcome = one(details(part(amount="100.50"), part(charges, amount="50.00")))
        assert (outcome.moved, outcome.facts.problems) == ([10_050, 5_000], [])
        outcome = one(details(part(charges, amount="150.50")))
        assert (outcome.moved, outcome.facts.problems) == ([15_000], [])

    def test_the_only_payment_of_another_sum_is_what_was_booked(self) -> None:
        outcome = one(details(part(amount="149.00")))
        assert outcome.moved == [15_000]
        assert ("part", "149.00 EUR") in outcome.only.more
        assert outcome.facts.problems

    def test_the_booking_is_in_the_accounts_currency(self) -> None:
        line = one(details(part(amount="99.00", currency="USD"))).only
        assert (line.amount_minor, line.currency) == (15_000, "EUR")
        in_euro = '<AmtDtls><TxAmt><Amt Ccy="EUR">75.00</Amt></TxAmt></AmtDtls>'
        outcome = one(details(*[part(in_euro, amount="99.00", currency="USD")] * 2))
        assert (outcome.moved, outcome.facts.problems) == ([7_500, 7_500], [])
        counter = '<AmtDtls><CntrValAmt><Amt Ccy="EUR">75.00</Amt></CntrValAmt></AmtDtls>'
        assert one(details(*[part(counter, amount="99.00", currency="USD")] * 2)).moved == [7_500, 7_500]

    def test_parts_in_another_currency_keep_it(self) -> None:
        outcome = one(details(*[part(amount="99.00", currency="USD")] * 2))
        assert [line.currency for line in outcome.lines] == ["USD", "USD"]
        assert (outcome.facts.currency, outcome.facts.problems) == ("", [])

    def test_parts_may_go_both_ways(self) -> None:
        back = "<CdtDbtInd>DBIT</CdtDbtInd>"
        outcome = one(details(part(amount="160.00"), part(back, amount="10.00")))
        assert (outcome.moved, outcome.facts.problems) == ([16_000, -1_000], [])

    def test_a_batch_says_how_many(self) -> None:
        outcome = one(f"<NtryDtls><Btch><NbOfTxs>3</NbOfTxs></Btch>{part(amount='75.00') * 2}</NtryDtls>")
        assert "should hold 3 payments and holds 2" in outcome.facts.problems[0]

    def test_lines_of_zero_are_no_money(self) -> None:
        outcome = one(amount="0.00")
        assert (outcome.lines, outcome.bad) == ([], [])
        assert "1 lines of zero" in outcome.facts.notes[0]


class TestWhatItIs:
    @pytest.mark.parametrize("status", ["PDNG", "INFO", "FUTR"])
    def test_what_is_not_booked_is_not_final(self, status: str) -> None:
        line = one(status=status).only
        assert not line.is_final
        assert line.known_by != one().only.known_by

    def test_a_reversal_goes_the_other_way(self) -> None:
        line = one("<RvslInd>true</RvslInd>", mark="DBIT").only
        assert (line.direction, line.is_reversal, line.is_final) == (OUT, True, True)
        assert not one("<RvslInd>false</RvslInd>").only.is_reversal

    def test_a_return_is_a_reversal(self) -> None:
        line = one(details(part("<RtrInf><Rsn><Cd>AC06</Cd></Rsn></RtrInf>")), mark="DBIT").only
        assert line.is_reversal
        assert ("return_reason", "AC06") in line.more

    def test_a_status_that_nobody_knows_is_for_a_person(self) -> None:
        assert "status 'XXXX'" in one(status="XXXX").bad[0].reason
        assert one().only == read(
            message(statement(entry())).replace("<Sts><Cd>BOOK</Cd></Sts>", "").encode()
        ).only._replace(more=one().only.more)

    def test_a_mark_that_is_none(self) -> None:
        assert "CRDT or DBIT" in one(mark="C").bad[0].reason

    def test_the_other_side(self) -> None:
        parties = (
            "<RltdPties><Dbtr><Pty><Nm>Payer</Nm></Pty></Dbtr>"
            "<DbtrAcct><Id><IBAN>DE02 1203 0000</IBAN></Id></DbtrAcct>"
            "<Cdtr><Pty><Nm>Payee</Nm></Pty></Cdtr><CdtrAcct><Id><Othr><Id>77</Id></Othr></Id></CdtrAcct></RltdPties>"
        )
        came, went = one(details(part(parties))).only, one(details(part(parties)), mark="DBIT").only
        assert (came.payer, came.payer_account) == ("Payer", "DE0212030000")
        assert (went.payer, went.payer_account) == ("Payee", "77")
        bank = "<RltdPties><Dbtr><Agt><FinInstnId><Nm>Bank</Nm></FinInstnId></Agt></Dbtr></RltdPties>"
        assert one(details(part(bank))).only.payer == "Bank"

    def test_texts_in_several_elements_are_joined(self) -> None:
        line = one(details(part("<RmtInf><Ustrd>KD 1002</Ustrd><Ustrd>344</Ustrd></RmtInf>"))).only
        assert line.text == "KD 1002 344"
        assert one(details(part("<AddtlTxInf>KD 5</AddtlTxInf>"))).only.text == "KD 5"


class TestDays:
    def day(self, written: str) -> str:
        text = message(statement(entry())).replace("<BookgDt><Dt>2026-03-18</Dt></BookgDt>", written)
        return read(text.encode()).only.day

    def test_a_time_has_a_day_too(self) -> None:
        assert self.day("<BookgDt><DtTm>2026-03-18T23:30:00+05:00</DtTm></BookgDt>") == "2026-03-18"
        assert self.day("<BookgDt><Dt>2026-03-18Z</Dt></BookgDt>") == "2026-03-18"

    def test_the_value_date_where_there_is_no_other(self) -> None:
        assert self.day("<ValDt><Dt>2026-03-19</Dt></ValDt>") == "2026-03-19"

    def test_a_notification_without_dates_has_the_day_it_was_made(self) -> None:
        bare = BATCH.replace("<BookgDt><Dt>2026-03-18</Dt></BookgDt><ValDt><Dt>2026-03-18</Dt></ValDt>", "")
        first, again = read(bare.encode()), read(bare.replace("03-18T18", "03-19T18").encode())
        assert [line.day for line in again.lines] == ["2026-03-19"] * 2
        assert again.ids == first.ids  # their references tell them apart
        nameless = bare.replace("AcctSvcrRef>", "NtryRef>")
        later = nameless.replace("03-18T18", "03-19T18")
        assert read(nameless.encode()).ids != read(later.encode()).ids

    def test_no_day_at_all(self) -> None:
        text = message(statement(entry())).replace("<BookgDt><Dt>2026-03-18</Dt></BookgDt>", "")
        assert "has a date" in read(text.encode()).bad[0].reason


class TestReferences:
    @pytest.mark.parametrize(
        ("reference", "number"),
        [
            ("000000000000000000001002344", "100234"),
            ("210000000003139471430009017", "21000000000313947143000901"),
            ("00 00000 00000 00000 00010 02344", "100234"),
            ("000000000000000000001002345", "000000000000000000001002345"),  # the check digit does not fit
            ("RF18539007547034", "539007547034"),
            ("rf83 1002 34", "100234"),
            ("RF84100234", "RF84100234"),
            ("4654654654654654", "4654654654654654"),
            ("ISR ref  number", "ISR ref number"),
            ("000000000000000000000000000", "000000000000000000000000000"),
        ],
    )
    def test_the_clients_number_in_a_reference(self, reference: str, number: str) -> None:
        assert client_number(reference) == number

    def with_references(self, *references: str) -> MoneyLine:
        strd = "".join(f"<Strd><CdtrRefInf><Ref>{each}</Ref></CdtrRefInf></Strd>" for each in references)
        return one(details(part(f"<RmtInf>{strd}</RmtInf>"))).only

    def test_the_same_reference_twice_is_one(self) -> None:
        assert self.with_references("RF83100234", "RF83100234").number == "100234"

    def test_two_references_are_no_number(self) -> None:
        line = self.with_references("RF83100234", "RF18539007547034")
        assert line.number == ""
        assert ("reference", "RF83100234 RF18539007547034") in line.more

    @pytest.mark.parametrize("said", ["NOTPROVIDED", "NotProvided", "notavailable"])
    def test_no_reference_is_no_reference(self, said: str) -> None:
        named = one(details(part(f"<Refs><EndToEndId>{said}</EndToEndId></Refs>"))).only
        assert named.known_by == one(details(part())).only.known_by

    @pytest.mark.parametrize(
        "inside",
        [
            "<Refs><EndToEndId>E</EndToEndId></Refs>", "<Refs><UETR>255ae394</UETR></Refs>",
            "<Refs><TxId>T</TxId></Refs>", "<RmtInf><Ustrd>x</Ustrd></RmtInf>", "<AddtlTxInf>x</AddtlTxInf>",
            "<RltdPties><Dbtr><Nm>x</Nm></Dbtr></RltdPties>",
            "<RmtInf><Strd><CdtrRefInf><Ref>7</Ref></CdtrRefInf></Strd></RmtInf>",
        ],
    )  # fmt: skip
    def test_what_tells_payments_apart(self, inside: str) -> None:
        assert one(details(part(inside))).only.known_by != one(details(part())).only.known_by

    def test_running_numbers_of_the_statement_do_not(self) -> None:
        plain = one(details(part())).only.known_by
        assert one("<NtryRef>7</NtryRef>" + details(part())).only.known_by == plain
        prtry = "<Refs><Prtry><Tp>LegalSequenceNumber</Tp><Ref>100</Ref></Prtry></Refs>"
        assert one(details(part(prtry))).only.known_by == plain
        moved = message(statement(entry(details(part(amount="7.00")), amount="7.00"), entry(details(part()))))
        assert read(moved.encode()).lines[1].known_by == plain


class TestBalances:
    def test_they_fit(self) -> None:
        text = message(
            statement(
                balance("OPBD", "100"), balance("CLBD", "247.50"), entry(), entry(amount="2.50", mark="DBIT")
            )
        )
        facts = read(text.encode()).facts
        assert (facts.opening_minor, facts.closing_minor, facts.problems) == (10_000, 24_750, [])

    def test_they_do_not(self) -> None:
        facts = read(
            message(statement(balance("OPBD", "100"), balance("CLBD", "247.50"), entry())).encode()
        ).facts
        assert "250.00 EUR, the file says 247.50 EUR" in facts.problems[0]

    def test_what_is_pending_does_not_count(self) -> None:
        text = message(statement(balance("OPBD", "100"), balance("CLBD", "100"), entry(status="PDNG")))
        assert read(text.encode()).facts.problems == []

    def test_the_closing_of_the_day_before_is_an_opening(self) -> None:
        text = message(statement(balance("PRCD", "1", "DBIT"), balance("CLBD", "149"), entry()))
        facts = read(text.encode()).facts
        assert (facts.opening_minor, facts.closing_minor, facts.problems) == (-100, 14_900, [])

    def test_balances_in_other_currencies_are_left(self) -> None:
        text = message(statement(balance("OPBD", "100"), balance("CLBD", "1", currency="USD"), entry()))
        facts = read(text.encode()).facts
        assert (facts.opening_minor, facts.closing_minor, facts.problems) == (10_000, None, [])
        assert "USD" in facts.notes[0]

    def test_statements_one_after_another(self) -> None:
        days = [statement(balance("OPBD", "0"), balance("CLBD", "150"), entry()),
                statement(balance("OPBD", "150"), balance("CLBD", "300"), entry())]  # fmt: skip
        facts = read(message(*days).encode()).facts
        assert (facts.opening_minor, facts.closing_minor, facts.problems) == (0, 30_000, [])
        outcome = read(
            message(days[0], statement(balance("OPBD", "7"), balance("CLBD", "157"), entry())).encode()
        )
        assert (outcome.facts.opening_minor, outcome.facts.closing_minor) == (None, None)
        assert "lacks" in outcome.facts.notes[0]

    def test_two_accounts(self) -> None:
        outcome = read(
            message(statement(entry()), statement(entry(), account="<Othr><Id>77</Id></Othr>")).encode()
        )
        assert [line.own_account for line in outcome.lines] == ["DE89370400440532013000", "77"]
        assert outcome.facts.own_account == ""

    def test_an_account_is_missing(self) -> None:
        outcome = read(message(statement(entry(), account="")).encode())
        assert "does not name its account" in outcome.facts.problems[0]

    def test_one_page_of_several(self) -> None:
        pages = "<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>"
        assert "page" in read(message(statement(pages, entry())).encode()).facts.notes[0]


class TestBytes:
    @pytest.mark.parametrize("codec", ["utf-8", "utf-16", "iso-8859-1", "windows-1251", "utf-8-sig"])
    def test_the_declared_encoding_is_honoured(self, codec: str) -> None:
        name = "Müller" if codec == "iso-8859-1" else "Мюллер"
        text = message(
            statement(entry(f"<AddtlNtryInf>{name}</AddtlNtryInf>")), declared=codec.removesuffix("-sig")
        )
        outcome = read(text.encode(codec))
        assert outcome.only.text == name
        assert outcome.facts.encoding == codec.removesuffix("-sig")

    def test_a_named_encoding_is_used_whatever_is_declared(self) -> None:
        text = message(statement(entry("<AddtlNtryInf>Мюллер</AddtlNtryInf>")))
        outcome = read(text.encode("cp1251"), encoding="cp1251")
        assert (outcome.only.text, outcome.facts.encoding) == ("Мюллер", "cp1251")
        assert read(text.encode("cp1251")).facts.problems  # neither UTF-8 nor silently less

    def test_what_the_schema_does_not_know_is_passed_over(self) -> None:
        outcome = read(
            message(statement("<Wrap><Ntry/></Wrap>", entry("<New><Thing>1</Thing></New>"))).encode()
        )
        assert outcome.moved == [15_000]

    def test_a_file_that_breaks_off(self) -> None:
        whole = message(statement(entry(), entry(amount="7.00")))
        outcome = read(whole[: whole.index("7.00")].encode())
        assert outcome.moved == [15_000]
        assert "breaks off" in outcome.facts.problems[0]

    def test_no_statement_in_it(self) -> None:
        with pytest.raises(FileRefused, match="no camt"):
            read(message().encode())
