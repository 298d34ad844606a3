"""What an agreement says about files: which go out, which come in, by what way and when. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field

#: (name, text) pairs in the order of the file.
Pairs = tuple[tuple[str, str], ...]

#: What a debt register is about.
BY_ACCOUNT = "accounts"
BY_INVOICE_ROW = "invoices"
#: All that is owed, or only what the bank was not told yet.
FULL = "full"
CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class DebtTerms:
    """The register of debts that goes to the agent.

    ``rows``: one row a client (``BY_ACCOUNT``) or one a debt. ``paid``: clients who owe nothing are left
    out (``leave``) or stay with 0.00 (``zero``). ``advance``: an advance is told as 0 (``zero``) or
    below zero (``negative``). ``options``: the format's own switches; ``columns``: (header, field) of
    table formats, in the order of the columns.
    """

    format: str
    rows: str = BY_ACCOUNT
    contents: str = FULL
    paid: str = "leave"
    advance: str = "zero"
    options: Pairs = ()
    columns: Pairs = ()


@dataclass(frozen=True, slots=True)
class RegisterTerms:
    """The registers of payments that come from the agent.

    ``format`` empty: found out by content. ``preset``: a saved column map. ``amount``: the client is
    credited what was ``paid``, or only what is paid out (``net``). ``columns``: (field, header).
    """

    format: str = ""
    preset: str = ""
    amount: str = "paid"
    options: Pairs = ()
    columns: Pairs = ()


@dataclass(frozen=True, slots=True)
class SettlementTerms:
    """How the agent's lump sum is known on the statement, and what it has kept.

    Any of ``payer_accounts`` (numbers or IBANs), or any of ``words`` in the text, makes a line the agent's.
    ``rounding`` of the fee: each payment's by itself (``row``) or once on the ``total``. ``withheld``: the
    fee is taken off the lump sum; else it is billed apart.
    """

    payer_accounts: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    rounding: str = "row"
    withheld: bool = True


@dataclass(frozen=True, slots=True)
class ChannelTerms:
    """How files travel: ``kind`` is ``folder``, ``sftp``, ``mail`` or ``https``. Secrets are apart."""

    kind: str
    options: Pairs = ()
    secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class ScheduleTerms:
    """When: five fields of cron in the agreement's zone, empty for never.

    ``send``: a debt register goes out; ``fetch``: the channel is looked at; ``expect``: by then the
    payment register of the day before must be here. ``holidays``: ISO days and days of the week (``sat``)
    on which nothing is sent or expected.
    """

    send: str = ""
    fetch: str = ""
    expect: str = ""
    holidays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileTerms:
    """Everything about files; each part may be absent."""

    debts: DebtTerms | None = None
    register: RegisterTerms | None = None
    settlement: SettlementTerms | None = None
    channel: ChannelTerms | None = None
    schedule: ScheduleTerms | None = None


#: An agreement that says nothing about files.
NO_FILES = FileTerms()
