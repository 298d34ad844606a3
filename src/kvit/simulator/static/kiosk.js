// The kiosk: which screen is shown, what a key does, and the errands to the page's endpoints.

import { ask } from "./api.js";
import { setUpMischief } from "./mischief.js";
import { plainAmount } from "./money.js";
import { noteStanding } from "./numbers.js";
import { busyScreen, clientScreen, messageScreen, numberScreen, receiptScreen, sumScreen } from "./screens.js";
import { chooseLanguage, currentLanguage, loadTexts, suggestLanguage, t, translatePage } from "./texts.js";
import { addToWire, renderWire } from "./wire.js";

const settings = JSON.parse(document.body.dataset.settings);
const place = document.getElementById("screen");
const status = document.getElementById("status");

// How long the terminal rests before it asks again: growing, as networks do.
const PAUSES_MS = [1000, 2000, 3000, 5000, 8000];

// What this visitor has done so far. `payment` is the last confirmed one, for the receipt and the mischief.
const room = {
  agreement: settings.agreements[0],
  number: "",
  check: null,
  sum: "",
  order: null,
  attempt: 0,
  payment: null,
  refusal: null,
};

let name = "number";
let shown = null;
let errand = 0;

const STEP_OF = { checking: "number", refused: "paying", pending: "paying", notfound: "client", later: "client", fault: "number" };

// --- screens ---------------------------------------------------------------------------------------

const go = {
  number: () => show("number"),
  client: () => show("client"),
  sum: () => show("sum"),
  another: () => startAnew(),
  more: () => {
    room.sum = "";
    if (room.check.txn) show("sum");
    else check(room.payment.number, "sum");
  },
  summed: () => mischief.refresh(),
  check: (number) => number && check(number),
  pay: (minor) => minor && pay(minor),
};

const BUILD = {
  number: () => numberScreen(room, go),
  checking: () => busyScreen(t("number.checking")),
  client: () => clientScreen(room, go),
  sum: () => sumScreen(room, go),
  paying: () => busyScreen(t("paying.title"), payingHint()),
  receipt: () => receiptScreen(room, go),
  notfound: () =>
    messageScreen({
      mood: "stop",
      heading: t("notfound.title"),
      lead: t("notfound.hint", { number: room.number }),
      said: said(room.refusal),
      actions: [["notfound.retype", go.number]],
    }),
  later: () =>
    messageScreen({
      mood: "wait",
      heading: t("later.title"),
      lead: t("later.hint"),
      said: said(room.refusal),
      actions: [
        ["back", go.number],
        ["later.retry", () => check(room.number.trim())],
      ],
    }),
  refused: () =>
    messageScreen({
      mood: "stop",
      heading: t("refused.title"),
      lead: t("refused.hint"),
      said: said(room.refusal),
      actions: [
        ["receipt.another", go.another],
        // A refused id is used up: a fresh check brings the next one.
        ["refused.other", () => check(room.order.number, "sum")],
      ],
    }),
  pending: () =>
    messageScreen({
      mood: "wait",
      heading: t("pending.title"),
      lead: t("pending.hint", { txn: room.order.txn }),
      said: said(room.refusal),
      actions: [["pending.retry", () => repeat()]],
    }),
  fault: () =>
    messageScreen({ mood: "stop", heading: t("later.title"), lead: t(room.refusal.error), actions: [["back", go.number]] }),
};

