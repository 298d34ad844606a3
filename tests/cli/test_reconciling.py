"""A day from the register to the certificate, its money from the statement, and the close of its month."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kvit.cli.app import app
from kvit.documents.certificate import KINDS, REMEDY_TEXTS, TEXTS
from kvit.domain.messages import Post, Posted
from kvit.domain.model import Agreement, Fee, JsonObject
from kvit.services.reconciling.findings import REMEDIES, REMEDIES_OF
from tests.cli.test_intake import Shell, statement
from tests.gateway import opened

DAY = "2026-03-18"
TOML = """
[[agreement]]
id = "bank"
title = "Банк <Север>"
protocol = "qiwi"
networks = ["192.0.2.0/24"]
fee = { percent = "1" }
[agreement.register]
format = "qiwi"
[agreement.settlement]
payer_accounts = ["30232810000000000002"]
"""
REGISTER = (
    "1\t18.03.2026\t10:00:00\t1002344\t1500.00\n"
    "2\t18.03.2026\t10:01:00\t1002344\t770.00\n"
    "5\t18.03.2026\t10:05:00\t1002351\t30.00\n"
    "Total: 3\t2300.00\n"
)


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    """Three payments came online: the register has one of them, another with another sum, and one more."""
    made = Shell(database_url, tmp_path)
    made.run("agreement", "apply", made.file("more.toml", TOML))
    fee = Fee(percent_millionths=10_000)
    agreement = Agreement("bank", "water", "qiwi", "live", "RUB", 2, "Europe/Moscow", fee=fee)
    with opened(database_url) as gateway:
        gateway.clock.instant = datetime(2026, 3, 18, 7, 5, tzinfo=UTC)
        for txn, amount_minor in (("1", 150_000), ("2", 70_000), ("4", 40_000)):
            post = Post(txn, "1002344", amount_minor, network_time=f"{DAY}T10:0{txn}:00")
            assert isinstance(gateway.ask(agreement, post), Posted)
    made.run("register", "import", made.file("QIWI_1_202603181.csv", REGISTER), "--agreement", "bank")
    return made


def reconciled(shell: Shell) -> JsonObject:
    told: JsonObject = shell.json("reconcile", "--agreement", "bank", "--date", DAY)
    return told


def settle_all(shell: Shell) -> None:
    """Accept what differs, and take back what the register lacks."""
    findings = {one["kind"]: one["finding"] for one in reconciled(shell)["findings"]}
    why = ("--reason", "letter 12 of the bank")
    shell.run("reconcile", "resolve", findings["differs"], "--remedy", "accept", *why)
    shell.run("reconcile", "resolve", findings["missing-there"], "--remedy", "void", *why)


def test_a_day_from_its_findings_to_its_certificate(shell: Shell, tmp_path: Path) -> None:
    told = reconciled(shell)
    assert told["ok"] is False
    assert sorted((one["kind"], one["state"], one["txn"]) for one in told["findings"]) == [
        ("differs", "open", "2"), ("missing-here", "note", "5"), ("missing-there", "open", "4"),
    ]  # fmt: skip
    (day,) = told["days"]
    assert (day["online"]["count"], day["online"]["sum_minor"]) == (3, 260_000)
    assert (day["register"]["count"], day["register"]["sum_minor"]) == (3, 230_000)
    page = tmp_path / "certificate.html"
    refused = shell.run("reconcile", "--agreement", "bank", "--date", DAY, "--certificate", str(page), code=1)
    assert "2 findings" in refused.stderr
    assert not page.exists()
    assert shell.run("reconcile", "--agreement", "bank", "--date", DAY, "--check", code=1).exit_code == 1
    settle_all(shell)
    told = reconciled(shell)
    assert told["ok"] is True
    assert {one["kind"] for one in told["resolved"]} == {"differs", "missing-there"}
    shell.run("reconcile", "--agreement", "bank", "--date", DAY, "--certificate", str(page), "--check")
    english = page.read_text("utf-8")
    assert TEXTS["en"]["title"] in english
    assert "Банк &lt;Север&gt;" in english
    assert told["days"][0]["digest"] in english
    assert "letter 12 of the bank" in english
    russian = ("--certificate", str(page), "--language", "ru")
    shell.run("reconcile", "--agreement", "bank", "--date", DAY, *russian)
    assert "Акт сверки" in page.read_text("utf-8")
    said = page.read_text("utf-8")
    assert "2200,00" in said
    assert "700,00 / 770,00" in said
    assert "платёж возвращён: letter 12 of the bank" in said
    french = ("--certificate", str(page), "--language", "fr")
    told_no = shell.run("reconcile", "--agreement", "bank", "--date", DAY, *french, code=2)
    assert "en, ru" in told_no.stderr


class Page(HTMLParser):
    """What a page asks for from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.places: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.places += [value or "" for name, value in attrs if name in ("src", "href", "onload", "action")]


