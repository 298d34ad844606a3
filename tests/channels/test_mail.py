"""Mail against real servers: Dovecot's mailbox and an SMTP server, with lines that break at every step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from pathlib import Path

import pytest
from imap_tools import MailBoxUnencrypted

from kvit.channels import mail
from kvit.channels.registry import channel_problems
from kvit.domain.file_terms import ChannelTerms
from kvit.services.travel.errors import ChannelFailed
from kvit.services.travel.outgoing import decide
from kvit.storage.engine import Database
from tests.channels.certificates import Authority, make_authority
from tests.channels.ends import Post
from tests.channels.imap_server import PASSWORD, USER, ImapServer, imap_server
from tests.channels.smtp_server import SmtpServer, smtp_server
from tests.faults.proxy import Fault, Weather, weathered

BANK = "registers@bank.example"
CONTENT = "1;Иванов;10.00\r\n.\r\n..dots\n".encode("cp1251") * 60


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def dovecot(authority: Authority) -> Iterator[ImapServer]:
    with imap_server(authority) as server:
        yield server


@pytest.fixture
def box(dovecot: ImapServer) -> Iterator[MailBoxUnencrypted]:
    """The test's own eyes and hands in the mailbox, which is empty at first."""
    with MailBoxUnencrypted("127.0.0.1", dovecot.port).login(USER, PASSWORD) as opened:
        for folder in opened.folder.list():
            opened.folder.set(folder.name)
            opened.delete(opened.uids("ALL"))
        opened.folder.set("INBOX")
        yield opened


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with smtp_server() as server:
        yield server


def post(database: Database, home: Path, **options: str) -> Post:
    every = {
        "user": USER, "senders": BANK, "dkim": "off", "imap_security": "off", "smtp_security": "off",
        "timeout_s": "10",
    } | options  # fmt: skip
    return Post(database, ChannelTerms("mail", tuple(every.items()), PASSWORD), home / "yard")


def incoming(database: Database, home: Path, port: int, **options: str) -> Post:
    return post(database, home, imap_host="127.0.0.1", imap_port=str(port), **options)


def outgoing(database: Database, home: Path, port: int, **options: str) -> Post:
    addresses = {"from": USER, "to": BANK}
    return post(database, home, smtp_host="127.0.0.1", smtp_port=str(port), **addresses | options)


def letter(*files: tuple[str, bytes], sender: str = BANK, subject: str = "register", head: str = "") -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = sender, subject
    message.set_content("see the files")
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return head.encode() + message.as_bytes()


def subjects(box: MailBoxUnencrypted, folder: str) -> list[str]:
    if not box.folder.exists(folder):
        return []
    box.folder.set(folder)
    return [one.subject for one in box.fetch("ALL", mark_seen=False, headers_only=True)]


