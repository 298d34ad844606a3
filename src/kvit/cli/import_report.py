"""What an import has to say, for people."""

from __future__ import annotations

from kvit.cli.shared import print_table, say
from kvit.domain.model import JsonObject
from kvit.domain.money import exponent_of, format_amount

#: A table of errors for people ends here; ``--json`` has more.
ERRORS_SHOWN = 50

#: What the rows of a kind of file are called, one and many.
WORDS = {
    "accounts": ("account", "accounts"),
    "charges": ("charge", "charges"),
    "balances": ("balance", "balances"),
}
_LABELS = {"new": "new", "changed": "changed", "adjusted": "adjusted", "unchanged": "unchanged"}


def print_report(report: JsonObject) -> None:
    """The whole story of one import; ``report`` is what ``--json`` prints."""
    say(f"{report['file']}: {report['description']}; {_columns(report)}")
    if report["errors"]:
        _print_errors(report)
    else:
        _print_changes(report)
    for note in report["notes"]:
        say(note)
    for row in report["unfinished"]:
        day = f" as of {row['as_of']}" if row["as_of"] else ""
        say(
            f"An import of {row['file']} ({row['kind']}{day}, begun {row['started_at']} by {row['author']}) "
            "is not finished: it is still running, or was broken off. The same file again completes it."
        )


def _columns(report: JsonObject) -> str:
    used = ", ".join(f"{field} = {header}" for field, header in report["columns_used"].items())
    others = ", ".join(report["columns_other"])
    if not others:
        return used
    return (
        f"{used}; kept as they are: {others}"
        if report["kind"] == "accounts"
        else f"{used}; not used: {others}"
    )


def _print_errors(report: JsonObject) -> None:
    shown = report["errors"][:ERRORS_SHOWN]
    print_table(
        "1 error" if report["errors_count"] == 1 else f"{report['errors_count']} errors",
        ("line", "column", "value", "reason"),
        [(error["line"], error["column"], error["value"], error["reason"]) for error in shown],
        right=("line",),
    )
    if report["errors_count"] > len(shown):
        say(f"and {report['errors_count'] - len(shown)} more; --json shows up to 1000.")
    say("Nothing was imported. Mend these rows and import the file again.")


def _print_changes(report: JsonObject) -> None:
    if report["examples"]:
        print_table(
            "For example",
            ("line", "account", "what", "details"),
            [(each["line"], each["number"], each["what"], each["text"]) for each in report["examples"]],
            right=("line",),
        )
    word = WORDS[report["kind"]][report["rows"] != 1]
    counts = ", ".join(f"{report[name]} {label}" for name, label in _LABELS.items() if report[name])
    did = "Would import" if report["dry_run"] else "Imported"
    day = f" as of {report['as_of']}" if "as_of" in report else ""
    say(f"{did} {report['rows']} {word}{day}: {counts or 'nothing'}.{_money(report)}")
    if report["dry_run"]:
        say("This was a dry run: nothing was changed.")


def _money(report: JsonObject) -> str:
    if report["kind"] == "accounts":
        return ""
    exponent, currency = exponent_of(report["currency"]), report["currency"]
    added_minor, settled_minor = report["added_minor"], report["settled_minor"]
    text = f" The file's sum is {format_amount(report['total_minor'], exponent)} {currency};"
    if not added_minor:
        return text + " what clients owe stays the same."
    more = "less" if added_minor < 0 else "more"
    text += f" clients{' would' if report['dry_run'] else ''} owe"
    text += f" {format_amount(abs(added_minor), exponent)} {currency} {more}"
    if settled_minor:
        text += f", and {format_amount(settled_minor, exponent)} {currency} paid in advance settled charges"
    return text + "."
