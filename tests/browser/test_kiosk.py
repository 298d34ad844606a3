"""A person pays at the kiosk, in a real Chromium, and the network misbehaves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.conftest import CHROMIUM_FLAGS
from tests.simulator.biller import NUMBER
from tests.simulator.conftest import Place
from tests.simulator.conftest import place as place

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


class DemoServer(Protocol):
    """A running kvit with demo data."""

    base_url: str


@dataclass
class Visit:
    """One page at the kiosk, and everything it asked for or complained about."""

    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def screen(self, name: str) -> None:
        """Wait until the terminal shows ``name``."""
        self.page.locator(f'#screen[data-screen="{name}"]').wait_for(timeout=20_000)

    def check(self) -> int:
        """Go on to the client's screen; the debt in minor units, 0 where nothing is owed."""
        self.page.locator(".key.go").click()
        self.screen("client")
        debt = self.page.locator(".debt strong")
        return minor(debt.inner_text()) if debt.count() else 0

    def debtor(self) -> int:
        """Go to the client's screen of the first number worth trying that owes; the debt in minor units."""
        for chip in range(self.page.locator(".chip").count()):
            self.page.locator(".chip").nth(chip).click()
            self.page.locator(".key.go").click()
            self.page.locator('#screen:not([data-screen="checking"]):not([data-screen="number"])').wait_for()
            debt = self.page.locator(".debt strong")
            if debt.count() and minor(debt.inner_text()) >= 20_000:
                return minor(debt.inner_text())
            self.page.keyboard.press("Escape")
            self.screen("number")
        raise AssertionError("no number worth trying owes anything")

    def pay(self, amount: str) -> dict[str, str]:
        """From the client's screen to the receipt; what stands on the slip, by label."""
        self.page.locator(".primary").click()
        self.page.locator("#sum").fill(amount)
        self.page.locator(".primary").click()
        self.screen("receipt")
        return slip(self.page)


def minor(text: str) -> int:
    """``"1 250,00 ₽"`` -> 125000."""
    found = re.search(r"([0-9][0-9\s\u202f]*),([0-9]{2})", text)
    assert found, text
    return int(re.sub(r"\s", "", found[1]) + found[2])


def slip(page: Page) -> dict[str, str]:
    rows = page.locator("#slip dl div").all()
    return {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows}


@pytest.fixture(scope="module")
def browser(chromium_path: str) -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


def open_kiosk(browser: Browser, base_url: str, **options: object) -> Visit:
    wished: dict[str, Any] = {"viewport": DESK, "reduced_motion": "reduce", **options}
    context = browser.new_context(**wished)
    page = context.new_page()
    visit = Visit(page)
    page.on("request", lambda request: visit.hosts.add(request.url.split("/kiosk")[0]))
    page.on("pageerror", lambda fault: visit.complaints.append(str(fault)))
    loud = {"error", "warning"}
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type in loud else None)
    page.goto(f"{base_url}/kiosk")
    visit.screen("number")
    return visit


@pytest.fixture
def visit(browser: Browser, demo_server: DemoServer) -> Iterator[Visit]:
    """The kiosk of a running demo. Whatever a test does, nothing outside is asked and nothing breaks."""
    visit = open_kiosk(browser, demo_server.base_url)
    yield visit
    assert visit.hosts == {demo_server.base_url}
    assert visit.complaints == []
    visit.page.context.close()


# --- paying -----------------------------------------------------------------------------------------


