"""`kvit agreement apply`, `list` and `show`: what they say, and how they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from kvit.storage import schema
from tests.cli.commands import Desk
from tests.seeding import seed
from tests.web.serving import AGREEMENT, PASSWORD, Office, open_office

IBOX = AGREEMENT.replace('id = "qiwi"', 'id = "ibox"')


@pytest.fixture
def desk(sqlite_template: Path, tmp_path: Path) -> Desk:
    """Commands on an installation without agreements."""
    return Desk(open_office(tmp_path, sqlite_template, agreement=""))


def journal(desk: Desk) -> list[tuple[str, str, str]]:
    """What stands in the journal about agreements: subject, author's kind, and the text."""
    columns = schema.journal.c
    query = (
        select(columns.subject, columns.actor, columns.detail)
        .where(columns.verb == "agreement.applied")
        .order_by(columns.journal_id)
    )
    with desk.office.database() as database, database.read() as connection:
        return [(row[0], row[1].partition(":")[0], row[2]) for row in connection.execute(query)]


def test_applied_twice_it_is_unchanged(desk: Desk) -> None:
    assert desk.apply(AGREEMENT + IBOX).out == (
        "agreement qiwi: new (qiwi, test), door /pay/qiwi\nagreement ibox: new (qiwi, test), door /pay/ibox\n"
    )
    again = desk.apply(AGREEMENT + IBOX.replace("10.00", "20.00"), "--json").json
    assert again == {
        "dry_run": False,
        "agreements": [
            {"id": "qiwi", "state": "unchanged", "mode": "test", "protocol": "qiwi", "door": "/pay/qiwi"},
            {"id": "ibox", "state": "changed", "mode": "test", "protocol": "qiwi", "door": "/pay/ibox"},
        ],
    }
    assert [entry[:2] for entry in journal(desk)] == [("qiwi", "cli"), ("ibox", "cli"), ("ibox", "cli")]
    assert not any(PASSWORD in entry[2] for entry in journal(desk))


def test_a_dry_run_only_looks(desk: Desk) -> None:
    done = desk.apply(AGREEMENT, "--dry-run", "--json").json
    assert (done["dry_run"], done["agreements"][0]["state"]) == (True, "checked")
    assert desk.run("agreement", "list", "--json").json == []
    assert journal(desk) == []


def test_a_wrong_file_ends_with_2_and_changes_nothing(desk: Desk) -> None:
    done = desk.apply(AGREEMENT + IBOX.replace('"10.00"', "10.00"))
    assert (done.code, done.out) == (2, "")
    assert done.err == "kvit: agreement[1].min_sum: must be text in quotes, not a number\n"
    assert desk.run("agreement", "list", "--json").json == []


def test_a_file_that_is_not_there_or_too_large(desk: Desk) -> None:
    assert "No such file" in desk.run("agreement", "apply", "nowhere.toml").err
    assert "Is a directory" in desk.run("agreement", "apply", ".").err
    large = desk.apply("# " + "x" * 1_000_001)
    assert (large.code, "too large" in large.err) == (2, True)


def test_an_id_belongs_to_one_biller(desk: Desk) -> None:
    with desk.office.database() as database:
        seed(database, [], biller_id="heat")
    done = desk.apply(AGREEMENT)
    assert (done.code, "add --biller with one of: heat, water" in done.err) == (2, True)
    assert desk.apply(AGREEMENT, "--biller", "water").code == 0
    done = desk.apply(AGREEMENT.replace("127", "126") + IBOX, "--biller", "heat")
    assert (done.code, "agreement qiwi belongs to biller water" in done.err) == (2, True)
    assert desk.apply(IBOX, "--biller", "heat").code == 0
    assert desk.apply(IBOX, "--biller", "gas").code == 1
    listed = desk.run("agreement", "list", "--biller", "heat", "--json").json
    assert [row["agreement_id"] for row in listed] == ["ibox"]


def test_show_and_list_say_all_but_the_password(desk: Desk) -> None:
    desk.apply(AGREEMENT + "valid_until = 2027-01-31\n")
    shown = desk.run("agreement", "show", "qiwi", "--json").json
    assert shown["basic_login"] == "osmp"
    assert shown["basic_password"] == "set"
    assert (shown["limits"], shown["valid_until"]) == ("10.00 – 15000.00 RUB", "2027-01-31")
    assert (shown["networks"], shown["version"]) == (["127.0.0.0/8"], 1)
    assert desk.run("agreement", "list", "--json").json == [shown]
    for command in (("show", "qiwi"), ("list",)):
        text = desk.run("agreement", *command).out
        assert "qiwi" in text
        assert "2027-01-31" in text
        assert PASSWORD not in text


def test_an_agreement_that_is_not_there(desk: Desk) -> None:
    done = desk.run("agreement", "show", "none")
    assert (done.code, "`kvit agreement list` shows all" in done.err) == (1, True)


def test_without_books_it_says_what_to_do(tmp_path: Path) -> None:
    desk = Desk(Office(tmp_path, f"sqlite:///{tmp_path / 'kvit.sqlite'}"))
    for command in (("agreement", "list"), ("agreement", "show", "qiwi")):
        done = desk.run(*command)
        assert (done.code, "run `kvit init` first" in done.err) == (1, True)
    assert desk.run("init").code == 0
    done = desk.apply(AGREEMENT)
    assert (done.code, "run `kvit init --biller ID --name NAME` first" in done.err) == (1, True)
