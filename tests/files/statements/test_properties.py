"""What holds for every format and any file: nothing is raised, lost or counted twice."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kvit.files.base import ReadOptions, source_of_bytes
from kvit.files.errors import FileRefused
from kvit.files.formats import FORMATS
from tests.files.statements.outcomes import Outcome, read
from tests.files.statements.writing import WRITERS, Paid, written

STATEMENTS = ("1c", "camt.052", "camt.053", "camt.054", "mt940", "ofx")
_TEXT = st.text("АБВгде ABCxyz0123456789.,/№", min_size=1, max_size=40).map(
    lambda text: " ".join(text.split()) or "X"
)
PAID = st.builds(
    Paid,
    day=st.integers(1, 28),
    amount_minor=st.integers(-10_000_00, 10_000_00).filter(bool),
    payer=_TEXT,
    text=_TEXT,
    reference=st.text("ABC0123456789", min_size=1, max_size=12),
)
#: Bytes that mean something to one of the readers, and bytes that do not.
_PIECES = st.sampled_from(
    [
        b"1CClientBankExchange\r\n", "СекцияДокумент=x\n".encode(), "КонецДокумента\n".encode(),
        "Сумма=1.00\nДатаПоступило=01.03.2026\n".encode("cp1251"), "КонецФайла".encode("cp866"), b":20:X\n",
        b":25:1\n", b":60F:C260301EUR1,00\n", b":61:2603010301C1,00NTRFNONREF\n", b":86:166?20SVWZ+x?3",
        b":86:/EREF/x/REMI/", b":62F:C260301EUR1,00\n-}", b"\n-\n", b"<OFX><STMTRS><CURDEF>EUR<STMTTRN>",
        b"<TRNAMT>1.00<DTPOSTED>20260301", b"</STMTTRN>", b"&#99999999;", b"<", b">", b"<TxDtls>",
        b"<Document><BkToCstmrStmt><Stmt>", b"<Acct><Id><IBAN>X</IBAN></Id></Acct>",
        b"<Ntry><Amt Ccy='EUR'>1</Amt><CdtDbtInd>CRDT</CdtDbtInd>", b"<BookgDt><Dt>2026-03-01</Dt></BookgDt>",
        b"</TxDtls></Ntry></Stmt></BkToCstmrStmt></Document>", b"<?xml?>", b"<!DOCTYPE a>", b"PK\x03\x04",
        b"\x1f\x8b", b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\r", b"\x1a", b"=",
    ]
)  # fmt: skip
ANY = st.one_of(
    st.binary(max_size=200), st.lists(st.one_of(_PIECES, st.binary(max_size=8)), max_size=25).map(b"".join)
)


@given(ANY)
@settings(max_examples=150)
@example(b"PK\x05\x06" + b"\0" * 18)
@example(b"\x1f\x8b\x08\0")
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for name in ("", *STATEMENTS):
        with suppress(FileRefused):
            outcome = read(data, name)
            assert all(line.amount_minor > 0 and line.known_by and line.day for line in outcome.lines)
            assert all(bad.reason for bad in outcome.bad)
            assert len(set(outcome.ids)) == len(outcome.lines)


@pytest.mark.parametrize("form", WRITERS)
@given(data=st.data())
@settings(max_examples=60)
def test_a_damaged_file_is_read_or_refused(form: str, data: st.DataObject) -> None:
    damaged = bytearray(written(form, [Paid(17, 1_500_00), Paid(18, -7_50, "BANK", "FEE", "R")]))
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=6)):
        damaged[place] = data.draw(st.integers(0, 255))
    with suppress(FileRefused):
        outcome = read(bytes(damaged), form)
        assert all(line.amount_minor > 0 for line in outcome.lines)


def _same(outcome: Outcome, whole: Outcome) -> bool:
    return outcome.ids == whole.ids and outcome.bad == []


@pytest.mark.parametrize("form", WRITERS)
@given(payments=st.lists(PAID, min_size=1, max_size=4), data=st.data())
@settings(max_examples=60)
def test_a_file_cut_anywhere_says_so_or_lacks_nothing(
    form: str, payments: list[Paid], data: st.DataObject
) -> None:
    whole = written(form, payments)
    expected = read(whole, form)
    assert expected.facts.problems == []
    cut = data.draw(st.integers(0, len(whole) - 1))
    try:
        outcome = read(whole[:cut], form)
    except FileRefused:
        return
    assert outcome.facts.problems or _same(outcome, expected)


@pytest.mark.parametrize("form", WRITERS)
def test_every_cut_of_one_file(form: str) -> None:
    whole = written(form, [Paid(17, 1_500_00), Paid(18, -7_50, "BANK", "FEE")])
    expected = read(whole, form)
    for cut in range(len(whole)):
        try:
            outcome = read(whole[:cut], form)
        except FileRefused:
            continue
        assert outcome.facts.problems or _same(outcome, expected), whole[cut - 20 : cut]


@pytest.mark.parametrize("form", WRITERS)
@given(payments=st.lists(PAID, max_size=12))
@settings(max_examples=40)
def test_all_of_a_file_is_read_and_read_again(form: str, payments: list[Paid]) -> None:
    ((_, reading),) = [
        (0, FORMATS[form].read(source_of_bytes(written(form, payments), "x"), ReadOptions("RUB")))
    ]
    first = [line for batch in reading.batches() for line in batch.lines]
    again = [line for batch in reading.batches() for line in batch.lines]
    assert first == again
    outcome = read(written(form, payments), form)
    assert outcome.moved == [paid.amount_minor for paid in payments]
    assert (outcome.bad, outcome.facts.problems) == ([], [])
    assert len(set(outcome.ids)) == len(payments)
    if payments:
        days = [f"2026-03-{paid.day:02}" for paid in payments]
        assert [line.day for line in outcome.lines] == days
        assert (outcome.facts.first_day, outcome.facts.last_day) == (min(days), max(days))


@pytest.mark.parametrize("form", WRITERS)
@given(
    payments=st.lists(PAID, min_size=1, max_size=10),
    twins=st.integers(0, 3),
    days=st.tuples(st.integers(1, 28), st.integers(1, 28)),
)
@settings(max_examples=40)
def test_overlapping_files_give_the_same_ids(
    form: str, payments: list[Paid], twins: int, days: tuple[int, int]
) -> None:
    payments = sorted(payments + payments[:1] * twins, key=lambda paid: paid.day)
    first, last = min(days), max(days)
    earlier = [paid for paid in payments if paid.day <= last]
    later = [paid for paid in payments if paid.day >= first]
    ids = {}
    for name, part in (("all", payments), ("earlier", earlier), ("later", later)):
        ids[name] = read(written(form, part), form).ids
    assert set(ids["earlier"]) | set(ids["later"]) == set(ids["all"])
    assert len(ids["all"]) == len(payments)
    shared = [paid for paid in payments if first <= paid.day <= last]
    assert len(set(ids["earlier"]) & set(ids["later"])) == len(shared)


@pytest.mark.parametrize("form", WRITERS)
@given(first=PAID, second=PAID)
@settings(max_examples=60)
def test_different_payments_are_known_by_different_texts(form: str, first: Paid, second: Paid) -> None:
    outcome = read(written(form, [first, second]), form)
    bare = [
        paid._replace(payer="".join(paid.payer.split()), text="".join(paid.text.split()))
        for paid in (first, second)
    ]
    one, other = (line.known_by for line in outcome.lines)
    assert (one == other) == (bare[0] == bare[1])
