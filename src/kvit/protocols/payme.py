"""Payme (Paycom, Uzbekistan), Merchant API: may it be paid, create, perform, cancel, by JSON-RPC.

Specification: Payme's published Merchant API, as gathered in ``docs/protocols/payme.md``; the vectors in
``tests/protocols/payme`` are written from there. Every answer is HTTP 200, that to a wrong password too. Sums
are integers of tiyin, times are milliseconds since 1970.
"""

from __future__ import annotations

import re
from typing import Any, Callable, Dict, Mapping, Tuple, Union

# One word a line would push the code off the page.
# isort: off
from kvit.domain.messages import (
    Command, Denied, Found, Held, Hold, HttpRequest, HttpResponse, ListPosted, Lookup,
    Malformed, Note, Noted, Post, Posted, Result, Statement, Status, Void, Voided,
)  # fmt: skip

# isort: on
from kvit.domain.money import format_amount, parse_amount
from kvit.protocols.base import Facts, Habits, Heard, Protocol, Switch, Terms
from kvit.protocols.kits import answers, jsonkit, kit, rpckit, times

#: What happened -> code, and the message in Russian, Uzbek and English.
CODES: Mapping[str, Tuple[int, str, str, str]] = {
    "try-later": (
        -32400, "Временная ошибка, повторите позже", "Vaqtinchalik xatolik, keyinroq takrorlang",
        "Temporary failure, repeat later"),
    "denied": (-32504, "Недостаточно прав", "Huquqlar yetarli emas", "Not enough privileges"),
    "not-post": (
        -32300, "Запрос должен быть POST", "So'rov POST bo'lishi kerak", "The request is not a POST"),
    "not-json": (-32700, "Ошибка разбора JSON", "JSON o'qilmadi", "JSON cannot be read"),
    "malformed": (-32600, "Неверный запрос", "Noto'g'ri so'rov", "Malformed request"),
    "no-such-method": (-32601, "Метод не найден", "Metod topilmadi", "Method not found"),
    "no-such-txn": (-31003, "Транзакция не найдена", "Tranzaksiya topilmadi", "Transaction not found"),
    "too-small": (-31001, "Сумма слишком мала", "Summa juda kichik", "The sum is too small"),
    "too-large": (-31001, "Сумма слишком велика", "Summa juda katta", "The sum is too large"),
    "wrong-amount": (-31001, "Неверная сумма", "Noto'g'ri summa", "Wrong sum"),
    "void-forbidden": (
        -31007, "Отмена невозможна", "Bekor qilib bo'lmaydi", "Cancellation is not possible"),
    "impossible": (
        -31008, "Операция невозможна", "Amalni bajarib bo'lmaydi", "The operation is not possible"),
    "conflict": (
        -31008, "Транзакция известна с другими данными", "Tranzaksiya boshqa ma'lumotlar bilan mavjud",
        "The transaction is known with other data"),
    "too-many": (-31008, "Слишком много транзакций", "Tranzaksiyalar juda ko'p", "Too many transactions"),
    "no-such-account": (-31050, "Номер не найден", "Raqam topilmadi", "Number not found"),
    "wrong-account": (
        -31051, "Номер указан неверно", "Raqam noto'g'ri kiritilgan", "The number is not well-formed"),
    "being-paid": (
        -31052, "Счёт сейчас оплачивается", "Hisob hozir to'lanmoqda", "The invoice is being paid"),
    "already-paid": (
        -31053, "Счёт уже оплачен", "Hisob allaqachon to'langan", "The invoice is already paid"),
    "account-closed": (-31054, "Счёт закрыт", "Hisob yopilgan", "The account is closed"),
    "agreement-closed": (
        -31055, "Платежи не принимаются", "To'lovlar qabul qilinmayapti", "Payments are not accepted now"),
    "service": (-31056, "Услуга не оплачивается", "Xizmat uchun to'lov yo'q", "The service is not accepted"),
    "currency": (-31057, "Валюта не принимается", "Valyuta qabul qilinmaydi", "The currency is not accepted"),
}  # fmt: skip

#: The agent's side: after this code it asks again, and after every HTTP status but 200.
AGAIN = -32400

DIALECT: Mapping[str, Switch] = {
    "account_field": Switch(
        "contract", pattern="[A-Za-z0-9_]{1,40}",
        about="the member of `account` that is the client's number, unless the agreement names its fields"),
    "hold_s": Switch("43200", pattern="0|[1-9][0-9]{0,6}", about="how long a transaction waits; 0: for ever"),
    "additional": Switch("off", ("off", "on"), about="`additional`: name and debt in the answer to a check"),
    **kit.ACCOUNT_SWITCHES,
}  # fmt: skip


