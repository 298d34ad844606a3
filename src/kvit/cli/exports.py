"""``kvit export payments``: what was paid, for the accounting program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import typer

from kvit.cli.agreement_choice import choose_agreement
from kvit.cli.shared import BILLER, JSON, choose_biller, guarded, house, print_json, say
from kvit.cli.writing import place_of, write_whole
from kvit.domain.days import from_us, to_us
from kvit.domain.debts import Replaced
from kvit.domain.errors import SettingsError
from kvit.domain.exports import REVERSAL, ExportHead, PaidEntry
from kvit.domain.money import exponent_of, format_amount
from kvit.storage.payment_export import paid_entries


class Form(StrEnum):
    """Formats of exports."""

    onec = "1c"
    csv = "csv"
    xlsx = "xlsx"


_ENDINGS = {Form.onec: "txt", Form.csv: "csv", Form.xlsx: "xlsx"}


def register(app: typer.Typer) -> None:
    room = typer.Typer(help="What the accounting program is told.", no_args_is_help=True)
    room.callback()(lambda: None)
    room.command("payments")(export_payments)
    app.add_typer(room, name="export")


@dataclass(slots=True)
class _Tally:
    """What went into the file."""

    payments: int = 0
    reversals: int = 0
    total_minor: int = 0
    fee_minor: int = 0

    def counted(self, slices: Iterator[Sequence[PaidEntry]]) -> Iterator[Sequence[PaidEntry]]:
        for some in slices:
            back = sum(1 for entry in some if entry.kind == REVERSAL)
            self.reversals += back
            self.payments += len(some) - back
            self.total_minor += sum(entry.amount_minor for entry in some)
            self.fee_minor += sum(entry.fee_minor for entry in some)
            yield some


@guarded
def export_payments(
    form: Form = typer.Option(..., "--format", help="1c: 1CClientBankExchange."),
    first: str = typer.Option(
        ..., "--from", metavar="DATE", help="The first accounting day, like 2026-10-01."
    ),
    last: str = typer.Option(..., "--to", metavar="DATE", help="The last accounting day."),
    out: Path = typer.Option(..., "--out", help="The file, or a folder."),
    agreement: str = typer.Option("", "--agreement", help="Only payments that came by this agreement."),
    own_account: str = typer.Option("", "--own-account", help="1c: the biller's account at its bank."),
    biller: str = BILLER,
    json_output: bool = JSON,
) -> None:
    """Write the payments of some days to a file; a payment taken back is an entry of its own, below zero."""
    first_day, last_day = _day(first, "--from"), _day(last, "--to")
    own_account = own_account.replace(" ", "")
    if own_account and not (own_account.isascii() and own_account.isalnum()):
        raise SettingsError(f"--own-account {own_account}: an account's number is digits, or an IBAN")
    if last_day < first_day:
        raise SettingsError(f"--to {last}: is before --from {first}")
    with house() as opened:
        owner = choose_biller(opened, biller)
        if agreement:
            choose_agreement(opened, owner, agreement)
        path = place_of(out, f"payments_{first_day}_{last_day}.{_ENDINGS[form]}")
        now = from_us(to_us(opened.clock.now()), owner.timezone)
        head = ExportHead(
            owner.name, owner.currency, exponent_of(owner.currency), first_day, last_day,
            now.date().isoformat(), f"{now:%H:%M:%S}", own_account,
        )  # fmt: skip
        tally, replaced, digest = _Tally(), Replaced(), sha256()
        with paid_entries(opened.database, owner.biller_id, first_day, last_day, agreement) as found:
            chunks = _written(form, head, tally.counted(found), replaced)

            def seen() -> Iterator[bytes]:
                for chunk in chunks:
                    digest.update(chunk)
                    yield chunk

            write_whole(path, seen())
    if json_output:
        examples = [{"from": before, "to": after} for before, after in replaced.examples]
        print_json(
            {"format": form.value, "from": first_day, "to": last_day, "agreement": agreement,
             "out": str(path), "sha256": digest.hexdigest(), "payments": tally.payments,
             "reversals": tally.reversals,
             "total_minor": tally.total_minor, "fee_minor": tally.fee_minor, "currency": owner.currency,
             "replaced": {"count": replaced.count, "examples": examples}}
        )  # fmt: skip
        return
    total, fee = (format_amount(amount, head.exponent) for amount in (tally.total_minor, tally.fee_minor))
    say(
        f"{tally.payments} payments, {tally.reversals} taken back: {total} {owner.currency}, fees {fee}: "
        f"{path}"
    )
    if replaced.count:
        say(f"{replaced.count} texts could not stand in the file as they are:")
        for before, after in replaced.examples:
            say(f"  {before}  →  {after}")


def _written(
    form: Form, head: ExportHead, entries: Iterator[Sequence[PaidEntry]], replaced: Replaced
) -> Iterator[bytes]:
    if form == Form.onec:
        from kvit.files.exports import onec

        return onec.write(head, entries, replaced)
    from kvit.files.exports import tables

    return tables.write_csv(head, entries) if form == Form.csv else tables.write_xlsx(head, entries)


def _day(text: str, option: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise SettingsError(f"{option} {text}: write a day like 2026-10-31")
    return text
