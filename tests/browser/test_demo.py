"""What is paid at the demo's kiosk is in the demo's books."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.test_kiosk import Visit, minor, open_kiosk, slip
from tests.browser.test_kiosk import browser as browser
from tests.demonstration import Demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(browser: Browser, demo_server: Demo) -> Iterator[Visit]:
    visit = open_kiosk(browser, demo_server.base_url)
    yield visit
    assert visit.complaints == []
    visit.page.context.close()


def test_a_part_of_an_old_debt_settles_the_oldest_charges(visit: Visit, demo_server: Demo) -> None:
    number = demo_server.number("old-debt")
    before = demo_server.json("account", "show", number)
    visit.page.locator(f'.chip[data-number="{number}"]').click()
    assert visit.check() == before["due_minor"] > 100_000

    paid = slip_of(visit, "1000,50")
    after = demo_server.json("account", "show", number)
    assert after["due_minor"] == before["due_minor"] - 100_050 == minor(paid["Осталось оплатить"])
    (payment,) = [one for one in after["payments"] if str(one["receipt"]) == paid["Номер чека"]]
    assert payment["amount_minor"] == 100_050
    assert payment["txn"] == paid["Операция"]
    assert payment["agreement"] == "qiwi"
    assert payment["state"] == "posted"
    assert settled(before["charges"], 100_050) == [charge["open_minor"] for charge in after["charges"]]

    suggestion = visit.page.locator(f'.chip[data-number="{number}"] span')
    visit.page.keyboard.press("Enter")
    visit.screen("number")
    assert minor(suggestion.inner_text()) == after["due_minor"], (
        "the suggestion knows what the biller has just said"
    )


def test_five_at_once_are_one_payment_in_the_books(visit: Visit, demo_server: Demo) -> None:
    number = demo_server.number("partly")
    before = demo_server.json("account", "show", number)
    visit.page.locator("#number").fill(number)
    assert visit.check() == before["due_minor"]
    visit.page.locator(".primary").click()
    visit.page.locator("#sum").fill("30")
    visit.page.locator('[data-kind="at-once"]').click()
    visit.page.locator("#verdict.good", has_text="на все 5 копий один чек").wait_for(timeout=20_000)
    after = demo_server.json("account", "show", number)
    assert after["due_minor"] == before["due_minor"] - 3_000
    assert len(after["payments"]) == len(before["payments"]) + 1


def test_too_much_is_kept_as_an_advance(visit: Visit, demo_server: Demo) -> None:
    number = demo_server.number("no-debt")
    visit.page.locator(f'.chip[data-number="{number}"]').click()
    assert visit.check() == 0
    assert slip_of(visit, "77")["Осталось оплатить"] == "ничего"
    assert demo_server.json("account", "show", number)["advance_minor"] == 7_700


@pytest.mark.parametrize(("story", "code"), [("closed", "код 79"), ("unknown", "код 5")])
def test_who_cannot_pay_is_told_so(visit: Visit, demo_server: Demo, story: str, code: str) -> None:
    visit.page.locator(f'.chip[data-number="{demo_server.number(story)}"]').click()
    visit.page.locator(".key.go").click()
    visit.screen("notfound")
    assert code in visit.page.locator(".said").inner_text()


def test_suggestions_speak_the_readers_language(visit: Visit, demo_server: Demo) -> None:
    closed = visit.page.locator(f'.chip[data-number="{demo_server.number("closed")}"] span')
    seen = set()
    for language in ("en", "kk", "ru"):
        visit.page.locator(f'[data-language="{language}"]').click()
        seen.add(closed.inner_text())
        for part in visit.page.locator(".chip b, .chip span").all():
            assert part.evaluate("one => one.scrollWidth <= one.clientWidth"), part.inner_text()
    assert seen == {"closed", "жабық", "закрыт"}
    chips = visit.page.locator(".chips > div")
    assert chips.evaluate("one => one.scrollHeight <= one.clientHeight"), "all of them are seen"


def test_the_other_network_pays_the_same_debt(visit: Visit, demo_server: Demo) -> None:
    visit.page.locator("#agreement").select_option("ibox")
    number = demo_server.number("partly")
    before = demo_server.json("account", "show", number)
    visit.page.locator("#number").fill(number)
    visit.check()
    paid = slip_of(visit, "12,34")
    after = demo_server.json("account", "show", number)
    assert after["due_minor"] == before["due_minor"] - 1_234
    assert (after["payments"][-1]["agreement"], str(after["payments"][-1]["receipt"])) == (
        "ibox",
        paid["Номер чека"],
    )


def test_the_books_hold_after_all_of_it(demo_server: Demo) -> None:
    verdict = demo_server.json("audit", "verify")
    assert verdict["ok"], verdict["findings"]
    assert verdict["payments"] >= demo_server.report["payments"] + 4


def slip_of(visit: Visit, amount: str) -> dict[str, str]:
    """From the client's screen to the slip."""
    visit.page.locator(".primary").click()
    visit.page.locator("#sum").fill(amount)
    visit.page.locator(".primary").click()
    visit.screen("receipt")
    return slip(visit.page)


def settled(charges: list[dict[str, int]], amount_minor: int) -> list[int]:
    """What stays open of ``charges`` (oldest first) after ``amount_minor`` has settled them in order."""
    left = []
    for charge in charges:
        part = min(charge["open_minor"], amount_minor)
        amount_minor -= part
        left.append(charge["open_minor"] - part)
    return left
