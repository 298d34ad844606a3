"""Registers and statements taken in: agreements, presets, formats, the kept file and the import put together.

What comes by a channel and what a person gives at the shell goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import NamedTuple

from kvit.domain.errors import NotAllowed, NotFound
from kvit.domain.lines import REGISTER, STATEMENT, Batch, FileFacts
from kvit.domain.model import Agreement, Biller
from kvit.files.base import ByteSource, Reading, ReadOptions
from kvit.files.formats import FORMATS
from kvit.files.recognising import read_file
from kvit.files.registers.checking import READY
from kvit.main import House, load_agreements
from kvit.services.intake import rules
from kvit.services.intake.registers import RegisterSource
from kvit.services.intake.run import Office, Outcome, ReadFile, Source, look, run
from kvit.services.intake.statements import StatementSource
from kvit.services.intake.words import Decided
from kvit.services.presets import Preset, find_preset
from kvit.services.settling.making import By
from kvit.services.settling.waiting import settle_certain
from kvit.storage import file_store
from kvit.storage.intake import SqlIntake
from kvit.storage.presets import SqlPresets
from kvit.storage.settlements import SqlSettlements

_CHUNK_BYTES = 1 << 20


class Wish(NamedTuple):
    """What is to be taken in. ``despite_totals``: although control totals do not hold, and why."""

    file: ByteSource
    kind: str
    agreement_id: str = ""
    format: str = ""
    encoding: str = ""
    preset: str = ""
    dry_run: bool = False
    despite_totals: str = ""


def _nothing(_what: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Hearing:
    """Who is told of every line, and of the number of lines done."""

    told: Callable[[Decided], None] = _nothing
    progress: Callable[[int], None] = _nothing


@dataclass(slots=True)
class Taken:
    """One file that was read (an archive may hold several) and what became of it.

    ``settled``: agents' lump sums that could be settled after the last of them.
    """

    name: str
    facts: FileFacts
    outcome: Outcome
    agreement_id: str
    notes: list[str] = field(default_factory=list)
    settled: int = 0


def take(opened: House, biller: Biller, author: str, wish: Wish, hearing: Hearing) -> list[Taken]:
    """Look at, or import, a file. Raises ``FileRefused``, ``NotFound``, ``NotAllowed`` with nothing done.

    The whole file is read first: one that was cut off, or whose totals do not hold, changes nothing.
    """
    agreements = [one for one in load_agreements(opened) if one.biller_id == biller.biller_id]
    agreement = _agreement(agreements, wish) if wish.kind == REGISTER else None
    preset = _preset(opened, biller, agreement, wish)
    options = _options(biller, agreement, wish, preset)
    wanted = (
        wish.format or ("" if wish.preset else _agreed_format(agreement)) or (preset.format if preset else "")
    )
    readings = [(file, reading) for file, reading in read_file(wish.file, options, wanted)]
    for file, reading in readings:
        _check(file, reading, wish)
    taken = []
    for file, reading in readings:
        digest = _digest(file)
        if not wish.dry_run:
            with file.open() as stream:
                file_store.keep(opened.database, biller.biller_id, _chunks(stream.read))
        read = ReadFile(file.name, digest, wish.kind, _Batches(reading), partial(_facts, reading))
        taken.append(_one(opened, biller, author, read, _Parts(agreements, agreement, wish, hearing)))
    if taken and not wish.dry_run:
        taken[-1].settled = _settled(opened, biller, author, agreements)
    return taken


def _settled(opened: House, biller: Biller, author: str, agreements: list[Agreement]) -> int:
    """Lump sums that now come to the last unit are settled; all else waits for a person."""
    if not any(one.files.settlement is not None for one in agreements):
        return 0
    store = SqlSettlements(opened.database, biller.biller_id, agreements)
    return len(settle_certain(store, By(author, opened.clock.now())))


class _Parts(NamedTuple):
    agreements: list[Agreement]
    agreement: Agreement | None
    wish: Wish
    hearing: Hearing


def _one(opened: House, biller: Biller, author: str, read: ReadFile, parts: _Parts) -> Taken:
    hearing, agreement = parts.hearing, parts.agreement
    with SqlIntake(opened.database, biller.biller_id).at_work() as store:
        office = Office(store, opened.clock, author, hearing.told, hearing.progress)
        settings = store.read(rules.settings)
        made: dict[str, Source] = {}

        def sources(own_account: str) -> Source:
            key = "" if agreement is not None else own_account
            if key not in made:
                made[key] = (
                    RegisterSource(agreement)
                    if agreement is not None
                    else StatementSource(biller, own_account, parts.agreements, settings)
                )
            return made[key]

        agreement_id = "" if agreement is None else agreement.agreement_id
        work = look if parts.wish.dry_run else run
        outcome = work(office, read, sources, agreement_id)
    taken = Taken(read.name, read.facts(), outcome, agreement_id)
    if outcome.resumed:
        taken.notes.append("An earlier import of this file was broken off; it is complete now.")
    taken.notes += taken.facts.notes
    return taken


def _facts(reading: Reading) -> FileFacts:
    return reading.facts


class _Batches:
    """The batches of a reading, anew each time that they are asked for."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __iter__(self) -> Iterator[Batch]:
        return self._reading.batches()


