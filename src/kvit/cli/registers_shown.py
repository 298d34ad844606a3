"""What the commands about registers of debts share: the office, and how registers are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from kvit.cli.agreement_choice import choose_agreement
from kvit.cli.shared import author, choose_biller, house, print_table
from kvit.domain.days import from_us
from kvit.domain.file_rows import DebtRegisterRow, DebtRejectRow
from kvit.domain.money import format_amount
from kvit.main.debts import debt_office
from kvit.services.debts.ports import DebtOffice

AGREEMENT = typer.Option("", "--agreement", help="The agreement's id, where there are several.")
NUMBER = typer.Option(..., "--number", help="The register's number.", min=1)


@contextmanager
def office_of(agreement: str, biller: str) -> Iterator[DebtOffice]:
    """The house opened for one agreement's registers."""
    with house() as opened:
        owner = choose_biller(opened, biller)
        yield debt_office(opened, owner, choose_agreement(opened, owner, agreement), author())


def as_json(office: DebtOffice, row: DebtRegisterRow) -> dict[str, Any]:
    """One register for programs."""
    zone = office.agreement.timezone

    def instant(at_us: int | None) -> str:
        return "" if at_us is None else from_us(at_us, zone).isoformat()

    return {
        "agreement": row.agreement_id, "number": row.register_number, "kind": row.rows_kind,
        "contents": row.contents, "base": row.base_number, "format": row.format, "file_name": row.file_name,
        "sha256": row.file_digest, "rows": row.row_count, "total_minor": row.total_minor,
        "currency": office.agreement.currency, "as_of": instant(row.as_of_us), "state": row.state,
        "author": row.author, "made_at": instant(row.made_at_us), "sent_at": instant(row.sent_at_us),
        "decided_at": instant(row.decided_at_us), "comment": row.comment,
    }  # fmt: skip


def print_rejects(refused: Sequence[DebtRejectRow]) -> None:
    """Rows that the bank refused, with whose they are."""
    if refused:
        columns = ("row", "account", "document", "reason")
        rows = [[one[name] for name in columns] for one in map(reject_json, refused)]
        print_table("Refused by the bank", columns, rows, right=("row",))


def reject_json(one: DebtRejectRow) -> dict[str, Any]:
    """One row that the bank refused, for programs."""
    number, _, rest = one.row_key.partition("\t")
    return {
        "row": one.row_number,
        "account": number,
        "document": rest.partition("\t")[0],
        "reason": one.reason,
    }


def told_json(at: int, key: str, amount_minor: int) -> dict[str, Any]:
    """One row that was told, for programs."""
    number, _, rest = key.partition("\t")
    document, _, period = rest.partition("\t")
    return {
        "row": at,
        "account": number,
        "document": document,
        "period": period,
        "amount_minor": amount_minor,
    }


def money(office: DebtOffice, amount_minor: int) -> str:
    """A sum as a person writes it."""
    return format_amount(amount_minor, office.agreement.exponent)
