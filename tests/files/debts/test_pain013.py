"""Requests to pay: held against the structure of the fact sheet, and its example value by value."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from kvit.domain.debts import RegisterHead
from kvit.domain.file_terms import CHANGES, DebtTerms
from kvit.files.debts.catalogue import debt_problems
from tests.files.debts.making import TWO, Debt, head_of, written
from tests.samples import sample

NS = "{urn:iso:std:iso:20022:tech:xsd:pain.013.001.07}"
SETTINGS = {"account": "7770001", "agent": "000000001", "debtor_agent": "000000000"}

#: Element -> what stands in it, in this order: (name, least, most), as the sheet has them. None: text.
STRUCTURE: dict[str, list[tuple[str, int, int]] | None] = {
    "Document": [("CdtrPmtActvtnReq", 1, 1)],
    "CdtrPmtActvtnReq": [("GrpHdr", 1, 1), ("PmtInf", 1, 10**9)],
    "GrpHdr": [("MsgId", 1, 1), ("CreDtTm", 1, 1), ("NbOfTxs", 1, 1), ("CtrlSum", 0, 1), ("InitgPty", 1, 1)],
    "PmtInf": [
        ("PmtInfId", 0, 1), ("PmtMtd", 1, 1), ("ReqdExctnDt", 1, 1), ("XpryDt", 0, 1), ("PmtCond", 0, 1),
        ("Dbtr", 1, 1), ("DbtrAcct", 0, 1), ("DbtrAgt", 1, 1), ("CdtTrfTx", 1, 10**9),
    ],
    "CdtTrfTx": [
        ("PmtId", 1, 1), ("Amt", 1, 1), ("ChrgBr", 1, 1), ("CdtrAgt", 1, 1), ("Cdtr", 1, 1),
        ("CdtrAcct", 0, 1), ("RmtInf", 0, 1), ("NclsdFile", 0, 10**9),
    ],
    "PmtCond": [("AmtModAllwd", 1, 1), ("EarlyPmtAllwd", 1, 1), ("DelyPnlty", 0, 1), ("ImdtPmtRbt", 0, 1),
                ("GrntedPmtReqd", 1, 1)],
    "ReqdExctnDt": [("Dt", 0, 1), ("DtTm", 0, 1)], "XpryDt": [("Dt", 0, 1), ("DtTm", 0, 1)],
    "PmtId": [("EndToEndId", 1, 1)], "Amt": [("InstdAmt", 1, 1)],
    "InitgPty": [("Nm", 0, 1)], "Dbtr": [("Nm", 0, 1)], "Cdtr": [("Nm", 0, 1)],
    "RmtInf": [("Ustrd", 0, 1), ("Strd", 0, 1)], "Strd": [("CdtrRefInf", 1, 1)],
    "CdtrRefInf": [("Tp", 0, 1), ("Ref", 0, 1)], "Tp": [("CdOrPrtry", 1, 1)], "CdOrPrtry": [("Cd", 1, 1)],
    "DbtrAcct": [("Id", 1, 1)], "CdtrAcct": [("Id", 1, 1)],
    "DbtrAgt": [("FinInstnId", 1, 1)], "CdtrAgt": [("FinInstnId", 1, 1)],
    "FinInstnId": [("BICFI", 0, 1), ("ClrSysMmbId", 0, 1)], "ClrSysMmbId": [("MmbId", 1, 1)],
}  # fmt: skip
IDS = ("MsgId", "PmtInfId", "EndToEndId", "Ref")


def holds(element: ET.Element) -> None:
    """The element is as the structure says: names, order, how many, ids short enough."""
    name = element.tag.removeprefix(NS)
    children = [child.tag.removeprefix(NS) for child in element]
    if name == "Id":  # of an account, or of another id inside it
        assert children in (["IBAN"], ["Othr"], []), children
    elif name == "Othr":
        assert children == ["Id"]
    elif name in STRUCTURE:
        known = STRUCTURE[name] or []
        places = {each: place for place, (each, _, _) in enumerate(known)}
        assert set(children) <= set(places), (name, children)
        assert [places[child] for child in children] == sorted(places[child] for child in children), (
            name,
            children,
        )
        for each, least, most in known:
            assert least <= children.count(each) <= most, (name, each)
    else:
        assert children == [], (name, children)
        assert element.text, name
        assert name not in IDS or len(element.text) <= 35
    for child in element:
        holds(child)


def values(root: ET.Element, path: str = "") -> list[tuple[str, str]]:
    """(path, text) of every element with a text, in order."""
    name = f"{path}/{root.tag.removeprefix(NS)}"
    own = [(name, root.text.strip())] if root.text and root.text.strip() else []
    return own + [pair for child in root for pair in values(child, name)]


def message(
    debts: list[Debt] | tuple[Debt, ...] = TWO, *, currency: str = "RUB", **options: str
) -> ET.Element:
    head = head_of("pain013", {**SETTINGS, **options}, currency=currency)
    return ET.fromstring(written(head, "pain013", debts)[0])  # noqa: S314 - our own bytes


def test_the_structure() -> None:
    root = message()
    holds(root)
    found = values(root)
    assert ("/Document/CdtrPmtActvtnReq/GrpHdr/NbOfTxs", "2") in found
    assert ("/Document/CdtrPmtActvtnReq/GrpHdr/CtrlSum", "2734.50") in found
    assert ("/Document/CdtrPmtActvtnReq/GrpHdr/CreDtTm", "2026-03-18T06:05:00Z") in found
    assert len(root.findall(f".//{NS}PmtInf")) == 2
    ends = [each.text for each in root.iter(f"{NS}EndToEndId")]
    assert ends == ["INV-000123", "INV-000124"]
    assert [each.text for each in root.iter(f"{NS}PmtInfId")] == ["1-1", "1-2"]
    assert {each.text for each in root.iter(f"{NS}Ustrd")} == {"1002344", "1002351"}


def test_the_sheets_example_but_for_our_own_ids() -> None:
    debt = Debt(
        "RF83100234", 15_000, "Test Client", document="INV-000123", due_on="2026-03-31",
        attributes='{"Account": "5550001"}',
    )  # fmt: skip
    head = head_of("pain013", SETTINGS, currency="USD", debtor_account="attribute:Account")
    head = RegisterHead(
        "RTP", 1, "Example Gym Ltd", "USD", 2, head.as_of, head.rows_kind, head.contents, head.options
    )
    ours = values(ET.fromstring(written(head, "pain013", [debt])[0]))  # noqa: S314
    theirs = values(ET.fromstring(sample("own-written/pain013-v07.xml").read_bytes()))  # noqa: S314
    assert [path for path, _ in ours] == [path for path, _ in theirs]
    own = ("MsgId", "PmtInfId", "CreDtTm")
    assert [pair for pair in ours if not pair[0].endswith(own)] == [
        pair for pair in theirs if not pair[0].endswith(own)
    ]


def test_names_and_accounts() -> None:
    debts = [Debt("1", 100, 'ТОО "Су & <Ко>"\n'), Debt("2", 100), Debt("3", 100, document="9" * 36)]
    root = message(debts, expiry_days="0", amount_may_change="on", reference="structured")
    holds(root)
    dbtr = [each.text for each in root.findall(f".//{NS}Dbtr/{NS}Nm")]
    assert dbtr == ['ТОО "Су & <Ко>" ', "2", "3"]
    assert not root.findall(f".//{NS}XpryDt")
    assert [each.text for each in root.iter(f"{NS}EndToEndId")] == ["1", "2", "1-3"]
    assert {each.text for each in root.iter(f"{NS}AmtModAllwd")} == {"true"}
    assert {each.text for each in root.iter(f"{NS}Cd")} == {"SCOR"}


def test_iban_bic_and_days() -> None:
    head = head_of(
        "pain013", account="CH4431999123000889012", agent="POFICHBE", debtor_agent="attribute:Bank",
        execution_days="2", expiry_days="10",
    )  # fmt: skip
    debts = [Debt("1", 100, due_on="2026-03-19", attributes='{"Bank": "POFICHBEXXX"}')]
    root = ET.fromstring(written(head, "pain013", debts)[0])  # noqa: S314
    holds(root)
    assert [each.text for each in root.iter(f"{NS}IBAN")] == ["CH4431999123000889012"]
    assert [each.text for each in root.iter(f"{NS}BICFI")] == ["POFICHBEXXX", "POFICHBE"]
    assert [each.text for each in root.iter(f"{NS}Dt")] == ["2026-03-20", "2026-03-28"], "the due day is past"


def test_an_empty_message_says_that_it_is_not_valid() -> None:
    _, writer = written(head_of("pain013", SETTINGS), "pain013", [])
    assert "do not send" in writer.notes[0]


def test_changes_cannot_be_told() -> None:
    terms = DebtTerms("pain013", contents=CHANGES, options=tuple(SETTINGS.items()))
    assert list(debt_problems(terms)) == ["contents"]
    assert list(debt_problems(DebtTerms("pain013"))) == [
        "options.account",
        "options.agent",
        "options.debtor_agent",
    ]


@pytest.mark.parametrize(("agreement", "length"), [("bank", 6), ("a" * 40, 22)])
def test_message_ids_are_short(agreement: str, length: int) -> None:
    head = head_of("pain013", SETTINGS)
    named = RegisterHead(
        agreement, 7, head.biller, "RUB", 2, head.as_of, head.rows_kind, head.contents, head.options
    )
    (found,) = ET.fromstring(written(named, "pain013")[0]).iter(f"{NS}MsgId")  # noqa: S314
    assert len(found.text or "") == length
