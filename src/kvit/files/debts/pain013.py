"""ISO 20022 pain.013, version 07: requests to pay, one debtor a block.

Source: the fact sheet's structure, read from the message definitions. A request is not money: "accepted" by
the debtor's bank books nothing, the payment comes by the statement. A request for nothing does not exist, so
changes cannot be told, and rows of nothing are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, timedelta
from hashlib import sha256
from xml.sax.saxutils import escape

from kvit.domain.debts import ATTRIBUTES, NAME, DebtSlice, RegisterHead, Replaced, Totals
from kvit.domain.file_terms import FULL, Pairs
from kvit.files.base import Option
from kvit.files.debts.base import DebtFormat, file_name_problem, name_values, put_in
from kvit.files.debts.fields import ATTRIBUTE, attribute
from kvit.files.debts.figures import printed_sums
from kvit.files.debts.letters import Letters

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.013.001.07"
ID_LENGTH_MAX = 35
NAME_LENGTH_MAX = 140

OPTIONS: Mapping[str, Option] = {
    "account": Option("The biller's account: an IBAN, or any other number."),
    "agent": Option("The biller's bank: its number in the clearing, or its BIC."),
    "debtor_agent": Option(
        "The payers' bank: the same for all, or attribute:HEADER, a column of the clients' file."
    ),
    "debtor_account": Option("The payers' accounts: attribute:HEADER; empty: not told."),
    "execution_days": Option("The day to pay on: so many days after the day of the books.", "0"),
    "expiry_days": Option(
        "A request lapses on the due day; where that is not known or past, so many days after the day of the"
        " books. 0: it never lapses.",
        "30",
    ),
    "amount_may_change": Option("The payer may pay another sum.", "off", ("on", "off")),
    "early": Option("The payer may pay before the day.", "on", ("on", "off")),
    "guaranteed": Option("The payment must be guaranteed.", "off", ("on", "off")),
    "reference": Option(
        "How the client's number is told: as a structured reference, as text, or by itself (RF: structured).",
        "auto",
        ("auto", "structured", "text"),
    ),
    "file_name": Option("The file's name.", "{agreement}_{number:06}_{date}.xml"),
}

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}")
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?")
_DAYS = re.compile(r"[0-9]{1,3}")


def _check(options: Mapping[str, str], _columns: Pairs) -> Mapping[str, str]:
    found = {}
    for name in ("execution_days", "expiry_days"):
        if not _DAYS.fullmatch(options[name]):
            found[f"options.{name}"] = "a number of days, 0 to 999"
    if options["debtor_account"] and not options["debtor_account"].startswith(ATTRIBUTE):
        found["options.debtor_account"] = f"must be {ATTRIBUTE}HEADER: every payer has an account of his own"
    reason = file_name_problem(options["file_name"])
    if reason:
        found["options.file_name"] = reason
    return found


class Pain013Writer:
    """Blocks of debtors; the head with count and sum comes last and stands first."""

    def __init__(self, head: RegisterHead) -> None:
        self.replaced = Replaced()
        self.notes: Sequence[str] = ()
        self._head = head
        self._options = head.options
        self._letters = Letters("utf-8", "", self.replaced)
        self._day = head.as_of.date()
        self._biller = self._plain(head.biller[:NAME_LENGTH_MAX])
        self._row_count = 0
        self._conditions = (
            f"<PmtCond><AmtModAllwd>{self._flag('amount_may_change')}</AmtModAllwd>"
            f"<EarlyPmtAllwd>{self._flag('early')}</EarlyPmtAllwd>"
            f"<GrntedPmtReqd>{self._flag('guaranteed')}</GrntedPmtReqd></PmtCond>"
        )
        self._creditor = (
            f"<CdtrAgt>{_agent(self._plain(self._options['agent']))}</CdtrAgt>"
            f"<Cdtr><Nm>{self._biller}</Nm></Cdtr>"
            f"<CdtrAcct>{_account(self._plain(self._options['account']))}</CdtrAcct>"
        )

    def rows(self, debts: DebtSlice) -> bytes:
        agents = self._of_each("debtor_agent", debts)
        accounts = self._of_each("debtor_account", debts)
        sums = printed_sums(debts.amounts_minor, self._head.exponent)
        names = self._letters.column(debts.names)
        blocks = []
        for at, number in enumerate(debts.numbers):
            self._row_count += 1
            document = self._plain(debts.documents[at])
            blocks.append(
                self._block(
                    number=self._plain(number),
                    document=document,
                    due_on=debts.due_on[at],
                    debtor=(
                        escape(names[at][:NAME_LENGTH_MAX]) or self._plain(number),
                        accounts[at],
                        agents[at],
                    ),
                    amount=sums[at],
                )
            )
        return "".join(blocks).encode()

    def head(self, totals: Totals) -> bytes:
        created = self._head.as_of.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()
        control = printed_sums([totals.sum_minor], self._head.exponent)[0]
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{NAMESPACE}">\n<CdtrPmtActvtnReq>\n'
            f"<GrpHdr><MsgId>{message_id(self._head)}</MsgId><CreDtTm>{created}Z</CreDtTm>"
            f"<NbOfTxs>{totals.row_count}</NbOfTxs><CtrlSum>{control}</CtrlSum>"
            f"<InitgPty><Nm>{self._biller}</Nm></InitgPty></GrpHdr>\n"
        ).encode()

    def foot(self, totals: Totals) -> bytes:
        if not totals.row_count:
            self.notes = ("A message without a request is not valid: do not send this register.",)
        return b"</CdtrPmtActvtnReq>\n</Document>\n"

    def _block(
        self, *, number: str, document: str, due_on: str, debtor: tuple[str, str, str], amount: str
    ) -> str:
        name, account, agent = debtor
        own_id = f"{self._head.number}-{self._row_count}"
        end_to_end = document or number
        pay_on = self._day + timedelta(days=int(self._options["execution_days"]))
        return (
            f"<PmtInf><PmtInfId>{own_id}</PmtInfId><PmtMtd>TRF</PmtMtd>"
            f"<ReqdExctnDt><Dt>{pay_on.isoformat()}</Dt></ReqdExctnDt>{self._expiry(pay_on, due_on)}"
            f"{self._conditions}<Dbtr><Nm>{name}</Nm></Dbtr>"
            + (f"<DbtrAcct>{_account(account)}</DbtrAcct>" if account else "")
            + f"<DbtrAgt>{_agent(agent)}</DbtrAgt>"
            f"<CdtTrfTx><PmtId><EndToEndId>{end_to_end if len(end_to_end) <= ID_LENGTH_MAX else own_id}"
            f'</EndToEndId></PmtId><Amt><InstdAmt Ccy="{self._head.currency}">{amount}</InstdAmt></Amt>'
            f"<ChrgBr>SLEV</ChrgBr>{self._creditor}<RmtInf>{self._reference(number)}</RmtInf>"
            "</CdtTrfTx></PmtInf>\n"
        )

    def _expiry(self, pay_on: date, due_on: str) -> str:
        days = int(self._options["expiry_days"])
        if not days:
            return ""
        until = (
            due_on
            if due_on > pay_on.isoformat()
            else max(self._day + timedelta(days=days), pay_on).isoformat()
        )
        return f"<XpryDt><Dt>{self._plain(until)}</Dt></XpryDt>"

    def _reference(self, number: str) -> str:
        wish = self._options["reference"]
        is_structured = wish == "structured" or (wish == "auto" and number.startswith("RF"))
        if is_structured and len(number) <= ID_LENGTH_MAX:
            kind = "<Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp>"
            return f"<Strd><CdtrRefInf>{kind}<Ref>{number}</Ref></CdtrRefInf></Strd>"
        return f"<Ustrd>{number}</Ustrd>"

    def _of_each(self, option: str, debts: DebtSlice) -> list[str]:
        """The option's value for each row: the same for all, or an attribute of the account."""
        value = self._options[option]
        if not value.startswith(ATTRIBUTE):
            return [self._plain(value)] * len(debts.keys)
        name = value.removeprefix(ATTRIBUTE)
        return [self._plain(attribute(text, name)) for text in debts.attributes]

    def _flag(self, option: str) -> str:
        return "true" if self._options[option] == "on" else "false"

    def _plain(self, text: str) -> str:
        return escape(text if self._letters.are_fine([text]) else self._letters.text(text))


