"""Lines of an agent's payment register: which payments they confirm, and which they are news of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from kvit.domain.file_rows import CONFIRMED, IN_SUSPENSE, POSTED_LINE
from kvit.domain.lines import MoneyLine
from kvit.domain.messages import Post
from kvit.domain.model import VOIDED, Agreement
from kvit.services.intake.checks import quarantined
from kvit.services.intake.matching import plain_number
from kvit.services.intake.ports import Booked, IntakeBook, Unconfirmed
from kvit.services.intake.words import CONFIRMS, NEW, SUSPENDED, TWIN, Decided, Item

#: The bank's operating day may be a day before or after the payment's.
DAYS_OFF_MAX = 1


@dataclass(slots=True)
class RegisterSource:
    """One agreement's registers, during one file."""

    agreement: Agreement
    #: Receipts that lines of this file confirm: of the slices before, and of this one.
    _taken: set[int] = field(default_factory=set)
    _taking: set[int] = field(default_factory=set)
    #: Lines with an id that is not in the books, beside payments that look just like them: see ``decide``.
    _put_off: list[Item] = field(default_factory=list)
    _putting_off: list[Item] = field(default_factory=list)
    _is_last: bool = False

    def begin(self) -> None:
        self._taking.clear()
        self._putting_off.clear()

    def keep(self) -> None:
        self._taken |= self._taking
        self._put_off += self._putting_off
        self.begin()

    def last(self) -> list[Item]:
        self._is_last = True
        return self._put_off

    @property
    def source(self) -> str:
        return self.agreement.agreement_id

    def amount_minor(self, line: MoneyLine) -> int | None:
        """What the client is credited; ``None`` where the file does not tell what is paid out."""
        terms = self.agreement.files.register
        return line.net_minor if terms is not None and terms.amount == "net" else line.amount_minor

    def numbers(self, items: Sequence[Item]) -> set[str]:
        """All account numbers that the lines may mean."""
        lines = [item.line for item in items if isinstance(item.line, MoneyLine)]
        return {line.number for line in lines} | {plain_number(line.number) for line in lines} - {""}

    def decide(self, book: IntakeBook, items: Sequence[Item], generations: dict[str, int]) -> list[Decided]:
        """What becomes of readable lines that are new here.

        A line whose id is that of a payment confirms it. One without an id confirms a payment of the same
        account and sum, one day off at most, which no other line has confirmed. One with an id that is
        not in the books is put off to the end where such a payment is there: should no other line claim that,
        it is most likely the same payment under another id, and a person has to say so.
        """
        if generations:
            txns = [txn_of(item.key, generations.get(item.key, 0)) for item in items]
        else:
            txns = [item.key for item in items]
        booked = book.booked(self.source, txns)
        decided: list[Decided] = []
        rest: list[Item] = []
        for item, txn in zip(items, txns, strict=True):
            payment = booked.get(txn)
            if payment is None:
                rest.append(item)
            else:
                decided.append(self._against(item, payment))
        return decided + self._unbooked(book, rest, generations) if rest else decided

    def _unbooked(
        self, book: IntakeBook, items: Sequence[Item], generations: dict[str, int]
    ) -> list[Decided]:
        agreement, numbers = self.agreement, self.numbers(items)
        known = numbers if agreement.by_invoice else book.existing(numbers)
        pool = _Pool(self._unconfirmed(book, items, known), self._taken, self._taking)
        decided: list[Decided] = []
        for item in items:
            line = item.line
            assert isinstance(line, MoneyLine)
            number = line.number if line.number in known else plain_number(line.number)
            near = pool.find(number, self.amount_minor(line) or 0, line)
            if near is not None and not line.key:
                pool.take(near)
                decided.append(_confirming(item, near.receipt, number, "same account, sum and day"))
            elif near is not None and agreement.has_door and not self._is_last:
                self._putting_off.append(item)
            elif near is not None and agreement.has_door:
                reason = (
                    f"payment {near.receipt} ({near.txn}) has the same account, sum and day under another id:"
                    " if it is another payment, post this line; if it is the same one, confirm it"
                )
                decided.append(quarantined(item, reason))
            else:
                decided.append(self._news(item, number, number in known, generations.get(item.key, 0)))
        return decided

    def _unconfirmed(self, book: IntakeBook, items: Sequence[Item], known: set[str]) -> Sequence[Unconfirmed]:
        named = [item.line.day for item in items if isinstance(item.line, MoneyLine)]
        if not known or not named:
            return ()
        step = timedelta(days=DAYS_OFF_MAX)
        first = (date.fromisoformat(min(named)) - step).isoformat()
        last = (date.fromisoformat(max(named)) + step).isoformat()
        return book.unconfirmed(self.source, known, first, last)

    def _against(self, item: Item, payment: Booked) -> Decided:
        """The line has the id of a payment."""
        line, receipt = item.line, payment.receipt
        assert isinstance(line, MoneyLine)
        if payment.state == VOIDED:
            reason = f"payment {receipt} was taken back here, and the register says that it stands"
            return quarantined(item, reason)
        ours, theirs = payment.typed or payment.number, line.number
        is_whose = theirs == ours or plain_number(theirs) == ours
        if not is_whose or payment.amount_minor not in (line.amount_minor, line.net_minor):
            differs = [] if is_whose else [_differing("account", theirs, ours)]
            if line.amount_minor != payment.amount_minor:
                differs.append(_differing("sum (minor units)", line.amount_minor, payment.amount_minor))
            return quarantined(item, f"payment {receipt} differs: {', '.join(differs)}")
        if payment.is_lined or receipt in self._taken or receipt in self._taking:
            return quarantined(item, f"payment {receipt} stands in a register already")
        self._taking.add(receipt)
        return _confirming(item, receipt, ours, "the same id")

    def _news(self, item: Item, number: str, is_known: bool, generation: int) -> Decided:
        line, agreement = item.line, self.agreement
        assert isinstance(line, MoneyLine)
        amount_minor = self.amount_minor(line)
        if amount_minor is None:
            return quarantined(item, "the register does not say what is paid out, and that is to be credited")
        post = post_of(line, item.key, number, amount_minor, generation)
        verdict = (TWIN if is_repeated(item.key) else NEW) if is_known else SUSPENDED
        return Decided(
            item.key, line, verdict, POSTED_LINE if is_known else IN_SUSPENSE, number if is_known else "",
            reason="" if is_known else f"nobody has the number {line.number!r}",
            post=(agreement, post), generation=generation,
        )  # fmt: skip


