"""The list of protocols. A new protocol is one file in this folder and one line here.

Standard library only, Python 3.9 syntax: protocols also run on cheap hosting.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Mapping

# isort: off
from kvit.protocols import (
    click, cyberplat, kaspi, kassa24, mpesa, native, payme, paynet, qiwi, sberbank, sberbank2, uzum,
)  # fmt: skip

# isort: on
from kvit.protocols.base import Protocol

#: Every protocol that an agreement may name, by that name.
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            click.PROTOCOL,
            cyberplat.PROTOCOL,
            kaspi.PROTOCOL,
            kassa24.PROTOCOL,
            mpesa.PROTOCOL,
            native.PROTOCOL,
            payme.PROTOCOL,
            paynet.PROTOCOL,
            qiwi.PROTOCOL,
            sberbank.PROTOCOL,
            sberbank2.PROTOCOL,
            uzum.PROTOCOL,
        )
    }
)  # fmt: skip
