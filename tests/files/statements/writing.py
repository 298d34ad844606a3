"""Statements of every format made of the same payments, for tests that compare files with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol
from xml.sax.saxutils import escape


class Paid(NamedTuple):
    """One payment: a day of March 2026, minor units (below zero: money out), who, and what for."""

    day: int
    amount_minor: int
    payer: str = "TEST KLIENT"
    text: str = "KD 1002344"
    reference: str = ""


class Collected(Protocol):
    """Payments that may be walked several times: a list, or something that makes them anew."""

    def __iter__(self) -> Iterator[Paid]: ...


def _sum(amount_minor: int, mark: str = ".") -> str:
    return f"{abs(amount_minor) // 100}{mark}{abs(amount_minor) % 100:02}"


def _net(payments: Collected) -> int:
    return sum(paid.amount_minor for paid in payments)


def onec(payments: Collected, opening: int = 100_000_00) -> Iterator[str]:
    """1CClientBankExchange 1.03, without an encoding's name."""
    came = sum(paid.amount_minor for paid in payments if paid.amount_minor > 0)
    went = came - _net(payments)
    yield "1CClientBankExchange\r\nВерсияФормата=1.03\r\nДатаНачала=01.03.2026\r\nДатаКонца=31.03.2026\r\n"
    yield "РасчСчет=40702810000000000001\r\nСекцияРасчСчет\r\n"
    yield "ДатаНачала=01.03.2026\r\nДатаКонца=31.03.2026\r\nРасчСчет=40702810000000000001\r\n"
    yield f"НачальныйОстаток={_sum(opening)}\r\nВсегоПоступило={_sum(came)}\r\n"
    yield f"ВсегоСписано={_sum(went)}\r\nКонечныйОстаток={_sum(opening + came - went)}\r\nКонецРасчСчет\r\n"
    for paid in payments:
        ours, theirs = "40702810000000000001", "40817810000000000009"
        payer, payee, booked = (
            (theirs, ours, "ДатаПоступило") if paid.amount_minor > 0 else (ours, theirs, "ДатаСписано")
        )
        name = "Плательщик1" if paid.amount_minor > 0 else "Получатель1"
        yield (
            f"СекцияДокумент=Платежное поручение\r\nНомер={paid.reference}\r\nДата={paid.day:02}.03.2026\r\n"
            f"Сумма={_sum(paid.amount_minor)}\r\nПлательщикСчет={payer}\r\n{name}={paid.payer}\r\n"
            f"ПолучательСчет={payee}\r\n{booked}={paid.day:02}.03.2026\r\nНазначениеПлатежа={paid.text}\r\n"
            "КонецДокумента\r\n"
        )
    yield "КонецФайла\r\n"


def camt(payments: Collected, opening: int = 100_000_00) -> Iterator[str]:
    """camt.053, version 8: an entry a payment."""
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>\n'
        "<Stmt><Id>S-1</Id><Acct><Id><IBAN>CH4431999123000889012</IBAN></Id></Acct>\n"
    )
    for kind, balance in (("OPBD", opening), ("CLBD", opening + _net(payments))):
        yield (
            f"<Bal><Tp><CdOrPrtry><Cd>{kind}</Cd></CdOrPrtry></Tp><Amt Ccy='CHF'>{_sum(balance)}</Amt>"
            f"<CdtDbtInd>{'CRDT' if balance >= 0 else 'DBIT'}</CdtDbtInd></Bal>\n"
        )
    for paid in payments:
        mark, side = ("CRDT", "Dbtr") if paid.amount_minor > 0 else ("DBIT", "Cdtr")
        yield (
            f"<Ntry><Amt Ccy='CHF'>{_sum(paid.amount_minor)}</Amt><CdtDbtInd>{mark}</CdtDbtInd>"
            f"<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-03-{paid.day:02}</Dt></BookgDt>\n"
            f"<NtryDtls><TxDtls><Refs><EndToEndId>{escape(paid.reference)}</EndToEndId></Refs>"
            f"<RltdPties><{side}><Pty><Nm>{escape(paid.payer)}</Nm></Pty></{side}></RltdPties>"
            f"<RmtInf><Ustrd>{escape(paid.text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n"
        )
    yield "</Stmt></BkToCstmrStmt></Document>\n"


def mt940(payments: Collected, opening: int = 100_000_00) -> Iterator[str]:
    """MT940 with the German ``:86:``."""
    closing = opening + _net(payments)
    yield ":20:STMT\r\n:25:DE89370400440532013000\r\n:28C:77/1\r\n"
    yield f":60F:{'C' if opening >= 0 else 'D'}260228EUR{_sum(opening, ',')}\r\n"
    for paid in payments:
        mark = "C" if paid.amount_minor > 0 else "D"
        yield (
            f":61:2603{paid.day:02}03{paid.day:02}{mark}{_sum(paid.amount_minor, ',')}NTRF"
            f"{paid.reference[:16] or 'NONREF'}\r\n:86:166?00GUTSCHRIFT?20SVWZ+{paid.text}?32{paid.payer}\r\n"
        )
    yield f":62F:{'C' if closing >= 0 else 'D'}260331EUR{_sum(closing, ',')}\r\n-\r\n"


def ofx(payments: Collected, opening: int = 100_000_00) -> Iterator[str]:
    """OFX 1.02."""
    yield "OFXHEADER:100\r\nDATA:OFXSGML\r\nVERSION:102\r\n\r\n<OFX>\r\n<BANKMSGSRSV1><STMTTRNRS>\r\n"
    yield "<STMTRS><CURDEF>USD<BANKACCTFROM><BANKID>0<ACCTID>1234567</BANKACCTFROM>\r\n<BANKTRANLIST>\r\n"
    for paid in payments:
        sign = "" if paid.amount_minor > 0 else "-"
        yield (
            f"<STMTTRN><TRNTYPE>XFER<DTPOSTED>202603{paid.day:02}<TRNAMT>{sign}{_sum(paid.amount_minor)}"
            f"<FITID>{escape(paid.reference)}<NAME>{escape(paid.payer)}<MEMO>{escape(paid.text)}</STMTTRN>\r\n"
        )
    balance = opening + _net(payments)
    yield f"</BANKTRANLIST><LEDGERBAL><BALAMT>{'-' if balance < 0 else ''}{_sum(balance)}</LEDGERBAL>\r\n"
    yield "</STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>\r\n"


WRITERS: dict[str, Callable[[Collected], Iterator[str]]] = {
    "1c": onec,
    "camt.053": camt,
    "mt940": mt940,
    "ofx": ofx,
}


def written(form: str, payments: Collected) -> bytes:
    """A whole file, in UTF-8."""
    return "".join(WRITERS[form](payments)).encode()