class _Pool:
    """Payments that wait for a line, each given away once."""

    def __init__(self, payments: Sequence[Unconfirmed], taken: set[int], taking: set[int]) -> None:
        self._taken = taken
        self._taking = taking
        self._by_sum: dict[tuple[str, int], list[Unconfirmed]] = {}
        for payment in payments:
            self._by_sum.setdefault((payment.number, payment.amount_minor), []).append(payment)

    def find(self, number: str, amount_minor: int, line: MoneyLine) -> Unconfirmed | None:
        """The nearest one by day and time, one day off at most."""
        waiting = [
            one
            for one in self._by_sum.get((number, amount_minor), ())
            if one.receipt not in self._taken
            and one.receipt not in self._taking
            and _days_off(one.day, line.day) <= DAYS_OFF_MAX
        ]
        return min(waiting, key=lambda one: (_days_off(one.day, line.day), one.receipt), default=None)

    def take(self, payment: Unconfirmed) -> None:
        self._taking.add(payment.receipt)


def post_of(line: MoneyLine, key: str, number: str, amount_minor: int, generation: int) -> Post:
    """The payment that a register's line tells of."""
    return Post(
        txn=txn_of(key, generation),
        number=number,
        amount_minor=amount_minor,
        service=line.service,
        network_time=line.at,
        taken=True,
        booked_on=line.day,
        fields=_fields(line),
    )


def txn_of(key: str, generation: int) -> str:
    """The id under which a line's payment is booked: a new one each time that it was taken back."""
    return f"{key}#{generation + 1}" if generation else key


def is_repeated(key: str) -> bool:
    """Is it a line without an id of its own, equal to an earlier one of its file?"""
    return key.startswith("f:") and not key.endswith(":1")


def _differing(what: str, theirs: object, ours: object) -> str:
    return f"{what} {theirs or 'none'} in the register, {ours or 'none'} in the books"


def _days_off(one: str, other: str) -> int:
    return abs((date.fromisoformat(one) - date.fromisoformat(other)).days)


def _confirming(item: Item, receipt: int, number: str, why: str) -> Decided:
    return Decided(item.key, item.line, CONFIRMS, CONFIRMED, number, "", why, receipt)


def _fields(line: MoneyLine) -> tuple[tuple[str, str], ...]:
    """What is kept with the payment beside the line itself."""
    told = (("payer", line.payer), ("document", line.document), ("text", line.text))
    return tuple((name, text) for name, text in told if text)
