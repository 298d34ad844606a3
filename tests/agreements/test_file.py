"""A file of agreements counts as a whole or not at all; what is wrong is named with its place."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kvit.domain.errors import SettingsError
from kvit.domain.file_terms import FileTerms
from kvit.domain.model import Agreement, Biller, Fee
from kvit.main import RegistryCatalogue, make_terms
from kvit.protocols.registry import PROTOCOLS
from kvit.services.agreements import from_spec, read_file, same_terms, to_spec

WATER = Biller("water", "Водоканал", "RUB", "Europe/Moscow", "none", "", 1)
GOOD = """
id = "qiwi"
protocol = "qiwi"
networks = ["192.0.2.0/24"]
"""


def read(text: str, biller: Biller = WATER) -> list[Agreement]:
    return read_file(text.encode(), biller, RegistryCatalogue())


def read_one(settings: str, biller: Biller = WATER) -> Agreement:
    (agreement,) = read("[[agreement]]" + GOOD + settings, biller)
    return agreement


def refusal(text: str | bytes) -> str:
    with pytest.raises(SettingsError) as caught:
        read_file(text.encode() if isinstance(text, str) else text, WATER, RegistryCatalogue())
    return str(caught.value)


def test_everything_that_can_be_said() -> None:
    agreement = read_one(
        """
        title = "QIWI, договор 17"
        mode = "test"
        currency = "RUB"
        timezone = "Asia/Almaty"
        basic = { login = "osmp", password = "s€cret: yes" }
        min_sum = "10.00"
        max_sum = "15000"
        show_name = "full"
        valid_from = 2026-01-01
        valid_until = "2026-12-31"
        fee = { percent = "1.25", fixed = "3", min = "5.00", max = "100.00" }
        [agreement.dialect]
        response_txn_tag = "txn_id"
        answer_sum = false
        conflict_code = 10
        """
    )
    assert agreement == Agreement(
        agreement_id="qiwi", biller_id="water", protocol="qiwi", mode="test", currency="RUB", exponent=2,
        timezone="Asia/Almaty", networks=("192.0.2.0/24",), basic_login="osmp", basic_password="s€cret: yes",
        min_minor=1_000, max_minor=1_500_000, show_name="full", valid_from="2026-01-01",
        valid_until="2026-12-31", fee=Fee(12_500, 300, 500, 10_000), title="QIWI, договор 17",
        dialect=(("answer_sum", "off"), ("conflict_code", "10"), ("response_txn_tag", "txn_id")),
    )  # fmt: skip


def test_what_is_left_out() -> None:
    agreement = read_one("", WATER._replace(currency="KZT", timezone="Asia/Almaty"))
    assert (agreement.currency, agreement.timezone, agreement.mode) == ("KZT", "Asia/Almaty", "live")
    assert (agreement.title, agreement.show_name, agreement.basic_login) == ("qiwi", "masked", "")
    assert (agreement.min_minor, agreement.max_minor, agreement.fee) == (None, None, Fee())
    assert make_terms(agreement).dialect["response_txn_tag"] == "osmp_txn_id"


def test_currencies_without_a_fraction() -> None:
    agreement = read_one('min_sum = "500"', WATER._replace(currency="JPY"))
    assert (agreement.min_minor, agreement.exponent) == (500, 0)
    with pytest.raises(SettingsError, match="at most 0 digits"):
        read_one('min_sum = "500.0"', WATER._replace(currency="JPY"))


ONE = "agreement[0]"
#: Settings beside the good ones -> where it is wrong, and a word of why.
WRONG = {
    # of the wrong kind
    "min_sum = 10": (f"{ONE}.min_sum", "text in quotes"),
    "min_sum = 10.0": (f"{ONE}.min_sum", "text in quotes"),
    "max_sum = true": (f"{ONE}.max_sum", "text in quotes"),
    "mode = true": (f"{ONE}.mode", "text in quotes"),
    "title = 5": (f"{ONE}.title", "text in quotes"),
    'basic = "osmp:secret"': (f"{ONE}.basic", "a table"),
    'basic = ["osmp", "secret"]': (f"{ONE}.basic", "a table"),
    'basic = { login = "osmp" }': (f"{ONE}.basic", "`password` is missing"),
    'basic = { login = "osmp", password = 1234 }': (f"{ONE}.basic.password", "text in quotes"),
    'fee = "1.2"': (f"{ONE}.fee", "a table"),
    "fee = { percent = 1.2 }": (f"{ONE}.fee.percent", "text in quotes"),
    "valid_from = 2026": (f"{ONE}.valid_from", "a date"),
    "valid_from = 2026-01-01T00:00:00": (f"{ONE}.valid_from", "a date"),
    'valid_from = "1.1.2026"': (f"{ONE}.valid_from", ""),
    "valid_until = 12:00:00": (f"{ONE}.valid_until", "a date"),
    'dialect = "qiwi"': (f"{ONE}.dialect", "a table"),
    # unknown
    "retries = 3": (ONE, "there is no setting `retries`"),
    'basic = { user = "osmp", password = "x" }': (f"{ONE}.basic", "`user`"),
    'fee = { percents = "1" }': (f"{ONE}.fee", "`percents`"),
    'mode = "production"': (f"{ONE}.mode", "must be one of: test, live"),
    'show_name = "all"': (f"{ONE}.show_name", "must be one of: none, masked, full"),
    # credentials
    'basic = { login = "", password = "x" }': (f"{ONE}.basic", "must not be empty"),
    'basic = { login = "osmp", password = "" }': (f"{ONE}.basic", "must not be empty"),
    'basic = { login = "os:mp", password = "x" }': (f"{ONE}.basic", "no colon"),
    # sums
    'min_sum = "10,00"': (f"{ONE}.min_sum", "write a sum like"),
    'min_sum = "-1"': (f"{ONE}.min_sum", "write a sum like"),
    'min_sum = "1e3"': (f"{ONE}.min_sum", "write a sum like"),
    'min_sum = "1.001"': (f"{ONE}.min_sum", "write a sum like"),
    'min_sum = "１５"': (f"{ONE}.min_sum", "write a sum like"),
    'max_sum = "1 000"': (f"{ONE}.max_sum", "write a sum like"),
    'max_sum = "99999999999999999999"': (f"{ONE}.max_sum", "write a sum like"),
    'max_sum = "0.00"': (f"{ONE}.max_sum", "nothing could be paid"),
    'min_sum = "10"\nmax_sum = "9.99"': (f"{ONE}.max_sum", "below min_sum"),
    'fee = { percent = "100" }': (f"{ONE}.fee.percent", "below 100"),
    'fee = { percent = "-1" }': (f"{ONE}.fee.percent", "percentage"),
    'fee = { percent = "1.23456" }': (f"{ONE}.fee.percent", "percentage"),
    'fee = { percent = "1,2" }': (f"{ONE}.fee.percent", "percentage"),
    'fee = { fixed = "a" }': (f"{ONE}.fee.fixed", "write a sum like"),
    'fee = { min = "2", max = "1" }': (f"{ONE}.fee.max", "below min"),
    # currency, zone, dates, title
    'currency = "KZT"': (f"{ONE}.currency", "kept in RUB"),
    'currency = "rub"': (f"{ONE}.currency", "kept in RUB"),
    'timezone = "Moscow"': (f"{ONE}.timezone", "there is no time zone Moscow"),
    'timezone = "UTC+3"': (f"{ONE}.timezone", "there is no time zone"),
    'timezone = "Europe"': (f"{ONE}.timezone", "there is no time zone"),
    'timezone = "../../etc/passwd"': (f"{ONE}.timezone", "there is no time zone"),
    'timezone = "/etc/localtime"': (f"{ONE}.timezone", "there is no time zone"),
    "valid_from = 2026-02-01\nvalid_until = 2026-01-31": (f"{ONE}.valid_until", "before valid_from"),
    "valid_from = 2026-02-30": ("not TOML", "line"),
    'title = "QIWI\\u001b[31m"': (f"{ONE}.title", "plain text"),
    'title = "one\\ntwo"': (f"{ONE}.title", "one line"),
    # switches
    'dialect = { tag = "x" }': (f"{ONE}.dialect.tag", "no such switch"),
    'dialect = { response_txn_tag = "txn" }': (f"{ONE}.dialect.response_txn_tag", "must be one of"),
    "dialect = { response_txn_tag = true }": (f"{ONE}.dialect.response_txn_tag", "must be one of"),
    'dialect = { answer_sum = "yes" }': (f"{ONE}.dialect.answer_sum", "must be one of: on, off"),
    "dialect = { answer_sum = 1 }": (f"{ONE}.dialect.answer_sum", "must be one of: on, off"),
    "dialect = { conflict_code = 301 }": (f"{ONE}.dialect.conflict_code", "must be one of"),
    "dialect = { conflict_code = 10.0 }": (f"{ONE}.dialect.conflict_code", "must be text in quotes"),
    "dialect = { answer_sum = [true] }": (f"{ONE}.dialect.answer_sum", "must be text in quotes"),
    "dialect = { answer_sum = { a = 1 } }": (f"{ONE}.dialect.answer_sum", "must be text in quotes"),
    "dialect = { cancel = true }": (f"{ONE}.dialect.cancel", "must be one of: off, a, b"),
    "dialect = { account_pattern = true }": (f"{ONE}.dialect.account_pattern", "not true or false"),
    "dialect = { debt_label = false }": (f"{ONE}.dialect.debt_label", "not true or false"),
    'dialect = { account_pattern = "[0-9" }': (f"{ONE}.dialect.account_pattern", "regular expression"),
    'dialect = { show = "phone" }': (f"{ONE}.dialect.show", "does not have the form"),
}  # fmt: skip


@pytest.mark.parametrize("settings", WRONG)
def test_a_wrong_setting_is_refused_with_its_place_and_the_reason(settings: str) -> None:
    place, reason = WRONG[settings]
    said = refusal("[[agreement]]" + GOOD + settings)
    assert place in said
    assert reason in said
    assert "`$" not in said


#: Instead of the networks among the good settings.
LOCKS = {
    "": "anybody could pay",
    "networks = []": "anybody could pay",
    'networks = ["0.0.0.0/0"]': "anybody could pay",
    'networks = ["192.0.2.0/24", "::/0"]': "anybody could pay",
    'networks = "192.0.2.0/24"': "must be a list",
    "networks = [192]": "text in quotes",
    'networks = ["192.0.2.7/24"]': "host bits set",
    'networks = ["192.0.2.0/33"]': "networks[0]",
    'networks = ["192.0.2.0/24", "qiwi.example"]': "networks[1]",
    'networks = ["192.0.2.*"]': "networks[0]",
    'networks = ["192.0.2.0-192.0.2.9"]': "networks[0]",
    'networks = ["192.0.2.07"]': "networks[0]",
    'networks = [" 192.0.2.7"]': "networks[0]",
    'networks = [""]': "networks[0]",
    'networks = ["::ffff:192.0.2.0/120"]': "write an IPv4 network as such",
}


@pytest.mark.parametrize("settings", LOCKS)
def test_a_door_without_a_lock_is_refused(settings: str) -> None:
    said = refusal(f'[[agreement]]\nid = "qiwi"\nprotocol = "qiwi"\n{settings}\n')
    assert said.startswith("agreement[0].networks")
    assert LOCKS[settings] in said


def test_credentials_alone_are_a_lock() -> None:
    basic = 'basic = { login = "osmp", password = "x" }'
    for networks in ("", 'networks = ["0.0.0.0/0"]'):
        (agreement,) = read(f'[[agreement]]\nid = "q"\nprotocol = "qiwi"\n{networks}\n{basic}\n')
        assert agreement.basic_password == "x"


IDS = (
    "",
    "Qiwi",
    "qi wi",
    "qi/wi",
    "../qiwi",
    "qiwi.",
    "-qiwi",
    "q" * 41,
    "киви",
    "qiwi\\n",
    "qiwi%2f",
    "_q",
)


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_a_part_of_an_address(name: str) -> None:
    assert refusal("[[agreement]]" + GOOD.replace('id = "qiwi"', f'id = "{name}"')).startswith(f"{ONE}.id")


def test_a_protocol_that_is_not_there() -> None:
    said = refusal("[[agreement]]" + GOOD.replace('protocol = "qiwi"', 'protocol = "kiwi"'))
    known = ", ".join([*sorted(PROTOCOLS), "files"])
    assert said == f"agreement[0].protocol: there is no kiwi; known: {known}"
    assert "`protocol` is missing" in refusal('[[agreement]]\nid = "a"\n')


def test_the_second_agreement_is_looked_at_too() -> None:
    two = "[[agreement]]" + GOOD + "[[agreement]]" + GOOD
    assert refusal(two) == "agreement[1].id: qiwi is there twice"
    assert refusal(two.replace("192.0.2.0/24", "192.0.2.0/33", 2)).startswith("agreement[0].networks[0]")
    other = two.replace('id = "qiwi"', 'id = "ibox"', 1)
    assert [one.agreement_id for one in read(other)] == ["ibox", "qiwi"]
    assert refusal(other + 'mode = "x"').startswith("agreement[1].mode")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file has no [[agreement]]"),
        (b"# nothing yet\n", "the file has no [[agreement]]"),
        (b"agreement = []\n", "the file has no [[agreement]]"),
        (b"agreement = 5\n", "agreement: must be a list, not a whole number"),
        (b'[agreement]\nid = "x"\n', "agreement: must be a list, not a table"),
        (b'[[agreements]]\nid = "x"\n', "there is no setting `agreements` here"),
        (b"[[agreement]]\n", "agreement[0]: the setting `id` is missing"),
        (b"[[agreement]]\nid =\n", "the file is not TOML: Invalid value (at line 2"),
        (b'[[agreement]]\nid = "a"\nid = "b"\n', "the file is not TOML: Cannot overwrite a value (at line 3"),
        (b'[[agreement]]\n\nid = "\xea\xe8\xe2\xe8"\n', "the file is not in UTF-8 (line 3)"),
        (b'\xff\xfe[\x00[\x00a\x00', "the file is not in UTF-8 (line 1)"),
        (b"a = " + b"[" * 100_000, "the file is not TOML"),
        (b"\x00", "the file is not TOML"),
        (b"PK\x03\x04", "the file is not TOML"),
        (b'{"agreement": []}', "the file is not TOML"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_agreements(data: bytes, said: str) -> None:
    assert refusal(data).startswith(said)


def test_a_file_may_begin_with_a_mark_and_have_the_line_ends_of_another_system() -> None:
    data = b"\xef\xbb\xbf" + ("[[agreement]]" + GOOD).encode().replace(b"\n", b"\r\n")
    assert len(read_file(data, WATER, RegistryCatalogue())) == 1


def test_a_refusal_repeats_no_secret() -> None:
    for settings in (
        'basic = "Mark-1"',
        'basic = { login = "os:mp", password = "Mark-1" }',
        'basic = { login = "osmp", password = "Mark-1" }\nmode = "x"',
    ):
        assert "Mark-1" not in refusal("[[agreement]]" + GOOD + settings)


def test_kept_and_read_again_it_is_the_same() -> None:
    agreement = read_one('basic = { login = "osmp", password = "п@роль" }\nfee = { percent = "1.5" }')
    public, secret = to_spec(agreement)
    assert "п@роль" not in public
    assert from_spec(public, secret, 7) == replace(agreement, version=7)
    assert same_terms(agreement, replace(agreement, version=7))
    assert not same_terms(agreement, replace(agreement, basic_password="x"))
    assert "п@роль" not in repr(agreement)


@pytest.mark.parametrize(("spec", "secret"), [("", "{}"), ("{}", "{}"), ("[]", "{}"), ('{"a":1}', '"x"')])
def test_what_is_damaged_is_no_agreement(spec: str, secret: str) -> None:
    with pytest.raises(SettingsError, match="damaged"):
        from_spec(spec, secret, 1)


FILES = """[[agreement]]
id = "sber"
protocol = "files"
[agreement.debts]
format = "csv"
[agreement.channel]
kind = "sftp"
secret = "wrd17"
options = { port = 2222, host = "h" }
[agreement.settlement]
payer_accounts = ["3023 2810"]
"""


def test_an_agreement_of_files_alone_has_no_door() -> None:
    (agreement,) = read_file(FILES.encode(), WATER, _Lenient())
    assert not agreement.has_door
    assert agreement.files.debts is not None
    assert (agreement.files.debts.rows, agreement.files.debts.contents) == ("accounts", "full")
    assert agreement.files.settlement is not None
    assert agreement.files.settlement.payer_accounts == ("30232810",)
    spec, secrets = to_spec(agreement)
    assert "wrd17" not in spec
    assert "wrd17" not in repr(agreement)
    assert from_spec(spec, secrets, 0) == agreement
    for setting in ('networks = ["192.0.2.1"]', 'secret = "x"', "dialect = { a = 1 }"):
        text = FILES.replace('protocol = "files"', f'protocol = "files"\n{setting}')
        assert "has no door" in refusal(text)
    assert "agreement[0].debts.rows: must be one of: accounts, invoices" in refusal(
        FILES.replace('format = "csv"', 'format = "csv"\nrows = "all"')
    )


class _Lenient(RegistryCatalogue):
    """Says nothing about formats and channels, which are not tried here."""

    def file_problems(self, terms: FileTerms) -> dict[str, str]:
        return {}


def test_what_formats_channels_and_times_say_is_told_with_its_place() -> None:
    wrong = {
        "[agreement.debts]\nformat = 'xls'": "debts.format: there is no format 'xls'",
        "[agreement.register]\nformat = 'camt.053'": "register.format: there is no format camt.053",
        "[agreement.register]\nformat = 'qiwi'\noptions = { a = 1 }": "register.options.a: qiwi has no",
        "[agreement.settlement]\nwithheld = true": "settlement: name payer_accounts or words",
        "[agreement.channel]\nkind = 'pigeon'": "channel.kind: there is no pigeon",
        "[agreement.schedule]\nexpect = 'soon'": "schedule.expect: ",
        "[agreement.schedule]\nsend = '0 6 * * *'": "schedule: send and fetch need a channel",
    }
    for text, said in wrong.items():
        assert refusal(f"[[agreement]]{GOOD}{text}\n").startswith(f"agreement[0].{said}")