def message_id(head: RegisterHead) -> str:
    """Unique for the biller: the agreement and the register's number."""
    whole = f"{head.agreement_id}-{head.number}"
    if len(whole) <= ID_LENGTH_MAX:
        return whole
    return f"{sha256(head.agreement_id.encode()).hexdigest()[:20]}-{head.number}"


def _account(number: str) -> str:
    if _IBAN.fullmatch(number):
        return f"<Id><IBAN>{number}</IBAN></Id>"
    return f"<Id><Othr><Id>{number}</Id></Othr></Id>"


def _agent(number: str) -> str:
    if _BIC.fullmatch(number):
        return f"<FinInstnId><BICFI>{number}</BICFI></FinInstnId>"
    return f"<FinInstnId><ClrSysMmbId><MmbId>{number}</MmbId></ClrSysMmbId></FinInstnId>"


def _details(options: Mapping[str, str], _columns: Pairs) -> frozenset[str]:
    has_own = any(options[name].startswith(ATTRIBUTE) for name in ("debtor_agent", "debtor_account"))
    return frozenset({NAME, ATTRIBUTES} if has_own else {NAME})


PAIN013 = DebtFormat(
    name="pain013",
    title="ISO 20022 request to pay (pain.013.001.07)",
    options=OPTIONS,
    open=Pain013Writer,
    file_name=lambda head: put_in(head.options["file_name"], name_values(head)),
    details=_details,
    check=_check,
    contents=(FULL,),
    only_positive=True,
    required=("account", "agent", "debtor_agent"),
)
