"""The network between agents and the door: it loses, doubles, delays, overtakes and cuts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random
from typing import Any

from kvit.domain.messages import Command, HttpRequest, HttpResponse
from kvit.domain.model import Agreement
from kvit.protocols.base import Heard
from tests.simulation.plan import WEATHERS, Weather
from tests.simulation.witness import Visit, Witness
from tests.simulation.world import QIWI, World

_CALM = WEATHERS[0]
_RESET_S = 0.01


@dataclass(eq=False)
class Parcel:
    """A request of an agent; ``answer`` is what it hears first, ``None`` for a broken connection."""

    number: int
    agreement: Agreement
    command: Command
    request: HttpRequest
    answer: asyncio.Future[Heard | None]

    def hear(self, heard: Heard | None) -> None:
        if not self.answer.done():
            self.answer.set_result(heard)


@dataclass(eq=False)
class _Journey:
    """What becomes of one copy of a parcel, drawn when it is sent."""

    parcel: Parcel
    is_first: bool
    is_cut: bool
    body_s: float
    back_s: float
    is_lost_on_return: bool


@dataclass
class Wire:
    world: World
    witness: Witness
    chance: Random
    sent: int = 0
    #: Set while no request is under way, to the door or at it.
    is_idle: asyncio.Event = field(default_factory=asyncio.Event)
    _travelling: int = 0
    _outgoing: list[tuple[Visit, _Journey, HttpResponse]] = field(default_factory=list)

    def send(self, agreement_id: str, command: Command) -> Parcel:
        world, chance = self.world, self.chance
        weather = _CALM if world.is_quiet else world.plan.weather
        request = QIWI.ask(command, world.terms[agreement_id])
        self.sent += 1
        parcel = Parcel(
            self.sent, world.plan.agreements[agreement_id], command, request, world.loop.create_future()
        )
        world.trace.note("wire", "{} is sent by {}: {}", self.sent, agreement_id, command)
        copies = 1 + (chance.random() < weather.doubled)
        for copy in range(copies):
            lost = chance.random() < weather.lost
            there_s = self._delay_s(weather) + (chance.choice((0.0, chance.uniform(0, 10))) if copy else 0.0)
            journey = _Journey(
                parcel, copy == 0, chance.random() < weather.cut, chance.uniform(0, 0.02),
                self._delay_s(weather), chance.random() < weather.lost,
            )  # fmt: skip
            if lost:
                world.trace.note("wire", "{} is lost", parcel.number)
                world.trace.counts["request lost"] += 1
                continue
            self._travelling += 1
            self.is_idle.clear()
            world.loop.call_later(there_s, self._arrive, journey)
        world.trace.counts["request doubled"] += copies - 1
        return parcel

    def _delay_s(self, weather: Weather) -> float:
        chance = self.chance
        return chance.uniform(0.05, 7.0) if chance.random() < weather.slow else chance.uniform(0.001, 0.02)

    def _arrive(self, journey: _Journey) -> None:
        process, parcel = self.world.process, journey.parcel
        if process is None or not process.is_open:
            self.world.trace.note("wire", "{} finds nobody", parcel.number)
            self._done()
            if journey.is_first:
                self.world.loop.call_later(_RESET_S, parcel.hear, None)
            return
        request = parcel.request
        if journey.is_cut and not request.body:
            self.cut_off(parcel)
            return
        visit = self.witness.enters(parcel.number, parcel.agreement, parcel.command)
        caller = _Caller(self, visit, journey)
        process.serve(_scope(parcel), caller.receive, caller.send, caller.broken)

    def answered(self, visit: Visit, journey: _Journey, response: HttpResponse) -> None:
        """Answers of one moment go out in the order of their visits, whichever task came first."""
        if not self._outgoing:
            self.world.loop.call_soon(self._flush)
        self._outgoing.append((visit, journey, response))

    def _flush(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        outgoing.sort(key=lambda answer: answer[0].number)
        for visit, journey, response in outgoing:
            self._done()
            heard = self.witness.answered(visit, response)
            if journey.is_lost_on_return:
                self.world.trace.note("wire", "the answer to {} is lost", visit.request)
                self.world.trace.counts["answer lost"] += 1
            elif journey.is_first:  # nobody listens to what a copy is answered
                self.world.loop.call_later(journey.back_s, journey.parcel.hear, heard)

    def cut_off(self, parcel: Parcel) -> None:
        """Less than the whole request came: the door hears of it only if it was reading the body."""
        self.world.trace.note("wire", "{} is cut off", parcel.number)
        self.world.trace.counts["request cut"] += 1
        self._done()

    def reset(self, journey: _Journey) -> None:
        self._done()
        if journey.is_first:
            self.world.loop.call_later(_RESET_S, journey.parcel.hear, None)

    def _done(self) -> None:
        self._travelling -= 1
        if not self._travelling:
            self.is_idle.set()


def _scope(parcel: Parcel) -> dict[str, Any]:
    request = parcel.request
    headers = list(request.headers)
    if request.body:
        headers.append((b"content-length", str(len(request.body)).encode()))
    return {
        "type": "http", "method": request.method, "path": "/pay/" + parcel.agreement.agreement_id,
        "raw_path": b"", "query_string": request.query, "headers": headers, "client": ("192.0.2.1", 4711),
    }  # fmt: skip


class _Caller:
    """The two functions of ASGI for one visit."""

    def __init__(self, wire: Wire, visit: Visit, journey: _Journey) -> None:
        self._wire = wire
        self._visit = visit
        self._journey = journey
        body = journey.parcel.request.body
        half = len(body) // 2
        self._chunks = [body[:half], body[half:]] if body else [b""]
        self._start: dict[str, Any] = {}
        self._over = False
        if not body:  # then the door need not ask for it
            wire.witness.arrived(visit)

    async def receive(self) -> dict[str, Any]:
        chunk = self._chunks.pop(0)
        if self._chunks:
            return {"type": "http.request", "body": chunk, "more_body": True}
        if not self._journey.parcel.request.body:
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.sleep(self._journey.body_s)
        if self._journey.is_cut:
            self._over = True
            self._wire.cut_off(self._journey.parcel)
            return {"type": "http.disconnect"}
        self._wire.witness.arrived(self._visit)
        return {"type": "http.request", "body": chunk, "more_body": False}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._over = True
        response = HttpResponse(self._start["status"], tuple(self._start["headers"]), message["body"])
        self._wire.answered(self._visit, self._journey, response)

    def broken(self) -> None:
        if not self._over:
            self._over = True
            self._wire.reset(self._journey)