# --- our side ------------------------------------------------------------------------------------


def decode(request: HttpRequest, terms: Terms) -> Union[Command, Malformed, Denied]:
    """What Payme asks. Total: any bytes give a command, ``Malformed`` or ``Denied``."""
    if not kit.basic_accepts(request, terms.basic_login, terms.basic_password):
        return Denied()
    call = rpckit.call_of(request)
    if isinstance(call, Malformed):
        return call
    if call.method not in _METHODS:
        return rpckit.unknown_method()
    command = _METHODS[call.method][1](call.params, terms)
    return call.params.problem or command


def encode(request: HttpRequest, result: Result, terms: Terms) -> HttpResponse:
    """Our answer. Total; the same request, result and terms give the same bytes."""
    method = rpckit.method_of(request)
    kind = _METHODS[method][0] if method in _METHODS else ""
    result = answers.fitting(kind, result, two_phase=True)
    if isinstance(result, Found):
        return rpckit.reply(request, _found(result, terms))
    if isinstance(result, Noted):
        return rpckit.reply(request, {"success": True})
    if isinstance(result, Statement):
        rows = sorted((_row(item, terms) for item in result.items), key=lambda row: int(row["time"]))
        return rpckit.reply(request, {"transactions": rows})
    if isinstance(result, (Held, Posted, Voided)):
        states, members = _TRANSACTIONS[kind]
        story = _story(result)
        if story["state"] in states:
            return rpckit.reply(request, {name: story[name] for name in members})
    outcome = _outcome(kind, result)
    code, *texts = CODES[outcome]
    data = method or None if outcome == "no-such-method" else _field_name(result, terms)
    about_payer = -31099 <= code <= -31050
    message = dict(zip(("ru", "uz", "en"), texts))
    return rpckit.failure(request, code, message, data if about_payer or code == -32601 else None)


# --- the agent's side ----------------------------------------------------------------------------


def ask(command: Command, terms: Terms) -> HttpRequest:
    """The call with which Payme asks ``command``."""
    method, params = _ask_params(command, terms)
    return rpckit.call(method, params, kit.basic_headers(terms.basic_login, terms.basic_password))


def read(command: Command, response: HttpResponse, terms: Terms) -> Heard:
    """What Payme does with an answer.

    A result that answers the method is a final yes; -32400, an HTTP status but 200 and everything that is
    not understood is asked again; every other error is a final no.
    """
    answer = rpckit.answer_of(response)
    if answer is None:
        code = "" if response.status == 200 else str(response.status)
        return Heard("again", code=code, comment="not understood")
    if answer.code:
        message = answer.message.get("en") if isinstance(answer.message, dict) else answer.message
        step = "again" if answer.code == AGAIN else "stop"
        return Heard(step, str(answer.code), message if isinstance(message, str) else "")
    told = answer.result if isinstance(answer.result, dict) else {}
    if isinstance(command, Lookup) and told.get("allow") is False:
        return Heard("stop", "0")
    if not _is_answer(command, told):
        return Heard("again", "0", "not understood")
    shown = _shown(told)
    owed = parse_amount(dict(shown).get("debt", ""), terms.exponent) if isinstance(command, Lookup) else None
    receipt = told.get("transaction")
    receipt = receipt if isinstance(receipt, str) else ""
    state = _STATES.get(told.get("state"), "") if isinstance(command, Status) else ""
    return Heard("done", "0", "", receipt, -1 if owed is None else owed, shown, state)


# --- reading requests ----------------------------------------------------------------------------

_TXN = re.compile("[!-~]{24}")
_INT_MAX = 2**31 - 1
_FISCAL = frozenset(
    {"receipt_id", "status_code", "message", "terminal_id", "fiscal_sign", "qr_code_url", "date"}
)
_FISCAL_KINDS = {"PERFORM": "fiscal-perform", "CANCEL": "fiscal-cancel"}


def _txn(params: jsonkit.Fields) -> str:
    txn = params.text("id")
    if txn and _TXN.fullmatch(txn) is None:
        params.wrong("id", "not 24 characters")
    return txn


def _number(params: jsonkit.Fields, terms: Terms) -> str:
    return params.account("account." + _switch(terms, "account_field"), terms)


def _lookup(params: jsonkit.Fields, terms: Terms) -> Command:
    return Lookup("", _number(params, terms), amount_minor=params.minor("amount"))


def _hold(params: jsonkit.Fields, terms: Terms) -> Command:
    return Hold(
        _txn(params), amount_minor=params.minor("amount"), number=_number(params, terms),
        network_time=params.moment_ms("time"), network_time_raw=str(params.values.get("time", "")),
        lifetime_s=int(_switch(terms, "hold_s")),
    )  # fmt: skip


