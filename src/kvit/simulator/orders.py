"""The commands of a network, made from what its protocol says of itself.

No protocol is known by its name here: ids, times, services and reasons are written as its metadata says
(``Protocol.txn_of``, ``Protocol.habits``), so that a new protocol is played without a line of code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from kvit.domain.messages import Command, Hold, ListPosted, Lookup, Malformed, Post, Status, Void
from kvit.protocols.base import Protocol, Terms
from kvit.simulator import identity

#: Receipts are positive and below 2**63 (the books' own bound).
_RECEIPT_MAX = 2**63 - 1


@dataclass(frozen=True)
class Contract:
    """What a network knows of the agreement beside its terms.

    ``service``: what it names as the service; empty: the protocol's own habit. ``check_minor``: the sum of a
    check that is made before the payer has named one; ``None``: the protocol's dummy. ``least_minor``: the
    least sum that is taken.
    """

    service: str = ""
    check_minor: int | None = None
    least_minor: int = 1


def _system_now() -> datetime:
    return datetime.now().astimezone()


class Orders:
    """Makes commands as the network of ``protocol`` sends them. ``now`` gives aware times in its zone."""

    def __init__(
        self,
        protocol: Protocol,
        terms: Terms,
        contract: Contract | None = None,
        now: Callable[[], datetime] = _system_now,
        new_number: Callable[[], int] = identity.new_number,
    ) -> None:
        self.protocol = protocol
        self.terms = terms
        self.now = now
        self._new_number = new_number
        self._contract = contract or Contract()
        self._service = self._contract.service or protocol.habits.service

    def new_txn(self) -> str:
        """A payment's id that was never used before."""
        return self.protocol.txn_of(self._new_number())

    def offers(self, kind: str) -> bool:
        """Does the agreement have commands of this kind (``"Void"``)? Its codec knows which are switched off.

        Where only the biller's key could read the request, the protocol's own list counts.
        """
        if kind not in self.protocol.commands:
            return False
        sample = self._sample(kind)
        read = self.protocol.decode(self.protocol.ask(sample, self.terms), self.terms)
        return not isinstance(read, Malformed)

    def lookup(self, number: str, txn: str = "", amount_minor: int | None = None) -> Lookup:
        """A question about client ``number``, who is about to pay ``amount_minor`` where that is known."""
        asked_minor = self._contract.check_minor if amount_minor is None else amount_minor
        return Lookup(txn or self.new_txn(), number, self._service, amount_minor=asked_minor)

    def first(self, number: str, amount_minor: int, txn: str = "", network_time: str = "") -> Hold | Post:
        """What a payment begins with: a hold where the protocol has two phases.

        A repetition gives the ``txn`` and ``network_time`` of the first attempt: networks send it again
        word for word.
        """
        kind = self.hold if self.protocol.two_phase else self.post
        return kind(number, amount_minor, txn, network_time)

    def hold(self, number: str, amount_minor: int, txn: str = "", network_time: str = "") -> Hold:
        """The announcement of a payment."""
        return Hold(
            txn or self.new_txn(), number, amount_minor, service=self._service,
            network_time=network_time or self.time_of(self.now()),
        )  # fmt: skip

    def post(self, number: str, amount_minor: int, txn: str = "", network_time: str = "") -> Post:
        """A payment that nothing announced."""
        return Post(
            txn or self.new_txn(), number, amount_minor, service=self._service,
            network_time=network_time or self.time_of(self.now()), taken=self.protocol.habits.taken,
        )  # fmt: skip

    def post_held(self, hold: Hold, receipt: str) -> Post:
        """The payment that ``hold`` announced; ``receipt`` is what the answer to the hold named."""
        return Post(
            hold.txn, hold.number, hold.amount_minor, service=hold.service,
            network_time=hold.network_time, held=True, receipt=_receipt(receipt),
        )  # fmt: skip

    def void(self, payment: Hold | Post, receipt: str) -> Void:
        """Take ``payment`` back, or release it; ``receipt`` is what its answer named."""
        return Void(
            payment.txn, _receipt(receipt), self.new_txn(), payment.number, payment.amount_minor,
            self.protocol.habits.reason,
        )  # fmt: skip

    def statement(self, since: datetime, until: datetime) -> ListPosted:
        """The payments from ``since`` to ``until``; of whole days where the network asks for days."""
        if self.protocol.habits.statement == "days":
            return ListPosted(since.date().isoformat(), until.date().isoformat())
        return ListPosted(self.time_of(since), self.time_of(until))

    def time_of(self, moment: datetime) -> str:
        """An aware time of the agreement's zone as the commands have it."""
        if self.protocol.habits.clock == "utc":
            return moment.astimezone(UTC).isoformat(timespec="milliseconds")
        return moment.strftime("%Y-%m-%dT%H:%M:%S")

    def _sample(self, kind: str) -> Command:
        now, payment = self.now(), self.first("1", 100, self.protocol.txn_of(1))
        samples: dict[str, Callable[[], Command]] = {
            "Lookup": lambda: self.lookup("1", payment.txn, 100),
            "Hold": lambda: payment,
            "Post": lambda: self.post_held(payment, "1") if isinstance(payment, Hold) else payment,
            "Void": lambda: self.void(payment, "1"),
            "Status": lambda: Status(payment.txn),
            "ListPosted": lambda: self.statement(now, now),
        }
        return samples[kind]()


def _receipt(text: str) -> int:
    """A receipt as a number; 0 where the answer named none that is one."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else 0
    return number if number <= _RECEIPT_MAX else 0