def test_the_certificate_needs_nothing_from_elsewhere(shell: Shell, tmp_path: Path) -> None:
    settle_all(shell)
    file = tmp_path / "page.html"
    shell.run("reconcile", "--agreement", "bank", "--date", DAY, "--certificate", str(file))
    page = Page(file.read_text("utf-8"))
    assert page.places == []
    assert not page.tags & {"script", "link", "img", "iframe", "form"}


def test_both_languages_say_everything() -> None:
    assert TEXTS["en"].keys() == TEXTS["ru"].keys()
    assert REMEDY_TEXTS["en"].keys() == REMEDY_TEXTS["ru"].keys() == REMEDIES.keys()
    assert KINDS["en"].keys() == KINDS["ru"].keys() == REMEDIES_OF.keys()


def test_the_money_comes_and_the_month_is_closed(shell: Shell) -> None:
    """1500.00 + 700.00 + 30.00 collected, less 1 %: 2207.70 on the statement."""
    settle_all(shell)
    assert "RED" in shell.run("period", "show", "2026-03").stdout
    paid = statement(("2207.70", "30232810000000000002", "Банк Север", "Перевод по реестру за 18.03.2026"))
    shell.run("statement", "import", shell.file("kl_to_1c.txt", paid))
    (made,) = shell.json("settlement", "list")["settlements"]
    assert (made["gross_minor"], made["net_minor"], made["difference_minor"]) == (223_000, 220_770, 0)
    assert reconciled(shell)["days"][0]["settlement"]["net_minor"] == 220_770
    undone = shell.json("settlement", "undo", str(made["settlement"]), "--reason", "a trial")
    assert undone["state"] == "undone"
    (waiting,) = shell.json("settlement", "list")["waiting"]
    assert (waiting["agreement"], waiting["certain"], waiting["from"], waiting["fee_minor"]) == (
        "bank", True, DAY, 2_230,
    )  # fmt: skip
    assert "lump sums" in open_items(shell)
    assert "220" in shell.run("settlement", "list").stdout
    assert shell.json("settlement", "make", "--certain") == []
    (again,) = shell.json("settlement", "make", waiting["line"][:12])
    assert again["state"] == "posted"
    assert open_items(shell) == ["quarantine"]
    assert "quarantine" in shell.run("period", "close", "2026-03", code=1).stderr
    (row,) = shell.json("quarantine", "list")
    shell.run("quarantine", "drop", row["place"], "--reason", "the bank's mistake")
    assert open_items(shell) == []
    assert shell.json("period", "close", "2026-03")["closed_through"] == "2026-03-31"
    assert [one["closed_through"] for one in shell.json("period", "list")["closes"]] == ["2026-03-31"]
    assert shell.is_sound()


def open_items(shell: Shell) -> list[str]:
    return [item["item"] for item in shell.json("period", "show", "2026-03")["items"] if not item["ok"]]


def test_closing_with_a_reason(shell: Shell) -> None:
    done = shell.json("period", "close", "2026-03", "--accept", "the bank is asked")
    assert (done["closed_through"], done["accepted"]) == ("2026-03-31", "the bank is asked")
    assert set(done["open"]) == {"quarantine", "reconciliation"}
    assert "the bank is asked" in shell.run("period", "list").stdout
    assert shell.is_sound()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("reconcile",), "--date"),
        (("reconcile", "--date", "18.03.2026", "--agreement", "bank"), "like 2026-10-05"),
        (("reconcile", "--from", DAY, "--to", "2026-03-01", "--agreement", "bank"), "before the first"),
        (("reconcile", "--date", DAY, "--agreement", "none"), "known: bank, qiwi, sber"),
        (("reconcile", "resolve", "x", "--remedy", "accept", "--reason", "y"), "is no finding"),
        (("settlement", "make"), "--certain"),
        (("settlement", "make", "none"), "no lump sum"),
        (("settlement", "undo", "7", "--reason", "x"), "no settlement 7"),
        (("period", "close", "March"), "not a month"),
    ],
)
def test_what_is_said_of_a_mistake(shell: Shell, arguments: tuple[str, ...], says: str) -> None:
    import typer
    from typer.testing import CliRunner

    assert isinstance(app, typer.Typer)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shell._environment.items():
            patch.setenv(name, value)
        done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code in (1, 2)
    assert says in done.stderr


def test_the_page_names_every_kind_and_remedy() -> None:
    page = (Path(__file__).parents[2] / "docs/howto/reconcile.md").read_text("utf-8")
    assert [kind for kind in REMEDIES_OF if f"`{kind}`" not in page] == []
    assert [remedy for remedy in REMEDIES if f"`{remedy}`" not in page] == []
