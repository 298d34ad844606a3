"""The clients of the made-up utility: what they use, and what kind of payers they are.

Most pay the whole bill, within two weeks or once in three months; others round it up, pay a part, pay far
ahead, have stopped paying, or never began. The first few are stories: accounts worth trying at a terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeVar

from kvit.domain.numbers import next_numbers
from kvit.simulator import names

COLD, HOT, SEWERAGE = "Холодная вода", "Горячая вода", "Водоотведение"
#: Kopecks a cubic metre; they rise once, in the seventh month.
TARIFFS = {COLD: (4136, 4533), HOT: (21894, 24083), SEWERAGE: (3218, 3527)}
RISE = 6

Choice = TypeVar("Choice")

NUMBER_SCHEME = "luhn"
#: No account has this number; its check digit is right.
UNKNOWN = "1234566"

#: Two networks of terminals, and the bank whose app people have.
QIWI, IBOX, APP = "qiwi", "ibox", "app"

#: Through which of them how many of a hundred clients pay.
_WAYS = {QIWI: 80, IBOX: 12, APP: 8}

#: How many of a hundred clients have which habit.
_HABITS = {"prompt": 30, "rounds": 8, "seldom": 46, "part": 5, "ahead": 5, "stopped": 3, "never": 3}
#: Who uses what, and how many of a hundred do.
_SERVICES = {(COLD,): 74, (COLD, SEWERAGE): 21, (COLD, HOT, SEWERAGE): 5}


class Story(NamedTuple):
    """An account worth trying: ``key`` says what it shows, and is its habit."""

    key: str
    name: str
    services: tuple[str, ...]
    people: int


#: The first accounts; their numbers are the first ones too.
STORIES = (
    Story("debt", "Соколова Анна Петровна", (COLD, SEWERAGE), 3),
    Story("old-debt", "Қасымов Ерлан Болатұлы", (COLD, SEWERAGE), 4),
    Story("partly", "Тарасова Нина Степановна", (COLD, HOT), 2),
    Story("no-debt", "Воронцов Михаил Юрьевич", (COLD, SEWERAGE), 2),
    Story("advance", "Жұмабаева Әйгерім Маратқызы", (COLD, SEWERAGE), 1),
    Story("closed", "Ермаков Павел Олегович", (COLD, SEWERAGE), 2),
)
_STORY_KEYS = frozenset(story.key for story in STORIES)


@dataclass(slots=True)
class Client:
    """``leaves``: the first month without charges; ``turn``: the month in which a habit changes.

    ``due_minor`` is what is owed at this moment of the tale; below zero it is an advance.
    """

    number: str
    name: str
    habit: str
    services: tuple[str, ...]
    people: int
    agreement_id: str
    leaves: int
    turn: int
    due_minor: int = 0

    @property
    def is_story(self) -> bool:
        return self.habit in _STORY_KEYS


def make_clients(random: Random, accounts_count: int, months_count: int) -> list[Client]:
    """Numbers follow each other; the stories come first."""
    numbers = list(next_numbers(100_000, accounts_count, NUMBER_SCHEME, 6))
    clients = [
        _of_story(story, number, months_count) for story, number in zip(STORIES, numbers, strict=False)
    ]
    clients += [_by_chance(random, number, months_count) for number in numbers[len(clients) :]]
    return clients


def bill(client: Client, index: int, random: Random) -> Iterator[tuple[str, int]]:
    """(service, sum) of a month, by the meters: they count tenths of a cubic metre."""
    cold = client.people * random.randrange(25, 46)
    hot = client.people * random.randrange(8, 19) if HOT in client.services else 0
    volumes = {COLD: cold, HOT: hot, SEWERAGE: cold + hot}
    for service in client.services:
        tariff_minor = TARIFFS[service][index >= RISE]
        yield service, (volumes[service] * tariff_minor + 5) // 10


def wish_minor(client: Client, index: int, last: int, random: Random) -> int:
    """What the client would put into the terminal in month ``index``; nothing where not above zero."""
    due_minor = client.due_minor
    match client.habit:
        case "debt":
            return 0 if index == last else due_minor
        case "partly":
            return 0 if index == last else _down(due_minor * 2 // 5, 10_000)
        case "advance":
            return _up(due_minor, 10_000) + 50_000 if index == last else due_minor
        case "old-debt" | "stopped":
            return due_minor if index < client.turn else 0
        case "rounds":
            return _up(due_minor, 10_000)
        case "seldom":
            return due_minor if index % 3 == client.turn % 3 else 0
        case "part":
            return _down(due_minor * random.randrange(30, 100) // 100, 5_000)
        case "ahead":
            return _up(due_minor * 5, 50_000)
        case "never":
            return 0
    return due_minor


def _of_story(story: Story, number: str, months_count: int) -> Client:
    leaves = months_count - 3 if story.key == "closed" else months_count
    return Client(
        number, story.name, story.key, story.services, story.people, QIWI, leaves, turn=months_count - 9
    )


def _by_chance(random: Random, number: str, months_count: int) -> Client:
    return Client(
        number=number,
        name=names.person(random),
        habit=_drawn(random, _HABITS),
        services=_drawn(random, _SERVICES),
        people=random.choice((1, 1, 2, 2, 2, 3, 3, 4, 5)),
        agreement_id=_drawn(random, _WAYS),
        leaves=random.randrange(3, months_count) if random.random() < 0.01 else months_count,
        turn=random.randrange(1, months_count),
    )


def _drawn(random: Random, shares: dict[Choice, int]) -> Choice:
    return random.choices(list(shares), list(shares.values()))[0]


def _up(amount_minor: int, step_minor: int) -> int:
    """The next whole ``step_minor``."""
    return -(-amount_minor // step_minor) * step_minor


def _down(amount_minor: int, step_minor: int) -> int:
    return amount_minor // step_minor * step_minor
