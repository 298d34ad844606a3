// The mischief under the wire: each button misbehaves as networks do, and says in words what became of it.

import { ask } from "./api.js";
import { h, icon } from "./dom.js";
import { parseAmount, plainAmount, showAmount } from "./money.js";
import { currentLanguage, t } from "./texts.js";

const buttons = [...document.querySelectorAll("#pranks button")];
const target = document.getElementById("target");
const place = document.getElementById("verdict");

const NEEDS_PAYMENT = ["again", "other-sum", "status", "list", "cancel"];

// What a new payment brings when nothing has been typed yet, in whole units.
const DEFAULT_SUM = 100n;

/**
 * `room` is what the kiosk knows; `seen(exchanges, titles, { group, verdict })` shows them on the wire; `debtChanged(due)`
 * tells the screen; `takenBack(payment)` says that it is no payment any more. Returns { refresh, render, forget }.
 */
export function setUpMischief({ room, busy, seen, debtChanged, takenBack }) {
  let running = false;
  let last = null;

  // Repeats are of the last confirmed payment; a new one goes to the number on the screen.
  function aim(kind) {
    const exponent = room.agreement?.exponent ?? 2;
    if (NEEDS_PAYMENT.includes(kind)) return room.payment;
    const number = room.check?.number ?? room.payment?.number;
    if (!number) return null;
    const typed = parseAmount(room.sum, exponent);
    const paid = room.payment?.number === number ? parseAmount(room.payment.amount, exponent) : null;
    const minor = typed || paid || DEFAULT_SUM * 10n ** BigInt(exponent);
    return { number, amount: plainAmount(minor, exponent), txn: "", network_time: "", receipt: "", hold: "" };
  }

  function refresh() {
    for (const button of buttons) {
      const { kind } = button.dataset;
      button.hidden = !room.agreement?.pranks.includes(kind);
      button.disabled = running || busy() || !aim(kind);
      button.title = aim(kind) ? "" : t(NEEDS_PAYMENT.includes(kind) ? "mischief.needs-payment" : "mischief.needs-number");
    }
    const aimed = aim("at-once");
    target.textContent = aimed
      ? t("mischief.target", { number: aimed.number, sum: show(aimed.amount) })
      : t("mischief.needs-number");
  }

  function show(amount) {
    const minor = parseAmount(amount, room.agreement.exponent);
    return showAmount(minor, room.agreement, currentLanguage());
  }

  function render() {
    refresh();
    place.hidden = !last && !running;
    if (running) place.replaceChildren(h("p", { class: "running" }, t("mischief.running")));
    else if (last?.error) place.replaceChildren(h("p", { class: "bad" }, t(last.error)));
    else if (last) place.replaceChildren(...verdict(last));
  }

  function verdict(reply) {
    const good = reply.verdict.good && reply.debt.good;
    const debt =
      reply.due_before === null || reply.due_after === null
        ? t(reply.debt.key)
        : `${t("mischief.debt", { before: show(reply.due_before), after: show(reply.due_after) })}, ${t(reply.debt.key)}`;
    place.className = `verdict ${good ? "good" : "bad"}`;
    return [
      h("span", { class: "seal" }, icon(good ? "done" : "stop")),
      h("div", {}, h("b", {}, t(reply.verdict.key, reply.verdict.values)), h("p", {}, debt)),
    ];
  }

  // Another number is another story: the last verdict leaves the panel, and stays on the wire.
  function forget() {
    last = null;
    render();
  }

  async function play(kind, button) {
    const aimed = aim(kind);
    const { number, amount, txn, network_time, receipt, hold } = aimed;
    running = true;
    last = null;
    render();
    try {
      const order = { agreement: room.agreement.id, kind, number, amount, txn, network_time, receipt, hold };
      last = await ask("mischief", order);
      if (last.verdict.key === "verdict.cancelled") takenBack(aimed);
      const inner = last.exchanges.slice(1, -1).map((one) => `wire.${one.kind}`);
      seen(last.exchanges, ["wire.before", ...inner, "wire.after"], { group: `mischief.${kind}`, verdict: last.verdict });
    } catch (fault) {
      last = { error: fault.message };
    }
    running = false;
    render();
    // On a telephone the verdict may be below what is seen.
    place.scrollIntoView({ block: "nearest" });
    // A button that was switched off has lost the focus.
    if (document.activeElement === document.body) button.focus({ preventScroll: true });
    if (last.due_after !== undefined && number === room.check?.number) debtChanged(last.due_after);
  }

  for (const button of buttons) button.addEventListener("click", () => play(button.dataset.kind, button));
  return { refresh, render, forget };
}
