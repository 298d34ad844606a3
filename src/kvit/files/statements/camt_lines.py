"""camt: one payment (``TxDtls``, or an entry without any) -> a line.

Places are those of ``camt.place``: ``S`` statement, ``N`` entry, ``T`` payment, ``R`` structured reference.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kvit.domain.lines import IN, OUT, BadLine, MoneyLine
from kvit.files.guarded_xml import Record
from kvit.files.statements.kit import CURRENCY, bad, iso_day, known, minor, plain

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T+Z-].*)?")
_DIRECTIONS = {"CRDT": IN, "DBIT": OUT}
#: Statuses of what is money, and of what is none yet; an entry without a status is booked.
BOOKED = frozenset({"BOOK", ""})
OPEN = frozenset({"PDNG", "INFO", "FUTR"})
#: References of a payment that stay the same whenever it is told. Not among them: ``NtryRef`` and
#: ``Prtry``, where banks put running numbers of the statement.
_REFERENCES = (
    "AcctSvcrRef", "MsgId", "PmtInfId", "InstrId", "EndToEndId", "UETR", "TxId", "MndtId", "ChqNb",
    "ClrSysRef",
)  # fmt: skip
_REFERENCE_PLACES = tuple((name, f"T/Refs/{name}") for name in _REFERENCES)
_RETURN = ("T/RtrInf/Rsn/Cd", "T/RtrInf/Rsn/Prtry")
_UNIQUE = ("AcctSvcrRef", "UETR", "TxId")
#: Said where there is no reference, in any letter case.
_NO_REFERENCE = frozenset({"NOTPROVIDED", "NOTAVAILABLE"})
#: What else is kept of an entry and of a payment.
_MORE_OF_ENTRY = (
    ("kind", "N/BkTxCd/Domn/Fmly/SubFmlyCd", "N/BkTxCd/Prtry/Cd"),
    ("entry_reference", "N/NtryRef"),
    ("about_entry", "N/AddtlNtryInf"),
)
_MORE_OF_PART = (
    ("return_reason", "T/RtrInf/Rsn/Cd"),
    ("return_reason", "T/RtrInf/Rsn/Prtry"),
    ("ultimate_payer", "T/RltdPties/UltmtDbtr/Nm"),
    ("instructed", "T/AmtDtls/InstdAmt/Amt"),
    ("part", "T/Amt"),
    ("about", "T/AddtlTxInf"),
)
_QRR_CARRY = (0, 9, 4, 6, 8, 2, 7, 1, 3, 5)
_QRR_DIGITS = 27
_RF = re.compile(r"RF[0-9]{2}[0-9A-Z]{1,21}")


class Account(NamedTuple):
    """The biller's account that a statement is about; ``day``: when the bank made the statement."""

    number: str
    currency: str
    day: str


class Sum(NamedTuple):
    """What an entry, or a part of one, moves."""

    amount_minor: int
    currency: str
    direction: str


def amount_of(text: str, currency: str) -> int | None:
    """Minor units; these messages have a point before the fraction and nothing else."""
    return None if "," in text else minor(text, currency)


def day_of(text: str) -> str:
    """The ISO day of a date or a time, as the bank wrote it: its offset is not worked with."""
    found = _DAY.fullmatch(text)
    return iso_day(*found.groups()) if found else ""


def sum_of(record: Record, mark: str, account: Account) -> Sum | str:
    """The sum at ``mark`` (``N``, ``T`` or ``B``), or what is wrong with it."""
    text = record.first(f"{mark}/Amt")
    currency = record.first(f"{mark}/Amt@Ccy") or account.currency
    if not CURRENCY.fullmatch(currency):
        return f"{currency!r} is no currency code of three letters"
    amount_minor = amount_of(text, currency)
    if amount_minor is None:
        return f"{text!r} is no sum in {currency}" if text else "the sum is missing"
    said = record.first(f"{mark}/CdtDbtInd")
    direction = _DIRECTIONS.get(said, "")
    if not direction:
        return f"CdtDbtInd says {said!r} and not CRDT or DBIT"
    return Sum(amount_minor, currency, direction)


def part_sum(part: Record, entry: Sum, account: Account) -> Sum | str | None:
    """The sum of one payment of an entry that has several; ``None`` where it has none of its own.

    In the entry's currency where the bank tells it: ``Amt``, else the sum of the booking (``TxAmt``) or the
    countervalue.
    """
    direction = _DIRECTIONS.get(part.first("T/CdtDbtInd"), entry.direction)
    wrong: str | None = None
    other: Sum | None = None
    for place in ("T/Amt", "T/AmtDtls/TxAmt/Amt", "T/AmtDtls/CntrValAmt/Amt"):
        text = part.first(place)
        if not text:
            continue
        currency = part.first(f"{place}@Ccy") or account.currency
        amount_minor = amount_of(text, currency)
        if amount_minor is None:
            wrong = f"{text!r} is no sum in {currency}"
        elif currency == entry.currency:
            return Sum(amount_minor, currency, direction)
        elif other is None:
            other = Sum(amount_minor, currency, direction)
    return other or wrong


def charges_minor(record: Record, mark: str, currency: str) -> int:
    """All charges that a record names in ``currency``."""
    places = (f"{mark}/Chrgs/TtlChrgsAndTaxAmt", f"{mark}/Chrgs/Rcrd/Amt", f"{mark}/Chrgs/Amt")
    for place in places:
        texts, currencies = record.all(place), record.all(f"{place}@Ccy")
        if texts and len(texts) == len(currencies):
            sums = [
                minor(text, said) or 0
                for text, said in zip(texts, currencies, strict=True)
                if said == currency
            ]
            if sums:
                return sum(sums)
    return 0


