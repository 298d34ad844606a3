"""The app before a biller that answers "later", refuses, or takes one sum alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.app_visit import facts, find, open_app, pay
from tests.browser.test_kiosk import browser as browser
from tests.browser.test_kiosk import minor
from tests.simulator.app_place import INVOICE, NUMBER, AppPlace, app_place

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.fixture
def place() -> Iterator[AppPlace]:
    with app_place() as place:
        yield place


def test_later_is_repeated_in_either_phase_until_there_is_a_receipt(
    browser: Browser, place: AppPlace
) -> None:
    place.biller.moods += ["later", "", "later"]
    visit = open_app(browser, place.base_url)
    assert find(visit, NUMBER) == 125_000
    assert pay(visit, "600")["Номер чека"] == "100045"
    assert (len(place.biller.held), len(place.biller.posted)) == (1, 1)
    assert place.biller.due_minor[NUMBER] == 65_000
    verbs = visit.page.locator(".card .verb").evaluate_all("all => all.map((one) => one.textContent)")
    assert verbs == ["check", "pay", "pay", "hold", "hold", "check"]
    visit.page.context.close()


def test_a_payment_without_an_answer_waits_and_is_repeated_word_for_word(
    browser: Browser, place: AppPlace
) -> None:
    visit = open_app(browser, place.base_url)
    find(visit, NUMBER)
    place.biller.moods += [""] + ["later"] * 60
    visit.page.locator("#sum").fill("600")
    visit.page.keyboard.press("Enter")
    visit.page.locator(".again", has_text="попытка 2").wait_for()
    visit.page.reload()
    visit.screen("home")
    assert minor(visit.page.locator("#set-aside").inner_text()) == 60_000
    visit.page.locator(".entry.waiting").click()
    assert visit.page.locator("h1").inner_text() == "Платёж ждёт подтверждения"
    place.biller.moods.clear()
    visit.page.locator(".actions .primary").click()
    visit.page.locator("h1", has_text="Оплачено").wait_for()
    assert facts(visit)["Номер чека"] == "100045"
    assert (list(place.biller.held), len(place.biller.posted)) == (list(place.biller.posted), 1)
    assert place.biller.due_minor[NUMBER] == 65_000
    visit.page.context.close()


def test_a_refused_payment_gives_the_money_back(browser: Browser, place: AppPlace) -> None:
    place.biller.moods += ["refuse"]
    visit = open_app(browser, place.base_url)
    find(visit, NUMBER)
    visit.page.keyboard.press("Enter")
    visit.screen("receipt")
    assert visit.page.locator("h1").inner_text() == "Платёж не принят"
    assert "account-closed" in visit.page.locator(".said").inner_text()
    assert visit.page.locator(".notice").count() == 0
    refused = facts(visit)["Операция"]
    visit.page.locator(".actions .primary").click()
    visit.screen("bill")
    assert pay(visit, "500")["Операция"] != refused
    assert place.biller.due_minor[NUMBER] == 75_000
    visit.page.context.close()


def test_a_cancellation_that_is_refused_leaves_the_payment(browser: Browser, place: AppPlace) -> None:
    place.biller.moods += ["", "", "refuse"]
    visit = open_app(browser, place.base_url)
    find(visit, NUMBER)
    pay(visit, "500")
    visit.page.locator(".danger").click()
    visit.page.locator(".danger.solid").click()
    visit.screen("kept")
    assert "void-forbidden" in visit.page.locator(".lead").inner_text()
    visit.page.keyboard.press("Enter")
    visit.screen("receipt")
    assert visit.page.locator("h1").inner_text() == "Оплачено"
    assert place.biller.due_minor[NUMBER] == 75_000
    visit.page.context.close()


def test_an_invoice_is_paid_in_its_own_sum(browser: Browser, place: AppPlace) -> None:
    visit = open_app(browser, place.base_url)
    assert find(visit, INVOICE) == 45_000
    assert visit.page.locator("#sum").get_attribute("readonly") is not None
    assert visit.page.locator(".way").count() == 0
    assert visit.page.locator("#outcome").inner_text() == "Поставщик примет только эту сумму"
    visit.page.keyboard.press("Enter")
    visit.screen("receipt")
    assert place.biller.due_minor[INVOICE] == 0
    visit.page.context.close()


def test_more_than_the_account_holds_cannot_be_sent(browser: Browser, place: AppPlace) -> None:
    visit = open_app(browser, place.base_url)
    find(visit, NUMBER)
    visit.page.locator("#sum").fill("1000000,01")
    assert visit.page.locator(".actions .primary").is_disabled()
    assert visit.page.locator("#outcome").inner_text() == "На учебном счёте столько нет"
    visit.page.context.close()
