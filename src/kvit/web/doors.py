"""The agents' doors: one for each agreement, with its protocol, its terms and who may knock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kvit.domain.model import Agreement
from kvit.domain.networks import Networks as Networks
from kvit.domain.networks import client_address as client_address
from kvit.domain.networks import readable as readable
from kvit.protocols.base import Protocol, Terms

PREFIX = "/pay/"


@dataclass(slots=True)
class Door:
    """One agreement, ready to answer."""

    agreement: Agreement
    protocol: Protocol
    terms: Terms
    networks: Networks = field(init=False)

    def __post_init__(self) -> None:
        self.networks = Networks(self.agreement.networks)

    def admits(self, address: str) -> bool:
        """An agreement without networks relies on its credentials alone."""
        networks = self.networks
        return networks.known.get(address) or not networks or address in networks


class Directory:
    """The doors by agreement id; replaced as a whole when agreements change."""

    def __init__(self) -> None:
        self._doors: dict[str, Door] = {}
        self._paths: dict[str, Door] = {}
        self._closed: frozenset[str] = frozenset()
        self._all_closed = False

    def replace(self, doors: Iterable[Door], closed: Iterable[str] = ()) -> None:
        """Open these doors. ``closed``: agreements that are there and cannot be served now."""
        self._doors = {door.agreement.agreement_id: door for door in doors}
        self._paths = {PREFIX + agreement_id: door for agreement_id, door in self._doors.items()}
        self._closed, self._all_closed = frozenset(closed), False

    def close_all(self) -> None:
        """No door is open until the next ``replace``: it is not known whom this server may answer."""
        self._doors, self._paths, self._all_closed = {}, {}, True

    def get(self, agreement_id: str) -> Door | None:
        return self._doors.get(agreement_id)

    def at(self, path: str) -> Door | None:
        """The door whose whole address is ``path``."""
        return self._paths.get(path)

    def is_closed(self, agreement_id: str) -> bool:
        """Is (or may be) there an agreement behind a door that does not open?"""
        return self._all_closed or agreement_id in self._closed

    def doors(self) -> list[Door]:
        return list(self._doors.values())
