// The terminal's screens. Each function returns { element, focus, type?, enter?, escape? }: what to show,
// what to focus, and what the keyboard does while it is shown.

import { button, h, icon, still } from "./dom.js";
import { parseAmount, shortAmount, showAmount } from "./money.js";
import { numbersWorthTrying } from "./numbers.js";
import { currentLanguage, t } from "./texts.js";

function money(room, minor, short = false) {
  return showAmount(minor, room.agreement, currentLanguage(), short);
}

function owed(room) {
  return room.check.due === null ? null : parseAmount(room.check.due, room.agreement.exponent);
}

function title(text, hint = "") {
  return h("div", { class: "title" }, h("h1", {}, text), hint && h("p", {}, hint));
}

// What a pad does to `input`: it writes as a keyboard would.
function typist(input, changed) {
  const set = (text) => {
    if (text.length > input.maxLength) return;
    input.value = text;
    changed();
  };
  const eraser = button("key tool", () => set(input.value.slice(0, -1)), icon("erase"));
  eraser.setAttribute("aria-label", t("pad.erase"));
  return {
    eraser,
    clear: (className) => button(className, () => set(""), t("pad.clear")),
    key: (text) => button("key", () => set(input.value + text), text),
  };
}

function pad(className, keys) {
  return h("div", { class: `pad ${className}`, role: "group", "aria-label": t("pad.label") }, keys);
}

// --- 1: the number -------------------------------------------------------------------------------

export function numberScreen(room, go) {
  const input = h("input", {
    id: "number",
    class: "display",
    maxlength: 200,
    inputmode: "none",
    autocomplete: "off",
    spellcheck: "false",
    "aria-label": t("number.title"),
    placeholder: "0000000",
  });
  input.value = room.number;
  const next = button("key go", () => go.check(input.value.trim()), h("span", {}, t("number.next")), icon("next"));
  const changed = () => {
    room.number = input.value;
    next.disabled = !input.value.trim();
  };
  input.addEventListener("input", changed);
  const chips = numbersWorthTrying(room.agreement);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      input.value = chip.dataset.number;
      changed();
      input.focus();
    });
  }
  changed();
  const { key, eraser, clear } = typist(input, changed);
  const keys = [..."123"].map(key).concat(eraser, [..."456"].map(key), clear("key tool"), [..."789"].map(key), next);
  const element = h(
    "div",
    { class: "step-number" },
    title(t("number.title"), t("number.hint")),
    input,
    pad("wide", [...keys, key("00"), key("0"), key("000")]),
    chips.length > 0 && h("div", { class: "chips" }, h("h2", {}, t("number.try")), h("div", {}, chips)),
  );
  return { element, focus: input, type: input, enter: () => next.click() };
}

export function busyScreen(text, hint = "", id = "") {
  const focus = h("h1", { tabindex: -1 }, text);
  const element = h(
    "div",
    { class: "step-message", id },
    h("div", { class: "spinner", "aria-hidden": "true" }, h("i"), h("i"), h("i")),
    focus,
    h("p", { class: "lead" }, hint),
  );
  return { element, focus };
}

// --- 2: is it you? -------------------------------------------------------------------------------

export function clientScreen(room, go) {
  const due = owed(room);
  const pay = button("primary", go.sum, h("span", {}, t("client.pay")), icon("next"));
  const debt =
    due === null
      ? h("div", { class: "debt" }, h("b", {}, t("client.debt-hidden")))
      : due === 0n
        ? h("div", { class: "debt settled" }, h("b", {}, t("client.no-debt")), h("small", {}, t("client.no-debt-hint")))
        : h(
            "div",
            { class: "debt" },
            h("span", {}, t("client.debt")),
            h("strong", {}, money(room, due)),
            h("small", {}, t("client.debt-hint")),
          );
  const person = h(
    "dl",
    { class: "person" },
    h("div", {}, h("dt", {}, t("client.number")), h("dd", { class: "digits" }, room.check.number)),
    room.check.name && h("div", {}, h("dt", {}, t("client.name")), h("dd", {}, room.check.name)),
  );
  const element = h(
    "div",
    { class: "step-client" },
    title(t("client.title")),
    h("div", { class: "ticket" }, person, debt),
    h("div", { class: "actions" }, button("secondary", go.number, t("back")), pay),
  );
  return { element, focus: pay, enter: () => pay.click(), escape: go.number };
}

