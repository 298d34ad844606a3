"""Registers and statements taken in without files: lines given as they would have been read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from kvit.domain.lines import IN, REGISTER, STATEMENT, BadLine, Batch, FileFacts, MoneyLine
from kvit.domain.model import Agreement, Biller
from kvit.services.intake import rules
from kvit.services.intake.registers import RegisterSource
from kvit.services.intake.run import Office, Outcome, ReadFile, Source, look, run
from kvit.services.intake.statements import StatementSource
from kvit.services.intake.words import Decided
from kvit.storage.billers import find_biller
from kvit.storage.intake import SqlIntake
from tests.gateway import Gateway

OWN = "40702810000000000001"


def line(
    number: str = "", amount_minor: int = 0, day: str = "2026-11-20", key: str = "", **more: object
) -> MoneyLine:
    """A line of a file; without a key it is known by all that it says."""
    values = MoneyLine(0, key, "", amount_minor, IN, day, number=number)._replace(**more)  # type: ignore[arg-type]
    known_by = values.known_by or "|".join(
        map(
            str,
            (
                values.day,
                values.at,
                values.own_account,
                values.number,
                values.amount_minor,
                values.payer,
                values.text,
            ),
        )
    )
    return values._replace(known_by="" if key else known_by)


@dataclass
class Result:
    """What an import did, and with each line."""

    outcome: Outcome
    decided: list[Decided] = field(default_factory=list)

    @property
    def verdicts(self) -> list[str]:
        return [one.verdict for one in self.decided]

    @property
    def counts(self) -> dict[str, int]:
        """Only what there is."""
        return {name: count for name, count in self.outcome.counts.as_texts().items() if count}


@dataclass
class Counter:
    """A biller's office where files are taken in."""

    gateway: Gateway
    biller_id: str
    agreements: Sequence[Agreement] = ()

    @property
    def store(self) -> SqlIntake:
        return SqlIntake(self.gateway.database, self.biller_id)

    @property
    def biller(self) -> Biller:
        with self.gateway.database.read() as connection:
            biller = find_biller(connection, self.biller_id)
        assert biller is not None
        return biller

    def register(
        self, agreement: Agreement, *lines: MoneyLine | BadLine, name: str = "r.csv", dry: bool = False
    ) -> Result:
        source = RegisterSource(agreement)
        return self._take(REGISTER, lines, name, lambda _own: source, agreement.agreement_id, dry)

    def statement(self, *lines: MoneyLine | BadLine, name: str = "s.txt", dry: bool = False) -> Result:
        biller, settings = self.biller, self.store.read(rules.settings)
        made: dict[str, Source] = {}

        def source_of(own: str) -> Source:
            return made.setdefault(own, StatementSource(biller, own, self.agreements, settings))

        return self._take(STATEMENT, lines, name, source_of, "", dry)

    def _take(
        self,
        kind: str,
        lines: Sequence[MoneyLine | BadLine],
        name: str,
        sources: Callable[[str], Source],
        agreement_id: str,
        dry: bool,
    ) -> Result:
        placed = [one._replace(line=place) for place, one in enumerate(lines, start=1)]
        batch = Batch(
            [one for one in placed if isinstance(one, MoneyLine)],
            [one for one in placed if isinstance(one, BadLine)],
        )
        facts = FileFacts("test", own_account=OWN if kind == STATEMENT else "")
        digest = sha256(repr(placed).encode()).hexdigest()
        decided: list[Decided] = []
        office = Office(self.store, self.gateway.clock, "clerk", decided.append, lambda _done: None)
        work = look if dry else run
        outcome = work(office, ReadFile(name, digest, kind, [batch], lambda: facts), sources, agreement_id)
        return Result(outcome, sorted(decided, key=lambda one: one.line.line))

    def paid(self) -> Mapping[str, int]:
        """Account -> what all its standing payments come to; ``""`` is suspense."""
        numbers = {row["account_id"]: row["number"] for row in self.gateway.rows("accounts", self.biller_id)}
        sums: dict[str, int] = {}
        for row in self.gateway.rows("payments", self.biller_id):
            if row["state"] == "posted":
                number = numbers.get(row["account_id"], "")
                sums[number] = sums.get(number, 0) + row["amount_minor"]
        return sums