def _void(params: jsonkit.Fields, _terms: Terms) -> Command:
    return Void(_txn(params), reason=str(params.integer("reason", -_INT_MAX, _INT_MAX)))


def _list(params: jsonkit.Fields, _terms: Terms) -> Command:
    return ListPosted(params.moment_ms("from"), params.moment_ms("to"), every_state=True)


def _note(params: jsonkit.Fields, _terms: Terms) -> Command:
    txn, kind = _txn(params), _FISCAL_KINDS.get(params.text("type"), "")
    if not kind:
        params.wrong("type", "unknown")
    return Note(txn, kind, params.inside("fiscal_data").kept(_FISCAL))


_METHODS: Mapping[str, Tuple[str, Callable[[jsonkit.Fields, Terms], Command]]] = {
    "CheckPerformTransaction": ("Lookup", _lookup),
    "CreateTransaction": ("Hold", _hold),
    "PerformTransaction": ("Post", lambda params, _terms: Post(_txn(params), "", 0, held=True)),
    "CancelTransaction": ("Void", _void),
    "CheckTransaction": ("Status", lambda params, _terms: Status(_txn(params))),
    "GetStatement": ("ListPosted", _list),
    "SetFiscalData": ("Note", _note),
}


# --- writing answers -----------------------------------------------------------------------------

_TIMES = ("create_time", "perform_time", "cancel_time")
#: For a kind of command: the states that are a yes (any other is not possible now), and what is told of them.
_TRANSACTIONS: Mapping[str, Tuple[Tuple[int, ...], Tuple[str, ...]]] = {
    "Hold": ((1,), ("create_time", "transaction", "state")),
    "Post": ((2,), ("transaction", "perform_time", "state")),
    "Void": ((-1, -2), ("transaction", "cancel_time", "state")),
    "Status": ((1, 2, -1, -2), (*_TIMES, "transaction", "state", "reason")),
}
_STATES: Mapping[Any, str] = {1: "held", 2: "posted", -1: "voided", -2: "voided"}
_REASON = re.compile("-?[1-9][0-9]{0,9}|0")
_REASON_TIMEOUT, _REASON_UNKNOWN = 4, 10
_OF_ENVELOPE = {-32300: "not-post", -32700: "not-json", -32600: "malformed", -32601: "no-such-method"}
#: What every method may be told. Of the other errors, Perform, Cancel and the rest know but one each.
_ANYWHERE = ("try-later", "denied", "malformed", "no-such-txn", "too-many")


def _outcome(kind: str, result: Result) -> str:
    """The key of ``CODES`` for a result that is no yes."""
    if isinstance(result, Malformed):
        if result.parameter in rpckit.ENVELOPE_CODES:
            return _OF_ENVELOPE[rpckit.ENVELOPE_CODES[result.parameter]]
        if result.parameter.startswith("params.account."):
            return "wrong-account"
        no_sum = result.parameter == "params.amount" and result.reason == "out of range"
        return "wrong-amount" if no_sum else "malformed"
    outcome = answers.bad_news(result) or "impossible"
    if kind in ("Lookup", "Hold", "") or outcome in _ANYWHERE:
        return outcome
    return "void-forbidden" if kind == "Void" else "impossible"


def _field_name(result: Result, terms: Terms) -> str:
    """The member of ``account`` that an error is about."""
    path = result.parameter if isinstance(result, Malformed) else ""
    names = [*terms.payer_fields, "account." + _switch(terms, "account_field")]
    wrong = [name for name in names if path == "params." + name]
    return (wrong or names)[0].rpartition(".")[2]


def _found(result: Found, terms: Terms) -> Dict[str, Any]:
    if _switch(terms, "additional") == "off":
        return {"allow": True}
    shown = {"name": result.display_name, "debt": format_amount(result.due_minor, terms.exponent)}
    return {"allow": True, "additional": {name: text for name, text in shown.items() if text}}


def _story(item: Union[Held, Posted, Voided]) -> Dict[str, Any]:
    """A transaction's times, state and reason. A payment that no hold went before was created when booked."""
    voided = item if isinstance(item, Voided) else None
    posted = voided.posted if voided else item if isinstance(item, Posted) else None
    held = voided.held if voided else item if isinstance(item, Held) else None
    created_at = voided.at if voided else None
    if held:
        created_at = held.held_at
    elif posted:
        created_at = posted.held_at or posted.received_at
    moments = (created_at, posted.received_at if posted else None, voided.at if voided else None)
    state = 2 if posted else 1
    return {
        **{name: times.ms_of(at) if at else 0 for name, at in zip(_TIMES, moments)},
        "transaction": str(item.receipt),
        "state": -state if voided else state,
        "reason": _reason(voided) if voided else None,
    }