// --- 3: how much? --------------------------------------------------------------------------------

export function sumScreen(room, go) {
  const { agreement } = room;
  const due = owed(room);
  const input = h("input", {
    id: "sum",
    class: "display",
    maxlength: 12,
    inputmode: "none",
    autocomplete: "off",
    "aria-label": t("sum.label"),
    "aria-describedby": "outcome",
    placeholder: "0",
  });
  input.value = room.sum;
  const outcome = h("p", { class: "outcome", id: "outcome" });
  const pay = button("primary", () => go.pay(parseAmount(input.value, agreement.exponent)));
  const separator = currentLanguage() === "en" ? "." : ",";
  const changed = () => {
    input.value = input.value.replace(/[.,]/g, separator).replace(/[^0-9.,]/g, "");
    clear.hidden = !input.value;
    room.sum = input.value;
    const minor = parseAmount(input.value, agreement.exponent);
    pay.disabled = !minor;
    pay.replaceChildren(h("span", {}, minor ? t("sum.pay", { sum: money(room, minor, true) }) : t("sum.pay-none")));
    outcome.textContent = outcomeOf(room, minor, due);
    go.summed();
  };
  const put = (minor) => {
    const text = shortAmount(minor, agreement.exponent).replace(".", separator);
    if (text.length > input.maxLength) return;
    input.value = text;
    changed();
  };
  const current = () => parseAmount(input.value, agreement.exponent) ?? 0n;
  const unit = 10n ** BigInt(agreement.exponent);
  const notes = agreement.notes.map((note) => {
    const minor = BigInt(note) * unit;
    const insert = (event) => {
      fly(event.currentTarget);
      put(current() + minor);
    };
    const face = button(`note note-${note}`, insert, h("b", {}, String(note)), h("i", {}, agreement.sign));
    face.setAttribute("aria-label", t("sum.note", { sum: money(room, minor, true) }));
    return face;
  });
  const whole = button("whole", () => put(due), h("b", {}, t("sum.whole")), due ? h("span", {}, money(room, due)) : "");
  whole.disabled = !due;
  const { key, eraser, clear: clearer } = typist(input, () => changed());
  const clear = clearer("quiet");
  input.addEventListener("input", changed);
  changed();
  const amount = h("div", { class: "amount" }, input, h("span", { class: "sign", "aria-hidden": "true" }, agreement.sign));
  const keys = [..."123456789"].map(key).concat(key(agreement.exponent ? separator : "00"), key("0"), eraser);
  const element = h(
    "div",
    { class: "step-sum" },
    h(
      "div",
      { class: "title split" },
      h("h1", {}, t("sum.title")),
      h("p", {}, h("span", {}, room.check.name), due !== null && h("span", {}, t("sum.owed", { sum: money(room, due) }))),
    ),
    amount,
    h("div", { class: "under" }, outcome, clear),
    h("div", { class: "ways" }, h("div", { class: "notes", role: "group", "aria-label": t("sum.notes") }, notes, whole), pad("", keys)),
    h("div", { class: "actions" }, button("secondary", go.client, t("back")), pay),
  );
  return { element, focus: input, type: input, enter: () => pay.click(), escape: go.client };
}

function outcomeOf(room, minor, due) {
  if (!minor) return t("sum.hint");
  if (due === null) return "\u00a0";
  if (minor < due) return t("sum.left", { sum: money(room, due - minor) });
  if (minor === due) return t("sum.settled");
  return t("sum.advance", { sum: money(room, minor - due) });
}

