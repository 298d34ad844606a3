"""Who the other side is, by its certificate."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path

from kvit.channels.base import Option, Settings
from kvit.services.travel.errors import ChannelBroken

OPTIONS: dict[str, Option] = {
    "ca": Option("a file with the bank's own certificate authority (PEM), where the system's list lacks it"),
}


def check(settings: Settings) -> dict[str, str]:
    if settings["ca"] and not Path(settings["ca"]).is_absolute():
        return {"options.ca": "write the whole path, from / on"}
    return {}


def context(settings: Settings) -> ssl.SSLContext:
    """Names and dates of certificates are checked. Raises ``ChannelBroken`` for a bad file of authorities."""
    try:
        return ssl.create_default_context(cafile=settings["ca"] or None)
    except (OSError, ssl.SSLError) as error:
        raise ChannelBroken(f"option ca: {settings['ca']}: {error}") from error


def is_this_machine(host: str) -> bool:
    """May secrets go there in clear?"""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
