"""Whose address is it: networks, trusted proxies, and what a log may hold of an address.

Standard library only, Python 3.9 syntax: this module also runs on cheap hosting.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Dict, Iterable, Optional, Union

#: How many answers are remembered, and for texts of which length: whoever writes them may write anything.
_KNOWN_MAX = 10_000
_ADDRESS_SIZE_MAX = 64

_WITH_PORT = re.compile(r"([0-9.]{7,15}):[0-9]{1,5}|\[([0-9A-Fa-f:.]{2,45})\](?::[0-9]{1,5})?")


def _plain(address: Union[IPv4Address, IPv6Address]) -> Union[IPv4Address, IPv6Address]:
    """An IPv4 address that came in IPv6 clothes is an IPv4 address."""
    mapped: Optional[IPv4Address] = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


class Networks:
    """A list of networks, and whether an address is in one; answers are remembered."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(network) for network in networks]
        #: Addresses that were looked at before.
        self.known: Dict[str, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, text: str) -> bool:
        known = self.known.get(text)
        if known is None and len(text) > _ADDRESS_SIZE_MAX:
            return False
        if known is None:
            known = self._look(text)
            if len(self.known) >= _KNOWN_MAX:
                self.known.clear()
            self.known[text] = known
        return known

    def _look(self, text: str) -> bool:
        try:
            address = _plain(ip_address(text))
        except ValueError:
            return False
        return any(
            address.version == network.version and address in network
            for network in self._networks
            if not (isinstance(network, IPv6Network) and address.version == 4)
        )


def client_address(peer: str, forwarded_for: Iterable[bytes], trusted: Networks) -> str:
    """The true address of a client: the first one from the right that is no trusted proxy.

    Without trusted proxies the header is not looked at; what cannot be read is nobody's address.
    """
    if not trusted or peer not in trusted:
        return peer
    hops = [_without_port(hop.strip()) for line in forwarded_for for hop in line.decode("latin-1").split(",")]
    for hop in reversed(hops):
        if hop not in trusted:
            return hop
    return peer


def readable(address: str) -> str:
    """An address as a log may hold it; what is none is not repeated."""
    try:
        return "from " + str(_plain(ip_address(address[:_ADDRESS_SIZE_MAX])))
    except ValueError:
        return "from no address"


def _without_port(hop: str) -> str:
    """``192.0.2.1:4711`` and ``[2001:db8::1]:4711``, as some proxies write, without the port."""
    found = _WITH_PORT.fullmatch(hop)
    return (found[1] or found[2]) if found else hop
