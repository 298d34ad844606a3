"""A visit to the bank's app: from screen to screen, and what stands there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.browser.test_kiosk import PHONE, Visit, minor

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def open_app(browser: Browser, base_url: str, **options: object) -> Visit:
    wished: dict[str, Any] = {"viewport": PHONE, "reduced_motion": "reduce", **options}
    page = browser.new_context(**wished).new_page()
    visit = Visit(page)
    page.on("request", lambda request: visit.hosts.add(re.sub(r"(?<=[0-9])/.*", "", request.url)))
    page.on("pageerror", lambda fault: visit.complaints.append(str(fault)))
    loud = {"error", "warning"}
    page.on("console", lambda said: visit.complaints.append(said.text) if said.type in loud else None)
    page.goto(f"{base_url}/app")
    visit.screen("home")
    return visit


def find(visit: Visit, number: str) -> int:
    """From the first screen to the bill; what is owed in minor units."""
    visit.page.locator("#billers .row").first.click()
    visit.screen("number")
    visit.page.locator("#number").fill(number)
    visit.page.keyboard.press("Enter")
    visit.screen("bill")
    debt = visit.page.locator(".debt strong")
    return minor(debt.inner_text()) if debt.count() else 0


def pay(visit: Visit, amount: str) -> dict[str, str]:
    """From the bill to the receipt; what stands there, by label."""
    visit.page.locator("#sum").fill(amount)
    visit.page.keyboard.press("Enter")
    visit.screen("receipt")
    return facts(visit)


def facts(visit: Visit) -> dict[str, str]:
    rows = visit.page.locator("#facts > div").all()
    return {row.locator("dt").inner_text(): row.locator("dd").inner_text() for row in rows}


def stop_after_reserving(visit: Visit) -> None:
    visit.page.locator('#tabs [data-tab="wire"]').click()
    visit.page.locator("#stop-here input").check()
    visit.page.locator('#tabs [data-tab="pay"]').click()
