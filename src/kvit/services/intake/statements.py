"""Lines of the biller's own bank statement: agents' lump sums, and payments that find their account."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from kvit.domain import ledger
from kvit.domain.file_rows import IN_SUSPENSE, POSTED_LINE
from kvit.domain.file_rows import LUMP as LUMP_STATE
from kvit.domain.lines import MoneyLine
from kvit.domain.messages import Post
from kvit.domain.model import BY_INVOICE, FILES_ONLY, Agreement, Biller
from kvit.domain.money import exponent_of
from kvit.services.intake.matching import Found, Hit, Match, match, name_key, plain_number, wanted
from kvit.services.intake.ports import IntakeBook
from kvit.services.intake.registers import is_repeated, txn_of
from kvit.services.intake.words import LUMP, NEW, SUSPENDED, TWIN, Decided, Item

#: A purpose that speaks of a register of payments is an agent's lump sum, and never a client's payment.
_REGISTER_WORDS = re.compile(
    r"\b(?:реестр\w*|реєстр\w*|тізілім\w*|register\s+of\s+payments|registry)\b", re.IGNORECASE
)


def bank_agreement(biller: Biller, own_account: str) -> Agreement:
    """What payments that come straight to the biller's bank account are booked under."""
    return Agreement(
        agreement_id=ledger.bank(own_account),
        biller_id=biller.biller_id,
        protocol=FILES_ONLY,
        mode="live",
        currency=biller.currency,
        exponent=exponent_of(biller.currency),
        timezone=biller.timezone,
    )


@dataclass(slots=True)
class StatementSource:
    """One own bank account. ``agreements``: all of the biller, for their lump sums. ``rules``: as set."""

    biller: Biller
    own_account: str
    agreements: Sequence[Agreement]
    rules: Mapping[str, str]
    names: dict[str, set[str]] | None = None
    _lengths: dict[int, int] | None = None

    @property
    def source(self) -> str:
        return ledger.bank(self.own_account)

    def begin(self) -> None:
        """Nothing is noted from one line to the next."""

    def keep(self) -> None:
        """The same."""

    def last(self) -> list[Item]:
        """No line is put off."""
        return []

    def numbers(self, items: Sequence[Item]) -> set[str]:
        """None is known before the rules were asked."""
        del items
        return set()

    def decide(self, book: IntakeBook, items: Sequence[Item], generations: dict[str, int]) -> list[Decided]:
        """What becomes of readable lines that are new here."""
        decided: dict[str, Decided] = {}
        rest: list[tuple[Item, MoneyLine]] = []
        for item in items:
            line = item.line
            assert isinstance(line, MoneyLine)
            lump = self._lump(item, line)
            if lump is None:
                rest.append((item, line))
            else:
                decided[item.key] = lump
        matches = self.match(book, [line for _, line in rest])
        for (item, line), matched in zip(rest, matches, strict=True):
            decided[item.key] = self._payment(item, line, matched, generations.get(item.key, 0))
        return [decided[item.key] for item in items]

    def match(self, book: IntakeBook, lines: Sequence[MoneyLine]) -> list[Match]:
        """Ask the rules about each line."""
        if self._lengths is None:
            self._lengths = book.number_lengths()
        scheme = self.biller.number_scheme
        asked = [wanted(line, scheme, self._lengths) for line in lines]
        references = {line.number for line in lines if line.number}
        numbers = {number for one in asked for number in one.numbers}
        documents = {document for one in asked for document in one.documents}
        found = Found(
            book.existing(numbers | {plain_number(text) for text in references}),
            book.invoice_owners(documents | references),
            book.payers({one.payer_account for one in asked if one.payer_account}),
            self._names(book) if any(one.name for one in asked) else {},
        )
        return [match(line, one, found, self.rules) for line, one in zip(lines, asked, strict=True)]

    def _names(self, book: IntakeBook) -> dict[str, set[str]]:
        if self.names is None:
            self.names = {}
            for account in book.names():
                if key := name_key(account.name):
                    self.names.setdefault(key, set()).add(account.number)
        return self.names

    def _lump(self, item: Item, line: MoneyLine) -> Decided | None:
        """An agent's lump sum, or what looks like one and must not go to a client by itself."""
        text = line.text.casefold()
        for agreement in self.agreements:
            terms = agreement.files.settlement
            if terms is None:
                continue
            by_account = line.payer_account in terms.payer_accounts and line.payer_account != ""
            word = next((word for word in terms.words if word.casefold() in text), "")
            if by_account or word:
                why = f"paid from {line.payer_account}" if by_account else f"{word!r} in the purpose"
                name = agreement.agreement_id
                return Decided(item.key, line, LUMP, LUMP_STATE, name, "settlement", why)
        if _REGISTER_WORDS.search(line.text):
            reason = "speaks of a register of payments: an agent's lump sum, but of no agreement's settlement"
            return self._suspended(item, line, reason, (), 0)
        return None

    def _payment(self, item: Item, line: MoneyLine, matched: Match, generation: int) -> Decided:
        hit = matched.hit
        if hit is None:
            near = ", ".join(f"{one.number} ({one.why})" for one in matched.proposals[:3])
            reason = f"perhaps {near}" if near else "no rule knows whose it is"
            return self._suspended(item, line, reason, matched.proposals, generation)
        post = (self.agreement_of(hit), self.post(line, item.key, hit.document or hit.number, generation))
        verdict = TWIN if is_repeated(item.key) else NEW
        return Decided(
            item.key, line, verdict, POSTED_LINE, hit.number, hit.rule, hit.why, post=post,
            generation=generation, proposals=matched.proposals,
        )  # fmt: skip

    def _suspended(
        self, item: Item, line: MoneyLine, reason: str, proposals: tuple[Hit, ...], generation: int
    ) -> Decided:
        agreement = bank_agreement(self.biller, self.own_account)
        post = (agreement, self.post(line, item.key, "", generation))
        return Decided(
            item.key, line, SUSPENDED, IN_SUSPENSE, reason=reason, post=post, generation=generation,
            proposals=proposals,
        )  # fmt: skip

    def agreement_of(self, hit: Hit) -> Agreement:
        """An invoice's number is booked as such, so that the money settles that invoice first."""
        agreement = bank_agreement(self.biller, self.own_account)
        return replace(agreement, payer_key=BY_INVOICE) if hit.document else agreement

    @staticmethod
    def post(line: MoneyLine, key: str, number: str, generation: int) -> Post:
        told = (
            ("payer", line.payer), ("payer_account", line.payer_account), ("text", line.text),
            ("document", line.document),
        )  # fmt: skip
        return Post(
            txn=txn_of(key, generation),
            number=number,
            amount_minor=line.amount_minor,
            network_time=line.at,
            taken=True,
            booked_on=line.day,
            fields=tuple((name, text) for name, text in told if text),
        )