function show(next, { keepFocus = false } = {}) {
  name = next;
  shown = BUILD[name]();
  place.dataset.screen = name;
  place.replaceChildren(shown.element);
  const step = STEP_OF[name] ?? name;
  let passed = true;
  for (const item of document.querySelectorAll("#steps li")) {
    const current = item.dataset.step === step;
    if (current) passed = false;
    item.className = current ? "current" : passed ? "passed" : "";
    if (current) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
  const heading = shown.element.querySelector("h1");
  status.textContent = heading?.textContent ?? "";
  if (!keepFocus) shown.focus.focus({ preventScroll: true });
  mischief.refresh();
}

function said({ failure, comment, code, error }) {
  if (error) return t(error);
  if (failure) return t(`failure.${failure}`);
  const text = comment && t("said", { comment });
  return [text, code && t("said.code", { code })].filter(Boolean).join(" · ");
}

function payingHint() {
  return room.attempt > 1 ? t("paying.again", { attempt: room.attempt }) : t("paying.hint");
}

function startAnew() {
  Object.assign(room, { number: "", check: null, sum: "", order: null, refusal: null });
  show("number");
}

// --- errands -----------------------------------------------------------------------------------------

async function check(number, next = "client") {
  room.number = number;
  const mine = ++errand;
  mischief.forget();
  show("checking");
  const reply = await attempt("check", { agreement: room.agreement.id, number });
  if (!reply || mine !== errand) return;
  addToWire(reply.exchanges, ["wire.check"], { stands: 0 });
  room.refusal = reply;
  if (reply.step === "done") {
    Object.assign(room, { check: reply, sum: "", order: null });
    noteStanding(reply);
    show(next);
  } else show(reply.step === "stop" ? "notfound" : "later");
}

async function pay(minor) {
  room.order = {
    agreement: room.agreement.id,
    number: room.check.number,
    amount: plainAmount(minor, room.agreement.exponent),
    // The check's own id: a network keeps one id from the question to the payment.
    txn: room.check.txn,
  };
  await repeat();
}

// One order, the same id and the same time at each attempt, until the answer is final.
async function repeat() {
  const mine = ++errand;
  room.attempt = 1;
  show("paying");
  for (const pauses_ms = [...PAUSES_MS, null]; pauses_ms.length; ) {
    const reply = await attempt("pay", room.order, "pending");
    if (!reply || mine !== errand) return;
    const title = `wire.${reply.exchanges[0].kind}`;
    addToWire([...reply.exchanges, ...(reply.remains?.exchanges ?? [])], [title, "wire.remains"], { stands: 0 });
    Object.assign(room.order, { txn: reply.txn, network_time: reply.network_time });
    room.refusal = reply;
    if (reply.step === "held") {
      // The first of two phases is done: the second follows at once.
      Object.assign(room.order, { held: true, hold: reply.hold });
      continue;
    }
    const pause_ms = pauses_ms.shift();
    if (reply.step !== "again") return settle(reply);
    if (pause_ms === null) break;
    room.attempt += 1;
    show("paying");
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
    if (mine !== errand) return;
  }
  show("pending");
}

function settle(reply) {
  if (reply.step === "done") {
    room.payment = reply;
    // The next payment needs an id of its own: that of the check made after this one.
    room.check = reply.remains?.step === "done" ? reply.remains : { ...room.check, txn: "" };
    if (reply.remains) noteStanding(reply.remains);
  }
  show(reply.step === "done" ? "receipt" : "refused");
}

// The reply, or null after showing the screen `otherwise`.
async function attempt(what, order, otherwise = "fault") {
  try {
    return await ask(what, order);
  } catch (fault) {
    room.refusal = { error: fault.message };
    show(otherwise);
    return null;
  }
}

// --- the keyboard, the language, the network -----------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest(".bench, .top")) return;
  if (event.key === "Escape" && shown.escape) return shown.escape();
  if (target.tagName === "INPUT") {
    if (event.key === "Enter") shown.enter?.();
    return;
  }
  if (event.key === "Enter" && !target.closest("button, a, summary, select")) return shown.enter?.();
  if (shown.type && /^[0-9.,]$/.test(event.key)) {
    // Typing goes into the display wherever the focus is.
    shown.type.focus();
  }
});

for (const choice of document.querySelectorAll("[data-language]")) {
  choice.addEventListener("click", () => {
    chooseLanguage(choice.dataset.language);
    speak();
  });
}

document.getElementById("agreement")?.addEventListener("change", (event) => {
  room.agreement = settings.agreements.find((one) => one.id === event.target.value);
  Object.assign(room, { payment: null, check: null });
  errand += 1;
  nameTheNetwork();
  mischief.forget();
  startAnew();
  suggestLanguage(room.agreement.language);
  speak();
});

function nameTheNetwork() {
  document.getElementById("biller").textContent = room.agreement?.biller ?? "";
  document.getElementById("via").textContent = room.agreement?.title ?? "";
}

function speak() {
  translatePage();
  renderWire();
  mischief.render();
  show(name, { keepFocus: true });
}

const mischief = setUpMischief({
  room,
  busy: () => name === "checking" || name === "paying",
  seen: addToWire,
  takenBack: () => {
    room.payment = null;
  },
  debtChanged: (due) => {
    if (due === null) return;
    if (room.check) {
      room.check = { ...room.check, due };
      noteStanding(room.check);
    }
    if (name === "client" || name === "sum") show(name, { keepFocus: true });
  },
});

await loadTexts(settings.language);
if (currentLanguage() !== settings.language) translatePage();
show("number");
