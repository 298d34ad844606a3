"""A person pays in the bank's app, in a real Chromium, and what was paid is in the demo's books."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.app_visit import facts, find, open_app, pay, stop_after_reserving
from tests.browser.test_kiosk import CONTRAST, DESK, PHONE, Visit, minor
from tests.browser.test_kiosk import browser as browser
from tests.demonstration import Demo

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def visit(browser: Browser, demo_server: Demo) -> Iterator[Visit]:
    """The app of a running demo. Whatever a test does, nothing outside is asked and nothing breaks."""
    visit = open_app(browser, demo_server.base_url)
    yield visit
    assert visit.hosts == {demo_server.base_url}
    assert visit.complaints == []
    visit.page.context.close()


# --- paying ---------------------------------------------------------------------------------------------


def test_what_is_paid_in_the_app_is_in_the_books_and_can_be_taken_back(
    visit: Visit, demo_server: Demo
) -> None:
    number = demo_server.number("old-debt")
    before = demo_server.json("account", "show", number)
    assert find(visit, number) == before["due_minor"]
    assert visit.page.locator(".person dd").first.inner_text() == "Қ*** Е*** Б***"
    paid = pay(visit, "450,50")
    assert minor(visit.page.locator(".big-sum").inner_text()) == 45_050
    assert minor(paid["Осталось оплатить"]) == before["due_minor"] - 45_050

    notice = visit.page.locator(".notice").inner_text()
    assert minor(notice) == 45_050
    assert f"чек {paid['Номер чека']}" in notice
    after = demo_server.json("account", "show", number)
    assert after["due_minor"] == before["due_minor"] - 45_050
    (payment,) = [one for one in after["payments"] if str(one["receipt"]) == paid["Номер чека"]]
    assert (payment["txn"], payment["agreement"], payment["state"]) == (paid["Операция"], "app", "posted")

    visit.page.locator(".danger").click()
    visit.screen("asking")
    visit.page.locator(".danger.solid").click()
    visit.screen("receipt")
    assert visit.page.locator("h1").inner_text() == "Платёж отменён"
    assert minor(facts(visit)["Осталось оплатить"]) == before["due_minor"]
    back = demo_server.json("account", "show", number)
    assert back["due_minor"] == before["due_minor"]
    (payment,) = [one for one in back["payments"] if str(one["receipt"]) == paid["Номер чека"]]
    assert payment["state"] == "voided"


def test_what_is_only_reserved_is_not_in_the_books_until_it_is_paid(visit: Visit, demo_server: Demo) -> None:
    number = demo_server.number("partly")
    before = demo_server.json("account", "show", number)
    stop_after_reserving(visit)
    find(visit, number)
    visit.page.locator("#sum").fill("200")
    visit.page.keyboard.press("Enter")
    visit.page.locator(".progress .primary").wait_for()
    over = visit.page.locator(".phases .over").evaluate_all("all => all.map((one) => one.dataset.phase)")
    assert over == ["check", "hold"]
    assert demo_server.json("account", "show", number) == before
    visit.page.locator('#tabs [data-tab="history"]').click()
    assert visit.page.locator(".entry .state").inner_text() == "В резерве"
    visit.page.locator('#tabs [data-tab="pay"]').click()
    assert minor(visit.page.locator("#account").inner_text()) == 100_000_000 - 20_000
    assert minor(visit.page.locator("#set-aside").inner_text()) == 20_000

    visit.page.locator(".entry").click()
    visit.page.locator(".progress .primary").click()
    visit.screen("receipt")
    after = demo_server.json("account", "show", number)
    assert after["due_minor"] == before["due_minor"] - 20_000
    assert len(after["payments"]) == len(before["payments"]) + 1


def test_a_reserve_is_released_and_nothing_was_booked(visit: Visit, demo_server: Demo) -> None:
    number = demo_server.number("partly")
    before = demo_server.json("account", "show", number)
    stop_after_reserving(visit)
    find(visit, number)
    visit.page.locator("#sum").fill("300")
    visit.page.keyboard.press("Enter")
    visit.page.locator(".progress .secondary").click()
    visit.screen("receipt")
    assert visit.page.locator("h1").inner_text() == "Резерв снят"
    assert demo_server.json("account", "show", number) == before
    visit.page.keyboard.press("Escape")
    assert minor(visit.page.locator("#account").inner_text()) == 100_000_000


def test_the_keyboard_alone_is_enough(visit: Visit, demo_server: Demo) -> None:
    page, keyboard = visit.page, visit.page.keyboard
    keyboard.type("род")
    keyboard.press("Enter")
    visit.screen("number")
    keyboard.type(demo_server.number("partly"))
    keyboard.press("Enter")
    visit.screen("bill")
    keyboard.type("12.5")
    keyboard.press("Enter")
    visit.screen("receipt")
    assert minor(page.locator(".big-sum").inner_text()) == 1_250
    keyboard.press("Enter")
    visit.screen("home")
    assert page.evaluate("document.activeElement.id") == "find"


def test_a_number_that_nobody_has(visit: Visit, demo_server: Demo) -> None:
    visit.page.locator("#billers .row").click()
    visit.page.locator(f'.chip[data-number="{demo_server.number("unknown")}"]').click()
    visit.screen("notfound")
    assert "no-such-account" in visit.page.locator(".said").inner_text()
    visit.page.keyboard.press("Escape")
    visit.screen("number")


def test_a_biller_is_found_by_a_part_of_its_name(visit: Visit) -> None:
    visit.page.locator("#find").fill("РОДН")
    assert visit.page.locator("#billers .row").count() == 1
    visit.page.locator("#find").fill("горгаз")
    assert visit.page.locator("#billers .row").count() == 0
    assert visit.page.locator("#billers").inner_text() == "Такого поставщика здесь нет"


@pytest.mark.parametrize(
    "text",
    ["{number}", " 100 00 17 ", "ST00012|Name=Водоканал|PersonalAcc=407028|PersAcc={number}|Sum=101556"],
    ids=["number", "spaced", "qr"],
)
def test_a_pasted_code_brings_the_bill(visit: Visit, demo_server: Demo, text: str) -> None:
    number = demo_server.number("debt")
    visit.page.locator(".find .round").click()
    visit.screen("scan")
    assert visit.page.locator(".slip .bars").count() == len(demo_server.report["numbers"])
    visit.page.locator("#pasted").fill("ST00012|Name=Водоканал|Sum=100")
    visit.page.locator(".pasting .primary").click()
    assert visit.page.locator(".complaint").inner_text() == "В этом тексте нет номера лицевого счёта"
    visit.page.locator("#pasted").fill(text.format(number=number))
    visit.page.locator(".pasting .primary").click()
    visit.screen("bill")
    assert visit.page.locator(".person .digits").inner_text() == number


def test_a_bill_is_scanned_by_a_tap(visit: Visit, demo_server: Demo) -> None:
    visit.page.locator(".find .round").click()
    visit.page.locator(".slip", has_text=demo_server.number("debt")).click()
    visit.screen("bill")
    assert minor(visit.page.locator("#sum").input_value()) == minor(
        visit.page.locator(".debt strong").inner_text()
    )


def test_the_wire_shows_both_phases(visit: Visit, demo_server: Demo) -> None:
    find(visit, demo_server.number("partly"))
    pay(visit, "15")
    visit.page.locator('#tabs [data-tab="wire"]').click()
    cards = visit.page.locator(".card")
    assert cards.locator(".verb").all_inner_texts() == ["check", "pay", "hold", "check"]
    cards.nth(2).locator("summary").click()
    request = cards.nth(2).locator(".half.request pre").text_content() or ""
    head, _, body = request.partition("\n\n")
    assert head.startswith("POST /pay/app/hold HTTP/1.1")
    assert f"Content-Length: {len(body.encode())}" in head, "the text is what was sent, byte for byte"


def test_whatever_the_network_does_a_payment_is_booked_once(visit: Visit, demo_server: Demo) -> None:
    page, number = visit.page, demo_server.number("old-debt")
    find(visit, number)
    pay(visit, "19")
    before = demo_server.json("account", "show", number)
    page.locator('#tabs [data-tab="wire"]').click()
    page.locator('[data-kind="at-once"]').click()
    page.locator("#verdict.good", has_text="на все 5 копий один чек").wait_for(timeout=20_000)
    page.locator('[data-kind="again"]').click()
    page.locator("#verdict.good", has_text="тот же самый").wait_for(timeout=20_000)
    after = demo_server.json("account", "show", number)
    assert after["due_minor"] == before["due_minor"] - 1_900
    assert len(after["payments"]) == len(before["payments"]) + 1


def test_history_outlives_a_reload(visit: Visit, demo_server: Demo) -> None:
    find(visit, demo_server.number("partly"))
    receipt = pay(visit, "16")["Номер чека"]
    visit.page.reload()
    visit.screen("home")
    visit.page.locator('#tabs [data-tab="history"]').click()
    visit.page.locator(".entry.paid").click()
    assert facts(visit)["Номер чека"] == receipt


# --- for everybody ------------------------------------------------------------------------------------------


def test_three_languages(visit: Visit) -> None:
    page = visit.page
    headings = set()
    for language in ("en", "kk", "ru"):
        page.locator(f'[data-language="{language}"]').click()
        assert page.locator("html").get_attribute("lang") == language
        headings.add(page.locator("h1").inner_text())
        assert re.findall(r"\b(?:[a-z-]+\.)+[a-z-]+\b", page.locator("body").inner_text()) == []
    assert len(headings) == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_it_fits_and_can_be_read(
    browser: Browser, demo_server: Demo, scheme: str, viewport: dict[str, int]
) -> None:
    visit = open_app(browser, demo_server.base_url, color_scheme=scheme, viewport=viewport)
    page = visit.page

    def look(*selectors: str) -> None:
        for selector in selectors:
            assert page.evaluate(CONTRAST, selector) >= 4.5, selector
        width, height = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert width <= viewport["width"]
        assert height <= viewport["height"]
        for target in page.locator("#phone button:visible").all():
            box = target.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44, target.inner_text()

    look("h1", "h2", ".bank", "#account", ".row small", ".tabs button", '.tabs [aria-pressed="true"]')
    page.locator("#billers .row").click()
    look("h1", ".title p", ".chip b", ".chip span", ".bar b")
    page.locator(".find .round").click()
    look("h1", ".slip b", ".slip small", ".finder p")
    page.keyboard.press("Escape")
    page.locator("#number").fill(demo_server.number("old-debt"))
    page.keyboard.press("Enter")
    visit.screen("bill")
    look(
        "dt", "dd", ".debt span", ".debt strong", ".outcome", ".way", '.way[aria-pressed="true"]', ".primary"
    )
    pay(visit, "17")
    look(
        ".lead",
        ".big-sum",
        ".danger",
        ".secondary",
        ".primary",
        "#facts dt",
        ".notice b",
        ".notice .push-text span",
    )
    page.locator(".danger").click()
    look("#asked", ".danger.solid")
    page.keyboard.press("Escape")
    page.locator('#tabs [data-tab="history"]').click()
    look("h1", ".row b", ".row small", ".state")
    for row in page.locator(".row").all():
        assert row.evaluate("one => one.scrollWidth <= one.clientWidth")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) > 380) == (scheme == "light")
    page.context.close()


def test_nothing_moves_for_those_who_ask(visit: Visit, demo_server: Demo) -> None:
    find(visit, demo_server.number("partly"))
    pay(visit, "18")
    moving = "document.getAnimations().length + [...document.querySelectorAll('*')].filter((one) => "
    moving += "getComputedStyle(one).animationName !== 'none').length"
    assert visit.page.evaluate(moving) == 0


def test_the_books_hold_after_all_of_it(demo_server: Demo) -> None:
    verdict = demo_server.json("audit", "verify")
    assert verdict["ok"], verdict["findings"]