def test_a_person_pays_a_part_and_then_the_rest(visit: Visit) -> None:
    page = visit.page
    debt = visit.debtor()
    number = page.locator(".person .digits").inner_text()
    assert page.locator(".person dd").nth(1).inner_text().strip()

    page.locator(".primary").click()
    page.locator(".note-50").click()
    page.locator(".note-50").click()
    assert page.locator("#sum").input_value() == "100"
    page.locator(".primary").click()
    visit.screen("receipt")

    first = slip(page)
    assert first["Лицевой счёт"] == number
    assert minor(first["Сумма"]) == 10_000
    assert re.fullmatch(r"[1-9][0-9]*", first["Номер чека"])
    assert re.fullmatch(r"[0-9]{1,20}", first["Операция"])
    assert re.fullmatch(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d", first["Время"])
    assert minor(first["Осталось оплатить"]) == debt - 10_000
    assert page.locator("#slip h2").inner_text() == page.locator("#biller").inner_text()

    page.locator(".secondary").click()
    visit.screen("sum")
    page.locator(".whole").click()
    page.locator(".primary").click()
    visit.screen("receipt")
    second = slip(page)
    assert minor(second["Сумма"]) == debt - 10_000
    assert second["Осталось оплатить"] == "ничего"
    assert second["Номер чека"] != first["Номер чека"]
    assert second["Операция"] != first["Операция"]


def test_the_pad_writes_as_the_keyboard_does(visit: Visit) -> None:
    pad = visit.page.locator(".pad button")
    for key in ("00", "4", "2", "0"):
        pad.filter(has_text=re.compile(f"^{key}$")).click()
    assert visit.page.locator("#number").input_value() == "00420"
    visit.page.get_by_label("Стереть").click()
    visit.page.keyboard.type("17")
    assert visit.page.locator("#number").input_value() == "004217"
    pad.filter(has_text="Сброс").click()
    assert visit.page.locator("#number").input_value() == ""
    assert visit.page.locator(".key.go").is_disabled()


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    visit.debtor()
    number = visit.page.locator(".person .digits").inner_text()
    keyboard = visit.page.keyboard
    visit.page.reload()
    visit.screen("number")
    keyboard.type(number)
    keyboard.press("Enter")
    visit.screen("client")
    keyboard.press("Enter")
    visit.screen("sum")
    keyboard.type("10,5")
    keyboard.press("Enter")
    visit.screen("receipt")
    assert minor(slip(visit.page)["Сумма"]) == 1_050
    keyboard.press("Enter")
    visit.screen("number")
    assert visit.page.locator("#number").input_value() == ""


def test_a_number_that_nobody_has(visit: Visit) -> None:
    visit.page.locator("#number").fill("31337")
    visit.page.keyboard.press("Enter")
    visit.screen("notfound")
    assert "31337" in visit.page.locator(".lead").inner_text()
    assert "код 5" in visit.page.locator(".said").inner_text()
    visit.page.keyboard.press("Escape")
    visit.screen("number")


def test_the_wire_shows_the_exact_bytes(visit: Visit) -> None:
    visit.debtor()
    visit.page.keyboard.press("Escape")
    visit.page.locator("#wire-clear").click()
    with visit.page.expect_response("**/api/check") as checked:
        visit.check()
    with visit.page.expect_response("**/api/pay") as paid:
        visit.pay("20")
    exchanges = [*paid.value.json()["exchanges"], *checked.value.json()["exchanges"]]
    cards = visit.page.locator(".card").filter(has_not_text="Сколько осталось")
    assert cards.count() == 2
    for index, exchange in enumerate(exchanges):
        request, answer = cards.nth(index).locator("pre").all()
        assert request.text_content() == exchange["request"]
        assert answer.text_content() == exchange["response"]
        assert "/pay/" in exchange["request"]
    top = visit.page.locator(".card").nth(1)
    assert top.get_attribute("open") is not None
    assert "HTTP 200" in top.locator("summary").inner_text()
    assert "результат 0" in top.locator("summary").inner_text()


# --- mischief ---------------------------------------------------------------------------------------

MISCHIEF = [
    ("again", "Проведено один раз: снова чек", 0),
    ("at-once", "Проведено один раз: на все 5 копий один чек", 1),
    ("drop", "Проведено один раз: ответ потерян, на повтор пришёл чек", 1),
    ("other-sum", "первый платёж остаётся как был", 0),
    ("unknown", "ничего не проведено", 0),
]


def test_whatever_the_network_does_a_payment_is_booked_once(visit: Visit) -> None:
    page = visit.page
    debt = visit.debtor()
    assert page.locator('[data-kind="again"]').is_disabled()
    receipt = visit.pay("15")["Номер чека"]
    debt -= 1_500
    for kind, said, times in MISCHIEF:
        page.locator(f'[data-kind="{kind}"]').click()
        verdict = page.locator("#verdict.good")
        verdict.filter(has_text=said).wait_for(timeout=20_000)
        before, after = verdict.locator("p").inner_text().split("→")
        assert minor(before) == debt
        debt -= 1_500 * times
        assert minor(after) == debt
        if kind == "again":
            assert receipt in verdict.inner_text()
    groups = page.locator(".together")
    assert groups.count() == len(MISCHIEF)
    at_once = groups.filter(has_text="Пять раз сразу").locator(".card")
    assert at_once.count() == 7
    assert len(set(at_once.locator(".what b").all_inner_texts())) == 1


# --- with a biller that is unwell ----------------------------------------------------------------------


def test_later_is_repeated_until_there_is_a_receipt(browser: Browser, place: Place) -> None:
    place.biller.moods += ["later", "later"]
    visit = open_kiosk(browser, place.base_url)
    visit.page.locator("#number").fill(NUMBER)
    assert visit.check() == 125_000
    assert visit.pay("600")["Номер чека"] == "100045"
    assert len(place.biller.posted) == 1
    assert place.biller.due_minor[NUMBER] == 65_000
    codes = visit.page.locator(".card", has_text="Платёж").locator(".badge:nth-child(2)").all_inner_texts()
    assert codes == ["результат 0", "результат 1", "результат 1"]
    requests = visit.page.locator(".card", has_text="Платёж").locator(".half.request pre")
    assert len(set(requests.evaluate_all("all => all.map((one) => one.textContent)"))) == 1
    visit.page.context.close()


def test_a_refused_payment_gives_the_money_back_and_the_next_has_a_new_id(
    browser: Browser, place: Place
) -> None:
    place.biller.moods += ["refuse"]
    visit = open_kiosk(browser, place.base_url)
    visit.page.locator("#number").fill(NUMBER)
    visit.check()
    visit.page.locator(".primary").click()
    visit.page.keyboard.type("600")
    visit.page.keyboard.press("Enter")
    visit.screen("refused")
    assert "деньги возвращены" in visit.page.locator(".lead").inner_text()
    refused_txn = visit.page.locator(".card[open] pre").first.inner_text()
    visit.page.locator(".primary").click()
    visit.screen("sum")
    visit.page.keyboard.type("500")
    visit.page.keyboard.press("Enter")
    visit.screen("receipt")
    assert slip(visit.page)["Операция"] not in refused_txn
    assert place.biller.due_minor[NUMBER] == 75_000
    visit.page.context.close()


def test_a_second_booking_is_said_aloud(browser: Browser, place: Place) -> None:
    place.biller.honest = False
    visit = open_kiosk(browser, place.base_url)
    visit.page.locator("#number").fill(NUMBER)
    visit.check()
    visit.page.locator('[data-kind="at-once"]').click()
    visit.page.locator("#verdict.bad", has_text="больше одного раза").wait_for(timeout=20_000)
    visit.page.context.close()


# --- for everybody --------------------------------------------------------------------------------------


def test_three_languages(visit: Visit) -> None:
    page = visit.page
    page.locator("#number").fill("42")
    headings = set()
    for language in ("en", "kk", "ru"):
        page.locator(f'[data-language="{language}"]').click()
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("#number").input_value() == "42"
        headings.add(page.locator("h1").inner_text())
        assert re.findall(r"\b(?:[a-z-]+\.)+[a-z-]+\b", page.locator("body").inner_text()) == []
    assert len(headings) == 3
    page.locator('[data-language="en"]').click()
    page.reload()
    visit.screen("number")
    assert page.locator("h1").inner_text() == "Your account number"


CONTRAST = """(selector) => {
  const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
  const part = (value) => ((value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const element = document.querySelector(selector);
  let behind = element;
  while (/, 0\\)$|transparent/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
  const two = [getComputedStyle(element).color, getComputedStyle(behind).backgroundColor].map(rgb).map(light);
  return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_it_fits_and_can_be_read(
    browser: Browser, demo_server: DemoServer, scheme: str, viewport: dict[str, int]
) -> None:
    visit = open_kiosk(browser, demo_server.base_url, color_scheme=scheme, viewport=viewport)
    page = visit.page
    page.locator(".chip").first.click()
    seen = {
        "number": ["h1", ".title p", ".key", ".key.tool", ".key.go", ".chip span", ".steps li", ".biller"]
    }
    seen["client"] = ["dt", "dd", ".debt strong", ".debt small", ".primary", ".secondary", ".half h4"]
    seen["sum"] = [".outcome", ".whole b", ".whole span", ".primary", ".header-name", ".tag", ".name"]
    for screen, selectors in seen.items():
        if screen == "client":
            visit.debtor()
        elif screen == "sum":
            page.locator(".primary").click()
            page.locator(".note-50").click()
        for selector in selectors:
            assert page.evaluate(CONTRAST, selector) >= 4.5, (screen, selector)
        width, height = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        )
        assert width <= viewport["width"], screen
        if viewport == DESK:
            assert height <= viewport["height"], screen
    for key in page.locator(".key, .primary, .secondary, .note, .whole").all():
        box = key.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background))) > 380) == (scheme == "light")
    page.context.close()


def test_the_focus_is_seen_and_nothing_moves_for_those_who_ask(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert page.evaluate("document.activeElement.className") == "key"
    assert outline == "solid"
    moving = "document.getAnimations().length + [...document.querySelectorAll('*')].filter((one) => "
    moving += "getComputedStyle(one).animationName !== 'none').length"
    assert page.evaluate(moving) == 0
