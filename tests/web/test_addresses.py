"""Who knocks is told by the network, not by what he writes; a header counts from known proxies alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kvit.domain.model import Agreement
from kvit.main import make_terms
from kvit.protocols.registry import PROTOCOLS
from kvit.web.doors import Door, Networks, client_address, readable
from tests.web.serving import AGREEMENT, BASIC, NUMBER, Office, Serving, open_office, statuses

NETWORKS = Networks(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32"])
PROXIES = Networks(["10.0.0.0/8", "127.0.0.1", "2001:db8:ffff::/48"])
OUTSIDER, AGENT = "203.0.113.9", "192.0.2.7"


@pytest.mark.parametrize(
    "address",
    ["192.0.2.0", "192.0.2.255", "198.51.100.7", "2001:db8::1", "::ffff:192.0.2.7", "::FFFF:c000:207"],
)
def test_an_address_of_a_network_is_in_it(address: str) -> None:
    assert address in NETWORKS


@pytest.mark.parametrize(
    "address",
    [
        "192.0.3.0", "198.51.100.8", "2001:db9::1", "::ffff:192.0.3.1", "", " 192.0.2.7", "192.0.2.7 ",
        "192.0.2.07", "192.0.2", "192.0.2.7.1", "192.0.2.7/32", "192.0.2.7:80", "0xc0000207", "3221225991",
        "１９２.0.2.7", "localhost", "unknown", "_hidden", "192.0.2.7\x00", "192.0.2.7\n", "a" * 10_000,
        "[2001:db8::1]", "::192.0.2.7", "64:ff9b::c000:207",
    ],
)  # fmt: skip
def test_what_is_another_address_or_none_is_outside(address: str) -> None:
    assert address not in NETWORKS


def test_what_clients_write_is_not_remembered_without_end() -> None:
    networks = Networks(["192.0.2.0/24"])
    for number in range(30_000):
        assert f"198.51.{number // 256}.{number % 256}" not in networks
    for number in range(100):
        assert "x" * 1_000 + str(number) not in networks
    assert len(networks.known) <= 10_000
    assert max(map(len, networks.known)) < 100
    assert AGENT in networks


#: peer, header lines -> the address that counts.
HOPS: Sequence[tuple[str, list[str], str]] = (
    # nobody on the list: the header is not looked at
    (OUTSIDER, [], OUTSIDER),
    (OUTSIDER, [AGENT], OUTSIDER),
    (OUTSIDER, [f"{AGENT}, 10.0.0.1"], OUTSIDER),
    # one proxy
    ("10.0.0.1", [OUTSIDER], OUTSIDER),
    ("10.0.0.1", [f"{AGENT}, {OUTSIDER}"], OUTSIDER),
    ("10.0.0.1", [f"{AGENT},{AGENT},{OUTSIDER}"], OUTSIDER),
    ("10.0.0.1", [f"  {OUTSIDER}  "], OUTSIDER),
    ("::ffff:10.0.0.1", [OUTSIDER], OUTSIDER),
    ("2001:db8:ffff::1", [OUTSIDER], OUTSIDER),
    # two and three proxies
    ("10.0.0.1", [f"{OUTSIDER}, 10.0.0.2"], OUTSIDER),
    ("10.0.0.1", [f"{AGENT}, {OUTSIDER}, 10.0.0.2"], OUTSIDER),
    ("10.0.0.1", [f"{AGENT}, {OUTSIDER}, 127.0.0.1, 10.0.0.2"], OUTSIDER),
    ("10.0.0.1", [f"{OUTSIDER}, 2001:db8:ffff::2"], OUTSIDER),
    ("10.0.0.1", [f"{OUTSIDER}, ::ffff:10.0.0.2"], OUTSIDER),
    # several lines are one list
    ("10.0.0.1", [AGENT, OUTSIDER], OUTSIDER),
    ("10.0.0.1", [f"{AGENT}, {OUTSIDER}", "10.0.0.2"], OUTSIDER),
    ("10.0.0.1", [OUTSIDER, "10.0.0.3", "10.0.0.2"], OUTSIDER),
    # ports
    ("10.0.0.1", [f"{OUTSIDER}:4711"], OUTSIDER),
    ("10.0.0.1", [f"{OUTSIDER}:4711, 10.0.0.2:80"], OUTSIDER),
    ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
    ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
    ("10.0.0.1", ["2001:db8::1"], "2001:db8::1"),
    # nothing but proxies, or nothing at all: the nearest
    ("10.0.0.1", [], "10.0.0.1"),
    ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.1"),
    # what cannot be read is not looked past: it is nobody's address
    ("10.0.0.1", [f"{AGENT}, unknown"], "unknown"),
    ("10.0.0.1", [f"{AGENT}, "], ""),
    ("10.0.0.1", [f"{AGENT},,10.0.0.2"], ""),
    ("10.0.0.1", [""], ""),
    ("10.0.0.1", [f"{AGENT} 10.0.0.2"], f"{AGENT} 10.0.0.2"),
    ("10.0.0.1", [f"{AGENT}; 10.0.0.2"], f"{AGENT}; 10.0.0.2"),
    ("10.0.0.1", [f'{AGENT}, "10.0.0.2"'], '"10.0.0.2"'),
    ("10.0.0.1", [f"{AGENT}, for=10.0.0.2"], "for=10.0.0.2"),
    ("10.0.0.1", [f"{AGENT}, 10.0.0.2:99999999"], "10.0.0.2:99999999"),
    ("10.0.0.1", [f"{AGENT}, [10.0.0.2"], "[10.0.0.2"),
    ("10.0.0.1", [f"{AGENT}, 10.0.0.02"], "10.0.0.02"),
)  # fmt: skip


@pytest.mark.parametrize(("peer", "lines", "expected"), HOPS)
def test_the_first_stranger_from_the_right_is_who_knocks(peer: str, lines: list[str], expected: str) -> None:
    assert client_address(peer, [line.encode("latin-1") for line in lines], PROXIES) == expected


@pytest.mark.parametrize(("peer", "lines", "_expected"), HOPS)
def test_without_proxies_on_the_list_the_header_is_nothing(
    peer: str, lines: list[str], _expected: str
) -> None:
    assert client_address(peer, [line.encode("latin-1") for line in lines], Networks(())) == peer


def test_bytes_that_are_no_text_are_nobody() -> None:
    address = client_address("10.0.0.1", [b"192.0.2.7, \xff\xfe\x00"], PROXIES)
    assert address not in NETWORKS
    assert readable(address) == "from no address"


@pytest.mark.parametrize("address", ["unknown", "", "x" * 100_000, "1.2.3.4\nINFO all is well", "\x1b[2J"])
def test_a_log_repeats_no_address_that_is_none(address: str) -> None:
    assert readable(address) == "from no address"


def test_an_agreement_without_networks_relies_on_its_credentials() -> None:
    agreement = Agreement("qiwi", "water", "qiwi", "live", "RUB", 2, "Europe/Moscow")
    door = Door(agreement, PROTOCOLS["qiwi"], make_terms(agreement))
    assert door.admits(OUTSIDER)
    assert door.admits("")


# --- on the wire -----------------------------------------------------------------------------------

CHECK = f"/pay/qiwi?command=check&txn_id=1&account={NUMBER}&sum=1.00"
SPOOFS = (
    b"X-Forwarded-For: 192.0.2.7\r\n", b"X-Real-IP: 192.0.2.7\r\n", b"Forwarded: for=192.0.2.7\r\n",
    b"X-Client-IP: 192.0.2.7\r\n", b"CF-Connecting-IP: 192.0.2.7\r\n", b"True-Client-IP: 192.0.2.7\r\n",
    b"X_Forwarded_For: 192.0.2.7\r\n", b"X-Forwarded-For : 192.0.2.7\r\n", b"X-Forwarded-Host: 192.0.2.7\r\n",
)  # fmt: skip


@pytest.fixture(scope="module")
def elsewhere(sqlite_template: object, tmp_path_factory: pytest.TempPathFactory) -> Office:
    """An installation whose agents are not on this machine, and that knows no proxy."""
    agreement = AGREEMENT.replace('"127.0.0.0/8"', '"192.0.2.0/24"')
    return open_office(tmp_path_factory.mktemp("elsewhere"), sqlite_template, agreement=agreement)  # type: ignore[arg-type]


def test_without_proxies_no_header_opens_a_door(elsewhere: Office) -> None:
    with elsewhere.serving() as server:
        for headers in (b"", *SPOOFS):
            assert server.ask(CHECK, headers=BASIC + headers).status in (400, 403)
        answer = server.ask(CHECK)
        assert (answer.status, answer.body) == (403, b"this address may not use this door")
    assert '"status":403,"code":"from 127.0.0.1"' in server.said()
    assert elsewhere.payments() == 0


def test_the_address_is_looked_at_before_the_credentials(proxied: Serving) -> None:
    inside, outside = b"X-Forwarded-For: 192.0.2.7\r\n", b"X-Forwarded-For: 203.0.113.9\r\n"
    wrong = b"Authorization: Basic b3NtcDo=\r\n"
    assert proxied.ask(CHECK, headers=inside + BASIC).result == "0"
    assert proxied.ask(CHECK, headers=inside + wrong).status == 401
    assert proxied.ask(CHECK, headers=inside).status == 401
    assert proxied.ask(CHECK, headers=outside + BASIC).status == 403
    assert proxied.ask(CHECK, headers=outside + wrong).status == 403
    assert proxied.ask(CHECK, headers=BASIC).status == 403


def test_behind_a_proxy_the_client_of_the_proxy_counts(proxied: Serving) -> None:
    def status(*lines: str) -> int:
        headers = "".join(f"X-Forwarded-For: {line}\r\n" for line in lines).encode()
        return proxied.ask(CHECK, headers=BASIC + headers).status

    assert status("203.0.113.9, 192.0.2.7") == 200
    assert status("192.0.2.7, 10.1.2.3") == 200
    assert status("2001:db8::5") == 200
    assert status("192.0.2.7:4711") == 200
    assert status("203.0.113.9", "192.0.2.7") == 200
    assert status("192.0.2.7, 203.0.113.9") == 403
    assert status("192.0.2.7", "203.0.113.9") == 403
    assert status("192.0.2.7, unknown") == 403
    assert status("192.0.2.7,") == 403


def test_a_trailer_is_no_header(proxied: Serving) -> None:
    """A client's trailer, handed on by the proxy, stands behind the address that the proxy wrote."""
    form = f"command=check&txn_id=1&account={NUMBER}&sum=1.00".encode()
    head = (
        b"POST /pay/qiwi HTTP/1.1\r\nHost: kvit\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nX-Forwarded-For: %s\r\n%s\r\n"
        b"%x\r\n%s\r\n0\r\n%s\r\n"
    )
    outside, inside = OUTSIDER.encode(), AGENT.encode()
    trailer = b"X-Forwarded-For: %s\r\n" % inside
    assert statuses(proxied.send(head % (outside, BASIC, len(form), form, trailer))) == [403]
    assert statuses(proxied.send(head % (inside, b"", len(form), form, BASIC))) == [401]
    assert statuses(proxied.send(head % (inside, BASIC, len(form), form, b"X: y\r\n"))) == [200]