def test_files_of_letters_are_taken_and_the_letters_moved(
    database: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(database, tmp_path, dovecot.port)
    box.append(letter(("реестр один.csv", CONTENT), ("two.csv", b"2"), subject="both"))
    box.append(letter(("three.csv", b"3"), ("logo.png", b"png"), ("smime.p7s", b"sig"), subject="one"))
    expected = ["реестр один.csv", "two.csv", "three.csv"]
    assert place.verdicts() == [(name, "taken") for name in expected]
    assert place.taker.taken[0] == ("реестр один.csv", CONTENT)
    assert (subjects(box, "INBOX"), subjects(box, "kvit-done")) == ([], ["both", "one"])
    assert place.verdicts() == []


def test_a_letter_stays_until_all_its_files_are_taken(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port)
    box.append(letter(("good.csv", b"1"), ("bad.csv", b"2")))
    place.taker.refuses = {"bad.csv"}
    assert place.verdicts() == [("good.csv", "taken"), ("bad.csv", "failed")]
    assert subjects(box, "INBOX") == ["register"]
    place.taker.refuses = set()
    assert set(place.verdicts()) == {("good.csv", "known"), ("bad.csv", "taken")}
    assert subjects(box, "INBOX") == []


def test_the_same_register_in_two_letters_is_taken_once(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port)
    for name in ("a.csv", "a.csv", "copy of a.csv"):
        box.append(letter((name, b"1")))
    assert [verdict for _, verdict in place.verdicts()] == ["taken", "known", "duplicate"]
    assert subjects(box, "INBOX") == []


def test_strangers_are_noted_once_and_left_alone(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port, senders=f"{BANK} @branch.example")
    box.append(letter(("a.csv", b"1"), sender="thief@other.example", subject="stranger"))
    box.append(letter(("b.csv", b"2"), sender=f'"{BANK}" <thief@other.example>', subject="sly"))
    box.append(letter(("c.csv", b"3"), sender="any@branch.example", subject="branch"))
    fetched = place.fetch()
    assert [one.verdict for one in fetched.arrivals] == ["refused", "refused", "taken"]
    assert {one.detail for one in fetched.arrivals[:2]} == {"its sender is not listed (option senders)"}
    assert place.taker.taken == [("c.csv", b"3")]
    assert subjects(box, "INBOX") == ["stranger", "sly"]
    assert place.verdicts() == []
    assert sorted(state for _, state in place.states("in")) == ["done", "failed", "failed"]
    place.terms = ChannelTerms(
        "mail", (*place.terms.options, ("senders", "thief@other.example")), place.terms.secret
    )
    assert [name for name, _ in place.verdicts()] == ["a.csv"], "whoever is listed later is looked into"


def test_refused_letters_go_to_a_folder_where_one_is_named(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port, refused="Не от банка")
    box.append(letter(("a.csv", b"1"), sender="thief@other.example", subject="stranger"))
    assert [verdict for _, verdict in place.verdicts()] == ["refused"]
    assert (subjects(box, "INBOX"), subjects(box, "Не от банка")) == ([], ["stranger"])


def test_a_signature_may_be_asked_for(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port, dkim="mx.our.example")
    signed = "Authentication-Results: mx.our.example; dkim=pass header.d=bank.example\r\n"
    box.append(letter(("forged.csv", b"1"), subject="forged"))
    box.append(letter(("signed.csv", b"2"), head=signed))
    fetched = place.fetch()
    assert fetched.arrivals[0][1:3] == (
        "refused", "mx.our.example does not vouch for its sender (option dkim)",
    )  # fmt: skip
    assert place.taker.taken == [("signed.csv", b"2")]


def test_letters_that_hold_nothing_say_why(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port, size_max_mb="1")
    box.append(letter(subject="no file"))
    box.append(letter(("winmail.dat", b"x"), subject="boxed"))
    box.append(letter(("big.csv", b"x" * 1_500_000), subject="big"))
    details = {one.name.partition(": ")[2]: one.detail for one in place.fetch().arrivals}
    assert details == {
        "no file": "it holds no file that is wanted (options pattern, ignore)",
        "boxed": "its file is packed as winmail.dat: the sender should write plain text or HTML",
        "big": "it is too large (option size_max_mb)",
    }
    assert place.verdicts() == []


@pytest.mark.parametrize(
    ("after", "stays"), [("move", False), ("delete", False), ("flag", True), ("keep", True)]
)
def test_what_becomes_of_a_letter(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted, after: str, stays: bool
) -> None:
    place = incoming(quick, tmp_path, dovecot.port, after=after)
    box.append(letter(("a.csv", b"1")))
    assert place.verdicts() == [("a.csv", "taken")]
    assert bool(subjects(box, "INBOX")) is stays
    assert place.verdicts() == ([("a.csv", "known")] if after == "keep" else [])


def test_the_text_of_a_letter_may_be_the_register(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    place = incoming(quick, tmp_path, dovecot.port, text="take")
    box.append(letter())
    assert place.verdicts() == [("letter.txt", "taken")]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_the_mailbox_by_tls(
    quick: Database, tmp_path: Path, dovecot: ImapServer, authority: Authority,
    box: MailBoxUnencrypted, security: str,
) -> None:  # fmt: skip
    box.append(letter(("a.csv", b"1")))
    port = dovecot.tls_port if security == "tls" else dovecot.port
    trusting = incoming(quick, tmp_path, port, imap_security=security, ca=str(authority.path))
    assert "INBOX is open; letters there: 1" in mail.test(trusting.opened()[1])[0]
    strange = incoming(quick, tmp_path, port, imap_security=security)
    assert "CERTIFICATE_VERIFY_FAILED" in strange.fetch().broken
    assert trusting.verdicts() == [("a.csv", "taken")]


def test_a_wrong_password_is_said(quick: Database, tmp_path: Path, dovecot: ImapServer) -> None:
    place = incoming(quick, tmp_path, dovecot.port)
    place.terms = ChannelTerms("mail", place.terms.options, "wrong")
    assert "Authentication failed" in place.fetch().broken


def test_cut_anywhere_each_file_is_taken_once(
    quick: Database, tmp_path: Path, dovecot: ImapServer, box: MailBoxUnencrypted
) -> None:
    box.append(letter(("0a.csv", b"first"), ("0b.csv", CONTENT)))
    with weathered(dovecot.port) as proxy:
        place = incoming(quick, tmp_path, proxy.port)
        place.fetch()
        lengths = proxy.passed
        number = 0
        for way, length in enumerate(lengths):
            for at in {*range(1, length, length // 8), length - 30, length - 5}:
                number += 1
                box.folder.set("INBOX")
                box.append(
                    letter((f"{number}a.csv", f"{number}".encode()), (f"{number}b.csv", CONTENT[number:]))
                )
                fault = Fault(reset_after=at)
                proxy.plan([Weather(fault) if way == 0 else Weather(back=fault)])
                with suppress(ChannelFailed):
                    place.fetch()
                place.fetch()
                assert subjects(box, "INBOX") == []
        assert proxy.resets > number // 2, "some places lie behind the end of a session"
    names = [name for name, _ in place.taker.taken]
    assert names == [f"{one}{part}.csv" for one in range(number + 1) for part in "ab"]


def test_a_register_goes_out_as_an_attachment(database: Database, tmp_path: Path, smtp: SmtpServer) -> None:
    place = outgoing(database, tmp_path, smtp.port, to=f"{BANK} copy@bank.example", subject="Реестр {name}")
    place.box.files = {1: ("долги 1.txt", CONTENT)}
    assert [one.verdict for one in place.send()] == ["sent"]
    (message,) = smtp.letters
    assert place.send() == []
    assert str(message["Message-ID"]).startswith("<kvit.")
    assert smtp.files()[0][1] == CONTENT
    with smtp_server() as second:
        again = outgoing(database, tmp_path, second.port)
        again.box.files = {1: ("долги 1.txt", CONTENT)}
        assert [one.verdict for one in again.send()] == ["sent"], "it was sent already"
        assert second.letters == []


def test_the_letter_is_what_the_bank_reads(quick: Database, tmp_path: Path, smtp: SmtpServer) -> None:
    place = outgoing(quick, tmp_path, smtp.port)
    content = b".\r\n..\r\n.end" + bytes(range(256))
    place.box.files = {1: ("долги.txt", content), 2: ("empty.txt", b"")}
    assert [one.verdict for one in place.send()] == ["sent", "sent"]
    from kvit.channels.letters import read_letter

    found = [read_letter(one.as_bytes(), with_text=False).attachments for one in smtp.letters]
    assert found == [[("долги.txt", content)], [("empty.txt", b"")]]


@pytest.mark.parametrize("refusal", ["recipient", "letter"])
def test_what_the_server_refuses_was_not_sent_and_goes_the_next_time(
    quick: Database, tmp_path: Path, smtp: SmtpServer, refusal: str
) -> None:
    place = outgoing(quick, tmp_path, smtp.port)
    place.box.files = {1: ("a.txt", b"1")}
    if refusal == "recipient":
        smtp.refuses = {BANK}
    else:
        smtp.answer = "451 later"
    (departure,) = place.send()
    assert departure.verdict == "failed"
    assert ("550" if refusal == "recipient" else "451 later") in departure.detail
    smtp.refuses, smtp.answer = set(), ""
    assert [one.verdict for one in place.send()] == ["sent"]
    assert len(smtp.letters) == 1


def test_letters_go_out_by_tls(quick: Database, tmp_path: Path, authority: Authority) -> None:
    with smtp_server(authority.issue(tmp_path)) as server:
        place = outgoing(quick, tmp_path, server.port, smtp_security="tls", ca=str(authority.path))
        place.box.files = {1: ("a.txt", b"1")}
        assert mail.test(place.opened()[1]) == [f"127.0.0.1: takes letters of {USER}"]
        assert [one.verdict for one in place.send()] == ["sent"]
        strange = outgoing(quick, tmp_path, server.port, smtp_security="tls")
        strange.box.files = {2: ("b.txt", b"2")}
        (departure,) = strange.send()
        assert (departure.verdict, "CERTIFICATE_VERIFY_FAILED" in departure.detail) == ("failed", True)


def test_cut_anywhere_a_letter_goes_once_or_a_person_is_asked(
    quick: Database, tmp_path: Path, smtp: SmtpServer
) -> None:
    with weathered(smtp.port) as proxy:
        place = outgoing(quick, tmp_path, proxy.port)
        place.box.files = {0: ("0.txt", CONTENT)}
        place.send()
        number, asked = 0, 0
        for way, length in enumerate(proxy.passed):
            for at in sorted({*range(1, length, length // 8), length - 40, length - 10, length - 7}):
                number += 1
                name, before = f"{number}.txt", len(smtp.letters)
                place.box.files = {number: (name, CONTENT)}
                fault = Fault(reset_after=at)
                proxy.plan([Weather(fault) if way == 0 else Weather(back=fault)])
                verdict = place.send()[0].verdict
                if verdict == "unknown":
                    asked += 1
                    assert [one.verdict for one in place.send()] == ["unknown"], "not without a person"
                    decide(place.book, name, has_arrived=len(smtp.letters) > before, author="ann")
                if verdict != "sent":
                    assert [one.verdict for one in place.send()] == ["sent"]
                assert len(smtp.letters) == before + 1, (way, at)
        assert 1 <= asked <= number // 2, "what broke before the letter itself is no question"


def test_an_unknown_letter_may_go_again_by_itself(quick: Database, tmp_path: Path, smtp: SmtpServer) -> None:
    with weathered(smtp.port) as proxy:
        place = outgoing(quick, tmp_path, proxy.port, resend="again")
        place.box.files = {0: ("0.txt", CONTENT)}
        place.send()
        proxy.plan([Weather(back=Fault(reset_after=proxy.passed[1] - 15))])
        place.box.files = {1: ("1.txt", CONTENT)}
        first = place.send()[0].verdict
        assert first == "unknown"
        assert [one.verdict for one in place.send()] == ["sent"]
        ids = [message["Message-ID"] for message in smtp.letters[1:]]
        assert len(ids) == 2
        assert ids[0] == ids[1], "so that the bank's server may know it"


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"imap_host": "", "smtp_host": ""}, "options.imap_host"),
        ({"senders": ""}, "options.senders"),
        ({"senders": "bank"}, "options.senders"),
        ({"dkim": ""}, "options.dkim"),
        ({"imap_security": "off"}, "options.imap_security"),
        ({"done": "INBOX"}, "options.done"),
        ({"smtp_host": "mail.example"}, "options.from"),
        ({"ca": "authority.pem"}, "options.ca"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, str], place: str) -> None:
    every = {"imap_host": "mail.example", "user": USER, "senders": BANK, "dkim": "off"} | options
    assert place in channel_problems(ChannelTerms("mail", tuple(every.items()), "secret"))
