"""What an agent may ask, and what we may answer.

Every protocol decodes its requests to these commands and encodes its answers from these results, so
that the services never see a bank's bytes. Standard library only, Python 3.9 syntax: this module also
runs on cheap hosting.

Sums are integers of minor units. Network times are *local to the agreement's zone*: the codec gives
ISO text without a zone (``2025-03-14T09:15:30``), the service converts. Where a network counts from 1970
the text has the offset of UTC (``2025-03-14T06:15:30.250+00:00``).

A payment of a two-phase protocol is first held (``Hold``), then posted (``Post`` with ``held``) or released
(``Void``): the same ``txn`` all the way. Nothing is booked before it is posted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Optional, Tuple, Union

Fields = Tuple[Tuple[str, str], ...]


# --- commands: what the agent asks -------------------------------------------------------------


@dataclass(frozen=True)
class Lookup:
    """Can client ``number`` be paid, and how much is owed?

    ``amount_minor`` is ``None`` where the sum of a check is a dummy, as it is with most networks. A sum is
    one that the payer is about to pay, and that the network wants judged (Payme, M-Pesa).
    """

    txn: str
    number: str
    service: str = ""
    fields: Fields = ()
    amount_minor: Optional[int] = None


@dataclass(frozen=True)
class Hold:
    """``amount_minor`` is about to be taken for client ``number``: say that it will be accepted.

    The hold ends by itself ``lifetime_s`` seconds after we took it (0: it does not). All else is as in
    ``Post``.
    """

    txn: str
    number: str
    amount_minor: int
    currency: str = ""
    service: str = ""
    network_time: str = ""
    network_time_raw: str = ""
    fields: Fields = ()
    lifetime_s: int = 0


@dataclass(frozen=True)
class Post:
    """``amount_minor`` was taken for client ``number`` under the network's id ``txn``: book it.

    ``currency`` is empty where the protocol does not name one. ``network_time`` is ISO local time;
    ``network_time_raw`` the network's own text, kept as it came. Neither they nor ``fields`` are part
    of the payment's content.

    ``held``: the payment was held before, and is posted as it was held. ``number`` is then empty and
    ``amount_minor`` 0, but where the network repeats them: those must agree with what is held. So must
    ``receipt``, the one that our answer to the hold gave, where the network sends it back.

    ``taken``: the money is already taken, and the network will not hear a "no". What cannot be booked to a
    client goes to ``suspense``; limits and dates are not looked at. ``booked_on`` (ISO): the day that a
    bank's file names, which counts whatever the clocks say. ``given_receipt``: the receipt that a relay has
    given for it already, verified by the caller; a new payment is booked under it (0: under one of our own).
    """

    txn: str
    number: str
    amount_minor: int
    currency: str = ""
    service: str = ""
    network_time: str = ""
    network_time_raw: str = ""
    fields: Fields = ()
    held: bool = False
    receipt: int = 0
    taken: bool = False
    booked_on: str = ""
    given_receipt: int = 0


@dataclass(frozen=True)
class Void:
    """Take a payment back, or release what is held: known by the network's ``txn`` or by our ``receipt``.

    At least one of the two is set; with both they must agree. ``number`` and ``amount_minor``, where the
    protocol repeats them, must agree with what is booked. ``void_txn`` is the network's id of the
    cancellation itself, ``reason`` its own word or number for why. ``only_held``: a payment that is posted
    stays as it is, whatever the agreement allows; what failed was the network's own part.
    """

    txn: str = ""
    receipt: int = 0
    void_txn: str = ""
    number: str = ""
    amount_minor: Optional[int] = None
    reason: str = ""
    only_held: bool = False


@dataclass(frozen=True)
class Status:
    """What became of payment ``txn``?"""

    txn: str


@dataclass(frozen=True)
class ListPosted:
    """Which payments were there from ``since`` to ``until``, both inclusive?

    ISO dates: the posted payments of these accounting days. ISO times (as network times are written): the
    posted ones by the network's own time, or by ours where it named none. ``every_state``: all that were
    ever held or posted, by the network's time of the hold, released and voided ones too.
    """

    since: str
    until: str
    every_state: bool = False


@dataclass(frozen=True)
class Note:
    """Keep ``fields`` with payment ``txn``: facts that came after it, such as a fiscal receipt.

    ``kind`` says what they are about; the last ones of a kind count, and none is thrown away.
    """

    txn: str
    kind: str
    fields: Fields = ()


Command = Union[Lookup, Hold, Post, Void, Status, ListPosted, Note]


# --- results: what we answer -------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """The client can be paid. ``due_minor`` >= 0 is owed now; ``display_name`` is already masked.

    ``number`` is what was asked: an account's number, or that of an invoice. ``exact``: nothing but
    ``due_minor`` is taken, and once (an invoice).
    """

    number: str
    due_minor: int
    advance_minor: int
    currency: str
    display_name: str = ""
    exact: bool = False


@dataclass(frozen=True)
class NoSuchAccount:
    """Nobody has this number."""

    number: str = ""


@dataclass(frozen=True)
class Held:
    """The payment is expected and will be accepted until ``expires_at``. ``repeat``: it was held before.

    Times are as in ``Posted``.
    """

    txn: str
    receipt: int
    number: str
    amount_minor: int
    currency: str
    held_at: datetime
    expires_at: Optional[datetime] = None
    network_at: Optional[datetime] = None
    service: str = ""
    repeat: bool = False


@dataclass(frozen=True)
class Posted:
    """The payment is in the books. ``repeat``: it was there before this request.

    ``received_at`` is when we booked it, ``held_at`` when we held it before (if we did), ``network_at`` the
    network's own time (if it named one), of the hold where there was one. All are aware, in the
    agreement's zone.
    """

    txn: str
    receipt: int
    number: str
    amount_minor: int
    currency: str
    received_at: datetime
    network_at: Optional[datetime] = None
    service: str = ""
    repeat: bool = False
    held_at: Optional[datetime] = None


@dataclass(frozen=True)
class Voided:
    """The payment was taken back, or its hold ended. ``repeat``: it had been before this request.

    ``posted`` is the payment's first result: what a network that wants its first answer again is told
    when it repeats the payment itself; without it the payment was never posted, only ``held``. A hold that
    ended by itself has ``EXPIRED`` as its reason.
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
    held: Optional[Held] = None


