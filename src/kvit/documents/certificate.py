"""The certificate of a reconciled day: one self-contained page to be printed and signed, in two languages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache

import jinja2

from kvit.domain.errors import NotAllowed, SettingsError
from kvit.domain.file_rows import ResolutionRow
from kvit.domain.model import Biller
from kvit.domain.money import format_amount
from kvit.services.reconciling.findings import OPEN, Finding, Resolution
from kvit.services.reconciling.run import Day, Report

#: Language -> what the page says.
TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "title": "Certificate of reconciliation",
        "biller": "Biller", "agent": "Agent", "day": "Day", "currency": "Currency",
        "online": "Paid online", "register": "The agent's register", "bank": "Reached the bank",
        "payments": "Payments", "sum": "Sum", "fee": "Fee", "net": "Paid out", "none": "none",
        "no_register": "no register", "not_yet": "not yet", "for_days": "for",
        "booked": "In the books of this day",
        "agrees": "No difference is open.",
        "to_know": "Differences that nothing has to be done about, and how others were settled",
        "difference": "Difference", "decided": "Decided",
        "digest": "Digest of the facts (SHA-256)", "made": "Made", "by": "by",
        "for_biller": "For the biller", "for_agent": "For the agent", "signature": "signature, name, date",
    },
    "ru": {
        "title": "Акт сверки",
        "biller": "Получатель", "agent": "Агент", "day": "День", "currency": "Валюта",
        "online": "Оплачено онлайн", "register": "Реестр агента", "bank": "Поступило в банк",
        "payments": "Платежей", "sum": "Сумма", "fee": "Комиссия", "net": "Перечислено", "none": "нет",
        "no_register": "реестра нет", "not_yet": "ещё нет", "for_days": "за",
        "booked": "Проведено за этот день",
        "agrees": "Открытых расхождений нет.",
        "to_know": "Расхождения, которые не требуют действий, и урегулированные",
        "difference": "Расхождение", "decided": "Решение",
        "digest": "Контрольная сумма данных (SHA-256)", "made": "Составлен", "by": "составил",
        "for_biller": "За получателя", "for_agent": "За агента", "signature": "подпись, фамилия, дата",
    },
}  # fmt: skip

#: Kind of a finding -> what it is called on paper.
KINDS: dict[str, dict[str, str]] = {
    "en": {
        "missing-here": "in the register, not online", "missing-there": "not in the register",
        "differs": "another sum or account", "twin": "two that look like one",
        "day-shifted": "in the register of another day", "fee-differs": "another fee",
        "register-late": "the register came late", "register-missing": "no register",
        "register-empty": "an empty register", "settlement-missing": "not paid out",
        "settlement-short": "less was paid out", "settlement-over": "more was paid out",
    },
    "ru": {
        "missing-here": "есть в реестре, онлайн не приходил", "missing-there": "нет в реестре",
        "differs": "другая сумма или счёт", "twin": "похоже на двойной платёж",
        "day-shifted": "в реестре другого дня", "fee-differs": "другая комиссия",
        "register-late": "реестр пришёл поздно", "register-missing": "реестра нет",
        "register-empty": "пустой реестр", "settlement-missing": "не перечислено",
        "settlement-short": "перечислено меньше", "settlement-over": "перечислено больше",
    },
}  # fmt: skip

#: What was done about a finding -> what that is called on paper.
REMEDY_TEXTS: dict[str, dict[str, str]] = {
    "en": {"accept": "accepted", "ask": "asked", "void": "taken back", "move-day": "counts that day"},
    "ru": {
        "accept": "принято", "ask": "запрошено", "void": "платёж возвращён",
        "move-day": "отнесено на день реестра",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes the certificate for whom, and when (aware, in the biller's zone)."""

    biller: Biller
    author: str
    made_at: datetime


def certificate(report: Report, maker: Maker, language: str = "en") -> str:
    """HTML without scripts and without anything from elsewhere; each day on a page of its own.

    Raises ``NotAllowed`` while something is open, ``SettingsError`` for an unknown language.
    """
    if language not in TEXTS:
        raise SettingsError(f"--language: one of {', '.join(TEXTS)}")
    open_findings = [finding for finding in report.findings if finding.state == OPEN]
    if open_findings:
        raise NotAllowed(
            f"there is no certificate while something is open: {len(open_findings)} findings, the first is "
            f"{open_findings[0].key}"
        )
    exponent = report.agreement.exponent

    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, exponent).replace(".", "," if language == "ru" else ".")

    def sums(finding: Finding) -> str:
        """Ours and theirs, where they differ."""
        both = dict.fromkeys(one for one in (finding.here_minor, finding.there_minor) if one is not None)
        return " / ".join(map(money, both))

    return _page().render(
        text=TEXTS[language],
        language=language,
        biller=maker.biller.name,
        agreement=report.agreement,
        days=[_day(day, report, language) for day in report.days],
        author=maker.author,
        made_at=maker.made_at.strftime("%Y-%m-%d %H:%M %z"),
        money=money,
        sums=sums,
    )


def _day(day: Day, report: Report, language: str) -> dict[str, object]:
    payout, kinds = day.payout, KINDS[language]
    span = ""
    if payout is not None and payout.first_day != payout.last_day:
        span = f"{TEXTS[language]['for_days']} {payout.first_day} – {payout.last_day}"

    def decided(said: Resolution | ResolutionRow | None) -> str:
        return "" if said is None else f"{REMEDY_TEXTS[language][said.remedy]}: {said.reason} ({said.author})"

    gone = [row for row in report.settled if row.day == day.day]
    return {
        "day": day,
        "payout": payout,
        "span": span,
        "findings": [(one, kinds[one.kind], decided(one.resolution)) for one in day.findings],
        "gone": [(kinds[row.finding.split("/")[2]], decided(row)) for row in gone],
    }


@cache
def _page() -> jinja2.Template:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("kvit.documents"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("certificate.html")