def _check(file: ByteSource, reading: Reading, wish: Wish) -> None:
    """Read everything once: nothing of a file that is cut off goes into the books."""
    form = FORMATS[reading.facts.format]
    if form.kind != wish.kind:
        other = "kvit statement import" if form.kind == STATEMENT else "kvit register import"
        raise NotAllowed(f"{file.name} is a {form.kind} ({form.title}); take it in with `{other}`")
    if wish.dry_run and wish.kind == REGISTER:  # a look reads all of it, and tells what is wrong
        return
    bad_count = sum(len(batch.bad) for batch in reading.batches())
    problems = reading.facts.problems
    # Lines that cannot be read explain totals that do not hold: they wait in quarantine, and block nothing.
    if problems and not bad_count and not wish.despite_totals and not wish.dry_run:
        raise NotAllowed(
            f"{file.name}: {' '.join(problems)} The file may have been cut off or altered: ask for it again. "
            "Nothing was imported; --despite-totals REASON imports it all the same"
        )


def _agreement(agreements: list[Agreement], wish: Wish) -> Agreement:
    """The one named, or the only one that this register may be of."""
    names = ", ".join(one.agreement_id for one in agreements) or "none"
    if wish.agreement_id:
        for one in agreements:
            if one.agreement_id == wish.agreement_id:
                return one
        raise NotFound(f"there is no agreement {wish.agreement_id}; known: {names}")
    expecting = [one for one in agreements if one.files.register is not None] or agreements
    if wish.format:
        agreed = [one for one in expecting if _agreed_format(one) == wish.format]
        expecting = agreed or expecting
    if len(expecting) != 1:
        raise NotFound(f"whose register is it? Add --agreement with one of: {names}")
    return expecting[0]


def _agreed_format(agreement: Agreement | None) -> str:
    terms = None if agreement is None else agreement.files.register
    return "" if terms is None else terms.format


def _preset(opened: House, biller: Biller, agreement: Agreement | None, wish: Wish) -> Preset | None:
    """The column map that was asked for, or the agreed one. Raises ``NotFound``."""
    terms = None if agreement is None else agreement.files.register
    name = wish.preset or ("" if terms is None else terms.preset)
    if not name:
        return None
    with opened.database.read() as connection:
        return find_preset(SqlPresets(connection, biller.biller_id), name, READY)


def _options(biller: Biller, agreement: Agreement | None, wish: Wish, preset: Preset | None) -> ReadOptions:
    """What the preset says, and above it what the agreement says; one that was asked for stands alone."""
    terms = None if agreement is None else agreement.files.register
    timezone = biller.timezone if agreement is None else agreement.timezone
    options = {"agreement_timezone": timezone} | (dict(preset.options) if preset else {})
    columns = dict(preset.columns) if preset else {}
    if terms is not None and not wish.preset:
        options |= dict(terms.options)
        columns |= dict(terms.columns)
    encoding = wish.encoding or (preset.encoding if preset else "")
    return ReadOptions(biller.currency, encoding, columns, options)


def _digest(file: ByteSource) -> str:
    digest = sha256()
    with file.open() as stream:
        for chunk in _chunks(stream.read):
            digest.update(chunk)
    return digest.hexdigest()


def _chunks(read: Callable[[int], bytes]) -> Iterator[bytes]:
    while chunk := read(_CHUNK_BYTES):
        yield chunk