def _reason(voided: Voided) -> int:
    """Payme's own number again; 4 for a hold that ended by itself; 10 where others did it."""
    if answers.has_expired(voided):
        return _REASON_TIMEOUT
    return int(voided.reason) if _REASON.fullmatch(voided.reason) else _REASON_UNKNOWN


def _row(item: Union[Held, Posted, Voided], terms: Terms) -> Dict[str, Any]:
    story = _story(item)
    network_at = (item.posted or item.held or item) if isinstance(item, Voided) else item
    at = None if isinstance(network_at, Voided) else network_at.network_at
    return {
        "id": item.txn, "time": times.ms_of(at) if at else story["create_time"], "amount": item.amount_minor,
        **_account(item.number, terms), **story,
    }  # fmt: skip


def _account(number: str, terms: Terms) -> Dict[str, Any]:
    name = "account." + _switch(terms, "account_field")
    return jsonkit.nested(list(kit.split_number(number, name, terms)))


# --- the agent's side in parts -------------------------------------------------------------------


def _ask_params(command: Command, terms: Terms) -> Tuple[str, Dict[str, Any]]:
    if isinstance(command, Lookup):
        sum_minor = 10**terms.exponent if command.amount_minor is None else command.amount_minor
        return "CheckPerformTransaction", {"amount": sum_minor, **_account(command.number, terms)}
    if isinstance(command, Hold):
        raw = command.network_time_raw
        at_ms = int(raw) if kit.is_digits(raw, 15) else _ms(command.network_time)
        params = {"id": command.txn, "time": at_ms, "amount": command.amount_minor}
        return "CreateTransaction", {**params, **_account(command.number, terms)}
    if isinstance(command, ListPosted):
        return "GetStatement", {"from": _ms(command.since), "to": _ms(command.until)}
    if isinstance(command, Void):
        reason = int(command.reason) if _REASON.fullmatch(command.reason) else _REASON_UNKNOWN
        return "CancelTransaction", {"id": command.txn, "reason": reason}
    if isinstance(command, Note):
        kinds = {kind: name for name, kind in _FISCAL_KINDS.items()}
        told = {"type": kinds.get(command.kind, "PERFORM"), "fiscal_data": dict(command.fields)}
        return "SetFiscalData", {"id": command.txn, **told}
    return ("CheckTransaction" if isinstance(command, Status) else "PerformTransaction"), {"id": command.txn}


def _ms(iso: str) -> int:
    return max(times.ms_of_iso(iso), 0)


def _shown(told: Mapping[str, Any]) -> Tuple[Tuple[str, str], ...]:
    """The texts of a check, or the transactions of a statement with their states."""
    texts, rows = told.get("additional"), told.get("transactions")
    pairs = list(texts.items()) if isinstance(texts, dict) else []
    if isinstance(rows, list):
        pairs += [(row.get("id"), str(row.get("state"))) for row in rows if isinstance(row, dict)]
    return tuple((name, text) for name, text in pairs if isinstance(name, str) and isinstance(text, str))


def _is_answer(command: Command, told: Mapping[str, Any]) -> bool:
    """Is it a yes to what was asked?"""
    kind = type(command).__name__
    if kind in _TRANSACTIONS:
        return isinstance(told.get("transaction"), str) and told.get("state") in _TRANSACTIONS[kind][0]
    if isinstance(command, ListPosted):
        return isinstance(told.get("transactions"), list)
    return told.get("allow" if isinstance(command, Lookup) else "success") is True


def _switch(terms: Terms, name: str) -> str:
    return terms.dialect.get(name, DIALECT[name].default)


FACTS = Facts(
    "A", ("Payme's Merchant API (developer.help.paycom.uz)", "four open programs and libraries"),
    (
        "how long Payme waits and how often it asks again",
        "the known id with another sum or account: -31008",
        "which reason Payme hears where others cancelled: 10, as two libraries name the unknown one",
        "the shape of `additional`: switch `additional`, off",
    ),
)  # fmt: skip

PROTOCOL = Protocol(
    name="payme", title="Payme", decode=decode, encode=encode, ask=ask, read=read, dialect=DIALECT,
    commands=frozenset({"Lookup", "Hold", "Post", "Void", "Status", "ListPosted", "Note"}), facts=FACTS,
    txn_of=lambda number: format(number, "024x"),
    habits=Habits(face="app", clock="utc", statement="times", reason="5"),
)  # fmt: skip
