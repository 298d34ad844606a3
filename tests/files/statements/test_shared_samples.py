"""Every shared sample of a statement: as many lines, sums and problems as its README says."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from kvit.files.base import source_of_path
from kvit.files.errors import FileRefused
from tests.files.statements.outcomes import read
from tests.samples import sample


class Expected(NamedTuple):
    """``moved``: sums in minor units, money out below zero. ``problems``: how many, for the sample is odd."""

    form: str
    account: str
    currency: str
    opening_minor: int | None
    closing_minor: int | None
    moved: list[int]
    problems: int = 0
    bad: int = 0


ONE_DAY = [
    -8323, -19974, -27187, -56177, -134826, -183513, -276280, -1000000, -1000000, -1412120, 600000, 1400000,
    2000000,
]  # fmt: skip
TWO = [150000, 150000]
SWISS = "CH2801234000123456789"
DUTCH = "NL26VAYB8060476890"
SAMPLES = {
    "onec/one_day.txt": Expected("1c", "40702810200000000001", "RUB", 4532991, 4414591, ONE_DAY),
    "own-written/onec-v1-cp1251.txt": Expected("1c", "40702810000000000001", "RUB", 0, 150000, [150000]),
    "own-written/onec-v2-kz-utf8.txt": Expected("1c", "KZ000000000000000001", "KZT", None, None, TWO),
    "camt/camt052.v1.xml": Expected("camt.052", SWISS, "SEK", None, None, [-20000000]),
    "camt/camt052.v2.with-account-name.xml": Expected("camt.052", SWISS, "SEK", None, None, [-20000000]),
    "camt/camt052.v4.xml": Expected("camt.052", SWISS, "SEK", None, None, [-20000000]),
    "camt/camt052.v6.xml": Expected("camt.052", SWISS, "SEK", None, None, [-20000000]),
    # Its ten balances were made up one by one.
    "camt/camt053.v2.all-balance-types.xml": Expected("camt.053", SWISS, "EUR", 101, 404, [885], 1),
    "camt/camt053.v2.minimal.ultimate.xml": Expected("camt.053", DUTCH, "EUR", 1815, None, [885]),
    "camt/camt053.v2.multi.statement.xml": Expected("camt.053", DUTCH, "EUR", 1815, 2000, [885, -700]),
    "camt/camt053.v2.with-party-ids.xml": Expected("camt.053", DUTCH, "EUR", 1815, None, [885]),
    # The payment in its only entry has another sum than the entry.
    "camt/camt053.v3.xml": Expected("camt.053", DUTCH, "EUR", 1815, None, [885], 1),
    "camt/camt053.v8.xml": Expected("camt.053", DUTCH, "EUR", 1815, None, [885]),
    # Three payments without sums of their own in one entry: nobody can say who paid what.
    "camt/camt054.v2.xml": Expected("camt.054", SWISS, "SEK", None, None, [], 0, 3),
    "camt/camt054.v8-with-UETR.xml": Expected("camt.054", SWISS, "SEK", None, None, [-20000000]),
    # Its batch says two and holds three, in another currency than the entry.
    "camt/camt054.v8.xml": Expected("camt.054", SWISS, "", None, None, [310, 320, 320], 1),
    # Its balances are those of a longer statement.
    "camt/copyleft/test-camt053": Expected(
        "camt.053", "NL77ABNA0574908765", "EUR", 1556827, 1512112, [-75425, -56405, -10000, 140531], 1
    ),
    "camt/copyleft/test-camt053-txdtls": Expected(
        "camt.053", "CH1111000000123456789", "CHF", 7596015, 7944315, [218700, 129600]
    ),
    "camt/copyleft/test-camt054": Expected("camt.054", "NL77ABNA0574908765", "EUR", None, None, [500]),
    "own-written/camt054-v8-batch-of-two.xml": Expected(
        "camt.054", "CH4431999123000889012", "CHF", None, None, [15000, 15000]
    ),
    "mt940/betterplace__with_binary_character.sta": Expected(
        "mt940", "", "EUR", None, None, [2700, 1306830, -19328200 - 5, 112000]
    ),
    "mt940/jejik__generic.sta": Expected("mt940", "11111111", "EUR", 10000, 8000, [-1000, -1000]),
    # Its second statement's balances do not fit its entries.
    "mt940/jejik__knab.sta": Expected("mt940", "123456789", "EUR", None, None, [50000, -726000, 50000], 1),
    "mt940/jejik__rabobank-iban.sta": Expected(
        "mt940", "NL71RABO0123456789", "EUR", 100000, 93000, [-2500, -1000, -2500, -1000]
    ),
    # Entries were taken out of it.
    "mt940/jejik__triodos.sta": Expected(
        "mt940", "TRIODOSBANK/0390123456", "EUR", 497509, 437079, [-1570, -70000], 1
    ),
    "mt940/mBank__mt942.sta": Expected("mt940", "PL29114010810000267002001002", "PLN", None, None, [1, 1, 1]),
    # 12345.12 less 233.15 is not 12345.98.
    "mt940/self-provided__details_60-63.sta": Expected(
        "mt940", "12345678/1020304050", "EUR", 1234512, 1234598, [-23315], 1
    ),
    "mt940/self-provided__malformed_details.sta": Expected(
        "mt940", "12345678/1020304050", "EUR", 1234512, 1234598, [-23315], 1
    ),
    "mt940/self-provided__overly_long_details.sta": Expected(
        "mt940", "12345678/1020304050", "EUR", 1234512, 1234598, [-23315], 1
    ),
    "mt940/self-provided__february_30.sta": Expected(
        "mt940", "12345678/1020304050", "EUR", 120000, 119400, [-600]
    ),
    "mt940/self-provided__raphaelm.sta": Expected(
        "mt940", "", "DEM", None, None, [500000] + [2000000] * 7 + [-5000000]
    ),
    "mt940/self-provided__transaction_details_wrapped.sta": Expected(
        "mt940", "12345678/1020304050", "EUR", 120000, 119400, [-600]
    ),
    "mt940/self-provided__wrapped_timestamp.sta": Expected(
        "mt940", "12345678/1020304050", "EUR", 120000, 119400, [-600]
    ),
    "own-written/mt940-german-86.sta": Expected(
        "mt940", "DE89370400440532013000", "EUR", 100000, 129750, [15000, 15000, -250]
    ),
    # A card and not an account; what is owed on it is told, the balance before is not.
    "ofx/copyleft/br_nubank_cc.ofx": Expected(
        "ofx", "11111111-UUID-UUID-UUID-111111111111", "BRL", None, -128091,
        [-1300, -16290, -3346, -902, -10353, -95900],
    ),
    "ofx/copyleft/stmtrs_euro.ofx": Expected("ofx", "999988", "USD", None, 20029, [-20000, -30000]),
    # An account with four lists, and a card with none.
    "ofx/copyleft/test_ofx_iban.ofx": Expected("ofx", "", "USD", None, None, [-8000, -9000, -10000, -9000]),
    "own-written/ofx102-two-equal.ofx": Expected("ofx", "1234567", "USD", None, 30000, [15000, 15000]),
}  # fmt: skip
#: Single fields for tests of a library, which no bank sends: no account, and no second balance.
FRAGMENTS = {
    "mt940/betterplace__amount_formats.sta": [],
    "mt940/betterplace__empty_86.sta": [],
    "mt940/betterplace__empty_line.sta": [],
    "mt940/cmxl__account_balance_debit.sta": [],
    "mt940/cmxl__account_identification_legacy.sta": [],
    "mt940/cmxl__closing_balance.sta": [],
    "mt940/cmxl__reference.sta": [],
    "mt940/cmxl__statement_line.sta": [-162],
}


@pytest.mark.parametrize("path", SAMPLES)
def test_a_sample_reads_as_its_readme_says(path: str) -> None:
    outcome = read(source_of_path(sample(path)), currency="RUB")
    facts = outcome.facts
    balances = facts.opening_minor, facts.closing_minor
    assert (
        Expected(
            facts.format, facts.own_account, facts.currency, *balances, outcome.moved, len(facts.problems),
            len(outcome.bad),
        )
        == SAMPLES[path]
    )  # fmt: skip
    assert len(set(outcome.ids)) == len(outcome.ids)


@pytest.mark.parametrize("path", FRAGMENTS)
def test_a_fragment_is_read_and_its_lack_is_named(path: str) -> None:
    outcome = read(source_of_path(sample(path)))
    assert outcome.moved == FRAGMENTS[path]
    assert outcome.bad == []
    assert outcome.facts.problems


def test_ten_numbers_in_ten_lines_are_no_statement() -> None:
    with pytest.raises(FileRefused, match="none of the formats"):
        read(source_of_path(sample("mt940/self-provided__invalid_statement.sta")))


def test_every_sample_of_a_statement_is_looked_at() -> None:
    folder = sample("README.md").parent
    kinds = [
        path.relative_to(folder).as_posix()
        for room in ("camt", "mt940", "ofx", "onec")
        for path in (folder / room).rglob("*")
        if path.is_file() and path.name != "README.md"
    ]
    known = SAMPLES.keys() | FRAGMENTS.keys() | {"mt940/self-provided__invalid_statement.sta"}
    assert set(kinds) <= known
