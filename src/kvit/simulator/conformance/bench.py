"""What a step of the acceptance test works with: an agent, a client that owes, and an eye on the debt."""

from __future__ import annotations

from dataclasses import dataclass, field

from kvit.domain.messages import Command, Hold, HttpRequest, Post, Status
from kvit.domain.money import format_amount
from kvit.simulator import paying, screen
from kvit.simulator.agent import Agent, Exchange
from kvit.simulator.mischief import judge_debt
from kvit.simulator.shell import Network


class Unfit(Exception):
    """A step cannot go on: what it builds on did not happen."""


@dataclass(frozen=True)
class Target:
    """Whom the test is played against.

    ``number`` is a client that owes, ``unknown`` a number that nobody has, ``other`` another client (empty:
    the unknown one stands in). Every payment of the test is of ``amount_minor`` or a little more.
    """

    network: Network
    number: str
    unknown: str
    amount_minor: int
    other: str = ""

    @property
    def another(self) -> str:
        """A number that is not ``number``."""
        return self.other or self.unknown


@dataclass(frozen=True)
class Paid:
    """A payment that was confirmed: how it began, what booked it, and the receipts of both phases."""

    first: Hold | Post
    final: Post
    receipt: str


@dataclass
class Trial:
    """One step as it is played: what was sent, what is wrong, and what is worth saying."""

    agent: Agent
    target: Target
    exchanges: list[Exchange] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    # --- sending -------------------------------------------------------------------------------------

    async def send(self, command: Command, *, drop: bool = False) -> Exchange:
        exchange = await self.agent.send(command, drop=drop)
        self.exchanges.append(exchange)
        return exchange

    async def carry(self, command: Command, request: HttpRequest) -> Exchange:
        """Send a bent request in the place of ``command``."""
        exchange = await self.agent.carry(command, request)
        self.exchanges.append(exchange)
        return exchange

    async def repeat(self, command: Command) -> Exchange:
        """Send it until the answer is final; the last exchange."""
        exchanges = await self.agent.repeat(command, self.target.network.pauses_s)
        self.exchanges += exchanges
        return exchanges[-1]

    async def copies(self, command: Command, times: int) -> list[Exchange]:
        """Send ``times`` copies in the same moment; those that are told "later" are repeated."""
        exchanges = await self.agent.send_at_once(command, times)
        self.exchanges += exchanges
        if any(one.heard.step == "again" for one in exchanges):
            exchanges.append(await self.repeat(command))
        return [one for one in exchanges if one.heard.step != "again"]

    def new(self, more_minor: int = 0, number: str = "") -> Hold | Post:
        """What a new payment begins with."""
        return self.agent.orders.first(number or self.target.number, self.target.amount_minor + more_minor)

    async def held(self) -> tuple[Hold, str]:
        """A new payment that is announced, and the receipt of that."""
        hold = self.new()
        assert isinstance(hold, Hold)
        heard = (await self.repeat(hold)).heard
        if heard.step != "done":
            raise Unfit(f"a plain hold was not accepted ({said(self.exchanges[-1])})")
        return hold, heard.receipt

    async def paid(self) -> Paid:
        """A new payment that is confirmed."""
        if self.agent.protocol.two_phase:
            hold, receipt = await self.held()
            final = self.agent.orders.post_held(hold, receipt)
            first: Hold | Post = hold
        else:
            payment = self.new()
            assert isinstance(payment, Post)
            first = final = payment
        heard = (await self.repeat(final)).heard
        if heard.step != "done":
            raise Unfit(f"a plain payment was not accepted ({said(self.exchanges[-1])})")
        return Paid(first, final, heard.receipt)

    # --- judging -------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def wrong(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    def must(self, exchange: Exchange, step: str, what: str) -> bool:
        """The answer has to be ``step``: "done" (a final yes) or "stop" (a final no)."""
        if exchange.heard.step == step:
            return True
        wanted = {"done": "a final yes", "stop": "a final no"}[step]
        self.wrong(f"{what}: {wanted} was expected, and came {said(exchange)}")
        return False

    def must_not_be_taken(self, exchange: Exchange, what: str) -> None:
        """Whatever the answer is, it must not be a yes."""
        if exchange.heard.step == "done":
            self.wrong(f"{what} was accepted ({said(exchange)})")
        else:
            self.note(f"{what}: {said(exchange)}")

    async def must_be_the_same(self, paid: Paid, exchange: Exchange, what: str) -> None:
        """The answer to a repetition: the first receipt, or a code that the status explains."""
        heard = exchange.heard
        if heard.state == "known":
            cleared = await paying.clear_up(self.agent, [exchange])
            self.exchanges += cleared
            heard = paying.outcome([exchange, *cleared])
        if heard.step != "done":
            self.wrong(f"{what}: a confirmed payment is no longer confirmed ({said(self.exchanges[-1])})")
        elif heard.receipt != paid.receipt:
            self.wrong(
                f"{what}: receipt {heard.receipt or 'none'}, and it was {paid.receipt or 'none'} before"
            )

    async def owed_minor(self) -> int | None:
        """What the client owes now; ``None`` where no check shows it."""
        if not self.agent.orders.offers("Lookup"):
            return None
        exchange = await self.send(
            self.agent.orders.lookup(self.target.number, amount_minor=self.target.amount_minor)
        )
        return screen.shown_due_minor(exchange.heard, self.agent.protocol, self.agent.terms)

    async def must_owe(self, before_minor: int | None, less_minor: int, what: str) -> None:
        """The debt has to be ``less_minor`` less than before."""
        after_minor = await self.owed_minor()
        verdict = judge_debt(before_minor, after_minor, less_minor)
        if verdict.key == "debt-unseen":
            self.note("no check shows what is owed, so receipts alone were looked at")
        if verdict.good or before_minor is None or after_minor is None:
            return
        exponent = self.agent.terms.exponent
        fell, wanted = before_minor - after_minor, min(less_minor, before_minor)
        self.wrong(
            f"{what}: the debt went down by {format_amount(fell, exponent)}, "
            f"and should have by {format_amount(wanted, exponent)}"
        )

    async def must_be_known_as(self, txn: str, state: str, what: str) -> None:
        """The status, where there is one, has to say ``held``, ``posted``, or nothing good ("")."""
        if not self.agent.orders.offers("Status"):
            return
        heard = (await self.send(Status(txn))).heard
        if not state:
            if heard.step == "done" and heard.state != "voided":
                self.wrong(f"{what}: its status says that it is {heard.state or 'there'}")
            return
        if heard.step != "done" or heard.state not in ("", state):
            self.wrong(f"{what}: its status should say {state} ({said(self.exchanges[-1])})")


def said(exchange: Exchange) -> str:
    """An answer in a few words."""
    heard = exchange.heard
    if exchange.failure:
        return {
            "timeout": "no answer in time",
            "unreachable": "nobody there",
            "broken": "the line broke",
            "dropped": "not read",
        }[exchange.failure]
    status = exchange.response.status if exchange.response else 0
    words = {"done": "a yes", "stop": "a no", "again": "no answer that is one"}[heard.step]
    parts = [words, f"code {heard.code}" if heard.code else "", f"HTTP {status}" if status != 200 else ""]
    parts += [f"receipt {heard.receipt}" if heard.receipt else "", heard.state]
    return ", ".join(part for part in parts if part)
