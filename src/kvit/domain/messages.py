"""What an agent may ask, and what we may answer.

Every protocol decodes its requests to these commands and encodes its answers from these results, so
that the services never see a bank's bytes. Standard library only, Python 3.9 syntax: this module also
runs on cheap hosting.

Sums are integers of minor units. Network times are *local to the agreement's zone*: the codec gives
ISO text without a zone (``2025-03-14T09:15:30``), the service converts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional, Tuple, Union

Fields = Tuple[Tuple[str, str], ...]


# --- commands: what the agent asks -------------------------------------------------------------


@dataclass(frozen=True)
class Lookup:
    """Can client ``number`` be paid, and how much is owed? The check sum is a dummy and not here."""

    txn: str
    number: str
    service: str = ""
    fields: Fields = ()


@dataclass(frozen=True)
class Post:
    """``amount_minor`` was taken for client ``number`` under the network's id ``txn``: book it.

    ``currency`` is empty where the protocol does not name one. ``network_time`` is ISO local time;
    ``network_time_raw`` the network's own text, kept as it came. Neither they nor ``fields`` are part
    of the payment's content.
    """

    txn: str
    number: str
    amount_minor: int
    currency: str = ""
    service: str = ""
    network_time: str = ""
    network_time_raw: str = ""
    fields: Fields = ()


@dataclass(frozen=True)
class Void:
    """Take a payment back: known by the network's ``txn`` or by our ``receipt`` (one of them is set).

    ``number`` and ``amount_minor``, where the protocol repeats them, must agree with what is booked.
    ``void_txn`` is the network's id of the cancellation itself.
    """

    txn: str = ""
    receipt: int = 0
    void_txn: str = ""
    number: str = ""
    amount_minor: Optional[int] = None
    reason: str = ""


@dataclass(frozen=True)
class Status:
    """What became of payment ``txn``?"""

    txn: str


@dataclass(frozen=True)
class ListPosted:
    """Which payments were taken from day ``since`` to day ``until`` (ISO dates, inclusive)?"""

    since: str
    until: str


Command = Union[Lookup, Post, Void, Status, ListPosted]


# --- results: what we answer -------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """The client can be paid. ``due_minor`` >= 0 is owed now; ``display_name`` is already masked."""

    number: str
    due_minor: int
    advance_minor: int
    currency: str
    display_name: str = ""


@dataclass(frozen=True)
class NoSuchAccount:
    """Nobody has this number."""

    number: str = ""


@dataclass(frozen=True)
class Posted:
    """The payment is in the books. ``repeat``: it was there before this request.

    ``received_at`` is when we first booked it, aware, in the agreement's zone; ``network_time`` the
    network's own time, ISO local, empty where it named none.
    """

    txn: str
    receipt: int
    number: str
    amount_minor: int
    currency: str
    received_at: datetime
    network_time: str = ""
    service: str = ""
    repeat: bool = False


@dataclass(frozen=True)
class Voided:
    """The payment was taken back. ``repeat``: it had been before this request.

    ``posted`` is the payment's first result: what a network that wants its first answer again is told
    when it repeats the payment itself.
    """

    txn: str
    receipt: int
    number: str
    amount_minor: int
    currency: str
    at: datetime
    reason: str = ""
    void_txn: str = ""
    repeat: bool = False
    posted: Optional[Posted] = None


@dataclass(frozen=True)
class BadAmount:
    """The sum is outside the agreement's limits (either may be absent)."""

    amount_minor: int
    low_minor: Optional[int] = None
    high_minor: Optional[int] = None


@dataclass(frozen=True)
class Conflict:
    """This ``txn`` is known with another account, sum, currency or service. Nothing was changed."""

    txn: str


@dataclass(frozen=True)
class NoSuchTxn:
    """No payment of this agreement has this id."""

    txn: str = ""


@dataclass(frozen=True)
class Refused:
    """A final no that is about the account or the agreement; ``reason`` is one of ``REFUSALS``."""

    reason: str


@dataclass(frozen=True)
class Statement:
    """The payments asked for, oldest first."""

    items: Tuple[Posted, ...] = ()


@dataclass(frozen=True)
class Malformed:
    """The agent's mistake: ``parameter`` is what is wrong, ``reason`` why (plain ASCII, no values)."""

    parameter: str
    reason: str = "malformed"


@dataclass(frozen=True)
class Denied:
    """The agent did not prove who it is."""

    reason: str = "credentials"


@dataclass(frozen=True)
class TryLater:
    """We do not know, or we are unwell: ask again. The only answer that is not final."""

    reason: str = "temporary"


Result = Union[
    Found, NoSuchAccount, Posted, Voided, BadAmount, Conflict, NoSuchTxn, Refused, Statement,
    Malformed, Denied, TryLater,
]  # fmt: skip

#: What ``Refused.reason`` may be; every protocol's code table answers each of them.
REFUSALS = (
    "account-closed",  # the client's account takes no more payments
    "agreement-closed",  # outside the agreement's validity dates
    "currency",  # another currency than the agreement's
    "service",  # a service this agreement does not collect for
    "void-forbidden",  # the agreement does not let the network take payments back
)


# --- the envelope both sides of a codec speak ----------------------------------------------------


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request as an agent sends it. ``path`` is what follows the agreement's door.

    Header names are lower case. ``query`` and ``body`` are the raw bytes.
    """

    method: str = "GET"
    path: str = ""
    query: bytes = b""
    headers: Tuple[Tuple[bytes, bytes], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response as we send it."""

    status: int = 200
    headers: Tuple[Tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    # Not bytes on the wire: what the log may say about this answer (a protocol's own result code).
    code: str = field(default="", compare=False)