// The note slides into the slot of the machine.
function fly(note) {
  const slot = document.getElementById("notes-slot");
  if (still() || !slot.offsetParent) return;
  const from = note.getBoundingClientRect();
  const to = slot.getBoundingClientRect();
  const ghost = note.cloneNode(true);
  ghost.classList.add("flying");
  ghost.setAttribute("aria-hidden", "true");
  Object.assign(ghost.style, { left: `${from.left}px`, top: `${from.top}px`, width: `${from.width}px`, height: `${from.height}px` });
  document.body.append(ghost);
  const shift = `translate(${to.left + to.width / 2 - from.left - from.width / 2}px, ${to.top - from.top - from.height / 2}px)`;
  ghost
    .animate([{ transform: "none" }, { transform: `${shift} scale(0.9, 0.3)`, opacity: 0.2 }], { duration: 420, easing: "cubic-bezier(.5,0,.8,.5)" })
    .finished.finally(() => ghost.remove());
  slot.animate([{ boxShadow: "0 0 0 4px var(--accent)" }, { boxShadow: "0 0 0 0 transparent" }], { duration: 700 });
}

// --- 5: the receipt, or why there is none ----------------------------------------------------------

export function receiptScreen(room, go) {
  const { payment, agreement } = room;
  const remains = payment.remains?.due ?? null;
  const remainsMinor = remains === null ? null : parseAmount(remains, agreement.exponent);
  const remainsText = remainsMinor === null ? t("receipt.unseen") : remainsMinor ? money(room, remainsMinor) : t("receipt.nothing");
  const row = (key, value, className = "") => h("div", { class: className }, h("dt", {}, t(key)), h("dd", {}, value));
  const slip = h(
    "div",
    { class: "slip", id: "slip" },
    h("h2", {}, agreement.biller),
    h("p", { class: "small" }, t("receipt.slip"), " · ", t("receipt.practice")),
    h(
      "dl",
      {},
      row("client.number", payment.number),
      room.check.name && row("client.name", room.check.name),
      row("receipt.time", showTime(payment.network_time)),
      row("receipt.network", agreement.title),
      row("receipt.txn", payment.txn),
      row("receipt.receipt", payment.receipt, "strong"),
      row("receipt.sum", money(room, parseAmount(payment.amount, agreement.exponent)), "total"),
      row("receipt.remains", remainsText, "remains"),
    ),
    h("p", { class: "small" }, t("receipt.thanks")),
  );
  const another = button("primary", go.another, t("receipt.another"));
  const element = h(
    "div",
    { class: "step-receipt" },
    h("div", { class: "paid" }, h("span", { class: "seal" }, icon("done")), h("h1", {}, t("receipt.title"))),
    h("div", { class: "printer" }, h("div", { class: "paper" }, slip)),
    h("div", { class: "actions" }, button("secondary", go.more, t("receipt.more")), another),
  );
  return { element, focus: another, enter: () => another.click(), escape: go.another };
}

function showTime(local) {
  const [date, time = ""] = local.split("T");
  return currentLanguage() === "en" ? `${date} ${time}` : `${date.split("-").reverse().join(".")} ${time}`;
}

/** A full stop: `mood` is stop or wait, `actions` are [text key, listener], the last one the main way on. */
export function messageScreen({ mood, heading, lead, said, actions }) {
  const buttons = actions.map(([key, listener], index) =>
    button(index === actions.length - 1 ? "primary" : "secondary", listener, t(key)),
  );
  const main = buttons[buttons.length - 1];
  const element = h(
    "div",
    { class: `step-message ${mood}` },
    h("span", { class: "seal" }, icon(mood)),
    h("h1", {}, heading),
    h("p", { class: "lead" }, lead),
    said && h("p", { class: "said" }, said),
    h("div", { class: "actions" }, buttons),
  );
  return { element, focus: main, enter: () => main.click(), escape: actions[0][1] };
}
