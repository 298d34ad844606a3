"""Names and addresses of people who do not exist, in Russian and in Kazakh.

Nobody is meant: frequent names (``names.toml``) are put together by chance; the town is made up, and so is
the telephone code.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from random import Random
from typing import Any, NamedTuple

TOWN = "г. Светлореченск"


class Given(NamedTuple):
    """A man's given name with the patronymics made of it."""

    name: str
    son: str
    daughter: str


@dataclass(frozen=True, slots=True)
class Language:
    """``families`` holds a man's and a woman's form of each."""

    men: Sequence[Given]
    women: Sequence[str]
    families: Sequence[tuple[str, str]]


@cache
def languages() -> dict[str, Language]:
    """``ru`` and ``kk``."""
    texts = _texts()
    russian, kazakh = texts["russian"], texts["kazakh"]
    russian_men = [Given(*one.split()) for one in _listed(russian["men"])]
    kazakh_men = [Given(name, f"{name}ұлы", f"{name}қызы") for name in kazakh["men"].split()]
    return {
        language: Language(men, words["women"].split(), [_forms(one) for one in words["families"].split()])
        for language, men, words in (("ru", russian_men, russian), ("kk", kazakh_men, kazakh))
    }


def person(random: Random) -> str:
    """Family name, given name, patronymic; three people of five are Russian."""
    language = languages()["ru" if random.random() < 0.6 else "kk"]
    father = random.choice(language.men)
    man, woman = random.choice(language.families)
    if random.random() < 0.5:
        return f"{man} {random.choice(language.men).name} {father.son}"
    return f"{woman} {random.choice(language.women)} {father.daughter}"


def addresses(random: Random, count: int) -> list[str]:
    """As many different addresses of the one town, in no order: houses, and flats of houses."""
    streets = _listed(_texts()["streets"])
    found: list[str] = []
    house = 0
    while len(found) < count:
        house += 1
        for street in streets:
            flats = random.choice((1, 1, 4, 8, 12, 24))
            place = f"{TOWN}, {street}, д. {house}"
            found += [place] if flats == 1 else [f"{place}, кв. {flat}" for flat in range(1, flats + 1)]
    del found[count:]
    random.shuffle(found)
    return found


def phone(random: Random) -> str:
    """Under a code that no telephone has."""
    return f"+7000{random.randrange(10**7):07}"


@cache
def _texts() -> dict[str, Any]:
    return tomllib.loads(resources.files("kvit.simulator").joinpath("names.toml").read_text("utf-8"))


def _listed(text: str) -> list[str]:
    """What commas and line ends part."""
    return [part.strip() for line in text.split("\n") for part in line.split(",") if part.strip()]


def _forms(family: str) -> tuple[str, str]:
    """``Орлов/а`` -> Орлов, Орлова; ``Вишневский/Вишневская`` as they stand; ``Седых`` twice."""
    man, slash, woman = family.partition("/")
    if not slash:
        return man, man
    return man, man + woman if woman.islower() else woman