#: The reason of a hold that ended by itself.
EXPIRED = "expired"


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
    """The payments asked for, oldest first: posted ones, and with ``every_state`` the others as well."""

    items: Tuple[Union[Posted, Held, Voided], ...] = ()


@dataclass(frozen=True)
class Noted:
    """The facts are kept with the payment."""

    txn: str


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
    Found, NoSuchAccount, Held, Posted, Voided, BadAmount, Conflict, NoSuchTxn, Refused, Statement,
    Noted, Malformed, Denied, TryLater,
]  # fmt: skip

#: What ``Refused.reason`` may be; every protocol's code table answers each of them.
REFUSALS = (
    "account-closed",  # the client's account takes no more payments
    "agreement-closed",  # outside the agreement's validity dates
    "currency",  # another currency than the agreement's
    "service",  # a service this agreement does not collect for
    "void-forbidden",  # the agreement does not let the network take posted payments back
    "already-paid",  # the invoice is paid
    "being-paid",  # the invoice is held for another payment
    "too-many",  # a list of more payments or days than one answer may hold
)


# --- the envelope both sides of a codec speak ----------------------------------------------------


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request as an agent sends it. ``path`` is what follows the agreement's door.

    Header names are lower case. ``query`` and ``body`` are the raw bytes. ``at``, aware, is when it came in:
    for networks that want a time in answers whose result names none.
    """

    method: str = "GET"
    path: str = ""
    query: bytes = b""
    headers: Tuple[Tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    at: Optional[datetime] = field(default=None, compare=False)


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response as we send it."""

    status: int = 200
    headers: Tuple[Tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    # Not bytes on the wire: what the log may say about this answer (a protocol's own result code).
    code: str = field(default="", compare=False)
