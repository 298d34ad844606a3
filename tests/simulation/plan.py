"""What a seed means: who pays what and when, and how bad wires, store and clock are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from kvit.domain.messages import Post
from kvit.domain.model import Agreement
from kvit.lanes.lane import LaneLimits
from tests.seeding import agreement_of
from tests.simulation.towns import SERVICES, TOWNS, Biller, billers_of

#: Nobody has it when the history begins; an import may change that.
NEW_NUMBER = "1999"
#: Each agreement begins with it: the same txn of two agreements is two payments.
FIRST_TXN = 70_000_001
_ZONES = ("Europe/Moscow", "Europe/Moscow", "Asia/Almaty", "Europe/Berlin")
_SKEWS_DAYS = (0, 0, 0, 0, 0, -1, 1, 3, -40)
#: Some of them are sums that a float gets wrong: 0.29, 2.03.
_AMOUNTS = (1, 29, 203, 500, 1_500, 10_000, 20_000, 60_000)

#: A lane answers "too slow" after two seconds, a tenth of what it is set to in use; so are the agents'
#: patience and the slowness of wires and store. Only their pauses are shorter still: nothing happens there.
_LIMITS = (
    LaneLimits(queue_max=1_000, owner_max=500, batch_max=500, deadline_s=2.0),
    LaneLimits(queue_max=1_000, owner_max=500, batch_max=500, deadline_s=2.0),
    LaneLimits(queue_max=8, owner_max=4, batch_max=3, deadline_s=2.0),
    LaneLimits(queue_max=5, owner_max=5, batch_max=2, deadline_s=1.0),
)


class Weather(NamedTuple):
    """Shares of requests and answers that are lost, doubled, slow; of requests cut off; of jobs that meet
    a fault, are slow, or find that a neighbour was first."""

    name: str
    lost: float = 0.0
    doubled: float = 0.0
    slow: float = 0.0
    cut: float = 0.0
    faulty: float = 0.0
    sluggish: float = 0.0
    neighbour: float = 0.0


WEATHERS = (
    Weather("calm"),
    Weather("bad wires", lost=0.12, doubled=0.2, slow=0.2, cut=0.04),
    Weather("bad store", doubled=0.1, slow=0.05, faulty=0.25, sluggish=0.1, neighbour=0.1),
    Weather("bad day", 0.08, 0.15, 0.15, 0.03, 0.12, 0.06, 0.1),
    Weather("storm", 0.25, 0.4, 0.3, 0.08, 0.4, 0.15, 0.2),
)


class Payment(NamedTuple):
    """One client at a terminal. ``rival`` is the same txn with other content, sent at about the same time;
    ``later`` is what the agent does once it knows."""

    agreement_id: str
    at_s: float
    post: Post
    checked: bool
    rival: Post | None
    rival_at_s: float
    later: tuple[str, ...]


class Deed(NamedTuple):
    """Something that happens to the gateway or in its office."""

    at_s: float
    what: str


@dataclass(frozen=True)
class Plan:
    seed: int
    town: int
    billers: list[Biller]
    agreements: dict[str, Agreement]
    #: Who asks again every second, and by how many days each network's clock is wrong.
    eager: frozenset[str]
    skew_days: dict[str, int]
    payments: list[Payment]
    deeds: list[Deed]
    weather: Weather
    limits: LaneLimits
    readers: int
    #: Are checks answered on the spot while all is well, or always by the read lane?
    is_quick: bool
    #: From then on nothing bad happens any more.
    quiet_s: float


def dice(seed: int, stream: str) -> Random:
    """Chance that depends on nothing else, so that one part's draws do not shift another's."""
    return Random(f"{seed}/{stream}")  # noqa: S311


def make_plan(seed: int) -> Plan:
    chance = dice(seed, "plan")
    town = chance.randrange(TOWNS)
    billers = billers_of(town)
    quiet_s = chance.uniform(3, 15)
    agreements = [one for biller in billers for one in _agreements(chance, biller)]
    burst_s = chance.uniform(0, quiet_s)
    payments = [
        payment
        for agreement in agreements
        for payment in _payments(chance, agreement, _biller_of(billers, agreement), (burst_s, quiet_s))
    ]
    return Plan(
        seed=seed,
        town=town,
        billers=billers,
        agreements={one.agreement_id: one for one in agreements},
        eager=frozenset(one.agreement_id for one in agreements if chance.random() < 0.6),
        skew_days={one.agreement_id: chance.choice(_SKEWS_DAYS) for one in agreements},
        payments=payments,
        deeds=_deeds(chance, quiet_s),
        weather=chance.choice(WEATHERS),
        limits=chance.choice(_LIMITS),
        readers=chance.choice((1, 1, 2)),
        is_quick=chance.random() < 0.5,
        quiet_s=quiet_s,
    )


def _biller_of(billers: list[Biller], agreement: Agreement) -> Biller:
    return next(one for one in billers if one.biller_id == agreement.biller_id)


def _agreements(chance: Random, biller: Biller) -> list[Agreement]:
    names = ("red", "blue")[: chance.choice((1, 2, 2))]
    return [
        agreement_of(
            biller.biller_id, name, timezone=chance.choice(_ZONES), basic_login=name, basic_password="p",
            min_minor=chance.choice((None, None, None, None, 100)),
            max_minor=chance.choice((None, None, None, None, 50_000)),
            valid_until=chance.choice(("", "", "", "2026-11-23")), dialect=_dialect(chance),
        )
        for name in names
    ]  # fmt: skip


def _dialect(chance: Random) -> tuple[tuple[str, str], ...]:
    return (
        ("ask_method", chance.choice(("GET", "GET", "POST"))),
        ("cancel", chance.choice(("a", "b"))),
        ("closed_code", chance.choice(("79", "7"))),
        ("comment", chance.choice(("on", "off"))),
        ("conflict_code", "215"),
        ("prv_txn_date", chance.choice(("on", "off"))),
        ("show", "debt:debt,advance:advance"),
        ("status", "on"),
        ("verify", "on"),
    )


def _payments(
    chance: Random, agreement: Agreement, biller: Biller, times_s: tuple[float, float]
) -> list[Payment]:
    """Many come in one moment, so that lanes have something to gather."""
    found, (burst_s, quiet_s) = [], times_s
    for place in range(chance.randint(1, 7)):
        post = Post(
            txn=str(FIRST_TXN + place),
            number=NEW_NUMBER if chance.random() < 0.06 else chance.choice(biller.numbers),
            amount_minor=chance.choice(_AMOUNTS),
            service=chance.choice(("", "", *SERVICES)),
        )
        at_s = burst_s if chance.random() < 0.6 else chance.uniform(0, quiet_s)
        rival = _rival(chance, post, biller) if chance.random() < 0.2 else None
        rival_at_s = at_s + chance.choice((-1, 1)) * chance.expovariate(10)
        later = tuple(chance.choices(_LATER, _LATER_WEIGHTS, k=chance.choice((0, 0, 0, 1, 2))))
        checked = chance.random() < 0.4
        found.append(Payment(agreement.agreement_id, at_s, post, checked, rival, max(rival_at_s, 0.0), later))
    return found


_LATER = ("check", "pay again", "pay other", "status", "void", "void wrongly", "list")
_LATER_WEIGHTS = (4, 5, 3, 0.8, 1, 0.2, 0.2)


def _rival(chance: Random, post: Post, biller: Biller) -> Post:
    what = chance.randrange(3)
    if what == 0:
        return replace(post, amount_minor=post.amount_minor + 100)
    if what == 1:
        return replace(post, service="1" if post.service != "1" else "2")
    others = [number for number in biller.numbers if number != post.number]
    return replace(post, number=chance.choice(others))


_DEEDS = (
    ("charge", 6), ("open account", 1), ("close account", 2), ("activate account", 2), ("limits", 1),
    ("void", 2), ("seal", 2), ("clock", 3), ("kill", 2), ("restart", 2),
    ("shut doors", 1),
)  # fmt: skip


def _deeds(chance: Random, quiet_s: float) -> list[Deed]:
    names = [name for name, _ in _DEEDS]
    weights = [weight for _, weight in _DEEDS]
    found = chance.choices(names, weights, k=chance.choice((0, 1, 1, 2, 4)))
    return sorted(Deed(chance.uniform(0, quiet_s), what) for what in found)