def make_line(
    entry: Record, part: Record | None, references: list[Record], money: Sum, account: Account
) -> MoneyLine | BadLine:
    """The line of ``part``, or of an ``entry`` without parts, which moves ``money``."""
    head = part or entry
    ids = _ids(entry, part)
    booked = day_of(entry.first("N/BookgDt/Dt", "N/BookgDt/DtTm"))
    value = day_of(entry.first("N/ValDt/Dt", "N/ValDt/DtTm"))
    day = booked or value or account.day
    if not day:
        return bad(head.line, "neither the entry nor the statement has a date", head.shown())
    payer, payer_account = _other_side(part, money.direction)
    number, reference = _number(references)
    text = _text(entry, part, references)
    is_final = entry.first("N/Sts") in BOOKED
    is_reversal = entry.first("N/RvslInd") in {"true", "1"} or bool(
        part
        and (part.first("T/RtrInf/Rsn/Cd", "T/RtrInf/Rsn/Prtry", "T/RtrInf/AddtlInf", "T/RtrInf/OrgnlBkTxCd"))
    )
    # The day on which a notification was made tells lines apart only where nothing else does.
    day_known = booked or value or ("" if any(ids.get(name) for name in _UNIQUE) else day)
    known_by = known(
        account.number, money.direction, str(money.amount_minor), money.currency, day_known, value,
        "booked" if is_final else "open", "back" if is_reversal else "", payer, payer_account, reference,
        text, _further(part), *(f"{name}={said}" for name, said in ids.items()),
    )  # fmt: skip
    return MoneyLine(
        head.line, "", known_by, money.amount_minor, money.direction, day, "", number, payer, payer_account,
        text, money.currency, account.number, is_final=is_final, is_reversal=is_reversal,
        more=_more(entry, part, ids, reference, value),
    )  # fmt: skip


def _ids(entry: Record, part: Record | None) -> dict[str, str]:
    found: dict[str, str] = {}
    if part is not None:
        texts = part.texts
        for name, place in _REFERENCE_PLACES:
            if place in texts and texts[place][0].upper() not in _NO_REFERENCE:
                found[name] = texts[place][0]
    booking = entry.first("N/AcctSvcrRef")
    if booking and booking.upper() not in _NO_REFERENCE:
        found["entry"] = booking
    return found


def _other_side(part: Record | None, direction: str) -> tuple[str, str]:
    """Name and account of who paid; of money that went out, of who was paid."""
    if part is None:
        return "", ""
    side, last = ("Dbtr", "UltmtDbtr") if direction == IN else ("Cdtr", "UltmtCdtr")
    party = f"T/RltdPties/{side}"
    name = part.first(
        f"{party}/Nm", f"{party}/Agt/FinInstnId/Nm", f"T/RltdPties/{last}/Nm", f"T/RltdPties/{side}Acct/Nm"
    )
    held = f"T/RltdPties/{side}Acct/Id"
    account = part.first(f"{held}/IBAN", f"{held}/Othr/Id", f"{held}/PrtryAcct/Id", f"{held}/BBAN")
    return plain(name), "".join(account.split())


def _text(entry: Record, part: Record | None, references: list[Record]) -> str:
    texts: list[str] = []
    if part is not None:
        texts += part.all("T/RmtInf/Ustrd")
        for each in references:
            texts += each.all("R/AddtlRmtInf")
        texts = texts or part.all("T/AddtlTxInf")
    return plain(" ".join(texts or entry.all("N/AddtlNtryInf")))


def _further(part: Record | None) -> str:
    return " ".join(part.all("T/AddtlTxInf")) if part else ""


def _number(references: list[Record]) -> tuple[str, str]:
    """(the client's number, all references as written): no number where they differ."""
    every = (each.first("R/CdtrRefInf/Ref") for each in references)
    written = list(dict.fromkeys(filter(None, every)))
    if len(written) == 1:
        return client_number(written[0]), written[0]
    return "", " ".join(written)


def client_number(reference: str) -> str:
    """The client's number in a structured reference.

    A QRR (or ISR) of 27 digits: without check digit and leading zeros. An RF reference: what comes after
    ``RF`` and two digits. Anything else, and what its check digits do not fit, is the number itself.
    """
    bare = "".join(reference.split())
    if len(bare) == _QRR_DIGITS and bare.isascii() and bare.isdigit() and _fits_qrr(bare):
        return bare[:-1].lstrip("0") or bare
    folded = bare.upper()
    if _RF.fullmatch(folded) and _rest_97(folded[4:] + folded[:4]) == 1:
        return folded[4:]
    return plain(reference)


def _fits_qrr(digits: str) -> bool:
    carry = 0
    for digit in digits[:-1]:
        carry = _QRR_CARRY[(carry + int(digit)) % 10]
    return (10 - carry) % 10 == int(digits[-1])


def _rest_97(text: str) -> int:
    return int("".join(str(int(sign, 36)) for sign in text)) % 97


def _more(
    entry: Record, part: Record | None, ids: dict[str, str], reference: str, value: str
) -> tuple[tuple[str, str], ...]:
    found = [("reference", reference), ("value_day", value), ("status", entry.first("N/Sts")), *ids.items()]
    for name, *places in _MORE_OF_ENTRY:
        found.append((name, entry.first(*places)))
    if part is not None:
        texts = part.texts
        for name, place in _MORE_OF_PART:
            if place in texts:
                currency = part.first(f"{place}@Ccy")
                found.append((name, f"{plain(' '.join(texts[place]))} {currency}".rstrip()))
    return tuple([pair for pair in found if pair[1]])
