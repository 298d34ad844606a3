"""``kvit register send``, ``again``, ``list``, ``show``, ``accept`` and ``reject``."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.registers import Shell

CSV = 'format = "csv"\noptions = { encoding = "utf-8" }\n'


@pytest.fixture
def shell(books_url: str, tmp_path: Path) -> Shell:
    shell = Shell(tmp_path, books_url)
    shell.seed()
    shell.agree(CSV)
    return shell


def test_the_first_register(shell: Shell) -> None:
    made = shell.json("register", "send", "--agreement", "bank", "--out", str(shell.folder))
    assert (made["number"], made["kind"], made["contents"], made["state"]) == (
        1,
        "accounts",
        "full",
        "written",
    )
    assert (made["rows"], made["total_minor"], made["currency"]) == (2, 273_450, "RUB")
    file = Path(made["out"])
    assert file.parent == shell.folder
    assert file.name == made["file_name"]
    data = file.read_bytes()
    assert sha256(data).hexdigest() == made["sha256"]
    month = made["as_of"][5:7] + made["as_of"][2:4]
    assert data.decode().splitlines() == [
        "account;payer;period;invoice;amount;due_date",
        f"1002344;Т*** Т*** Т***;{month};;1500.00;",
        f"1002351;П*** П. П.;{month};;1234.50;",
    ]
    assert shell.json("register", "list", "--agreement", "bank")[0]["sha256"] == made["sha256"]
    shell.run("register", "again", "--agreement", "bank", "--number", "1", "--out", "copy.csv")
    assert (shell.folder / "copy.csv").read_bytes() == data


def test_by_invoice(shell: Shell) -> None:
    made = shell.json(
        "register", "send", "--agreement", "bank", "--kind", "invoices", "--out", "by-invoice.csv"
    )
    assert (made["rows"], made["total_minor"]) == (3, 273_450)
    assert (shell.folder / "by-invoice.csv").read_text(encoding="utf-8").splitlines()[1:] == [
        "1002344;Т*** Т*** Т***;0326;INV-000123;1500.00;2026-03-31",
        "1002351;П*** П. П.;0226;;234.50;2026-02-28",
        "1002351;П*** П. П.;0326;;1000.00;2026-03-31",
    ]
