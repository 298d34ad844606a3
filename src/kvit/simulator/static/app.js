// The bank's app: which screen is shown, what a key does, and the errands to the page's endpoints.

import { ask } from "./api.js";
import { billScreen, homeScreen, numberScreen, scanScreen } from "./app-finding.js";
import { money } from "./app-parts.js";
import { busyScreen, historyScreen, messageScreen, progressScreen, receiptScreen } from "./app-paying.js";
import { push, takeAway } from "./app-push.js";
import { makeVisit } from "./app-visit.js";
import { h, still } from "./dom.js";
import { setUpMischief } from "./mischief.js";
import { parseAmount, plainAmount } from "./money.js";
import { noteStanding } from "./numbers.js";
import { chooseLanguage, currentLanguage, loadTexts, suggestLanguage, t, translatePage } from "./texts.js";
import { addToWire, renderWire } from "./wire.js";

const settings = JSON.parse(document.body.dataset.settings);
const place = document.getElementById("screen");
const status = document.getElementById("status");
const stopHere = document.getElementById("stop-here");

// How long the bank rests before it asks again: growing, as networks do.
const PAUSES_MS = [1000, 2000, 3000, 5000, 8000];

// A phase that is over is seen for a moment before the next one.
const SEEN_MS = 700;

const visit = makeVisit(settings);

// The screen: its name, the payment it is about, and what the keyboard does there.
let name = "home";
let about = null;
let shown = null;
let errand = 0;

// --- screens ---------------------------------------------------------------------------------------

const go = {
  home() {
    takeAway();
    show("home");
  },
  history() {
    takeAway();
    show("history");
  },
  number(agreement) {
    visit.agreement = agreement;
    show("number");
  },
  scan(agreement) {
    visit.agreement = agreement;
    show("scan");
  },
  check: (number) => number && check(number),
  pay: (minor) => minor && pay(minor),
  perform: (entry) => carryOn(entry),
  open(entry) {
    const open = ["sending", "reserved"].includes(entry.state) ? "progress" : "receipt";
    show(entry.cancelling ? "cancelling" : open, entry);
  },
  askToCancel: (entry) => show("asking", entry),
  cancel: (entry) => cancel(entry),
  // A used id is used up: a fresh check brings the next one.
  more(entry) {
    visit.agreement = visit.agreementOf(entry);
    check(entry.number);
  },
};

const BUILD = {
  home: () => homeScreen(visit, go),
  number: () => numberScreen(visit, go),
  scan: () => scanScreen(visit, go),
  checking: () => busyScreen(visit.agreement, t("number.checking"), () => show("number")),
  bill: () => billScreen(visit, go),
  progress: () => progressScreen(about, visit, go),
  receipt: () => receiptScreen(about, visit, go),
  asking: () => receiptScreen(about, visit, go, true),
  cancelling: () => busyScreen(visit.agreementOf(about), t("app.cancelling"), go.home),
  history: () => historyScreen(visit, go),
  notfound: () =>
    messageScreen(visit.agreement, {
      mood: "stop",
      heading: t("notfound.title"),
      lead: t("notfound.hint", { number: visit.number }),
      said: visit.said(visit.refusal),
      actions: [["notfound.retype", () => show("number")]],
    }),
  later: () =>
    messageScreen(visit.agreement, {
      mood: "wait",
      heading: t("later.title"),
      lead: visit.refusal.error ? t(visit.refusal.error) : t("later.hint"),
      said: visit.refusal.error ? "" : visit.said(visit.refusal),
      actions: [
        ["back", () => show("number")],
        ["later.retry", () => check(visit.number.trim())],
      ],
    }),
  kept: () =>
    messageScreen(visit.agreementOf(about), {
      mood: about.cancelStep === "stop" ? "stop" : "wait",
      heading: t(about.cancelStep === "stop" ? "app.kept.paid" : "app.kept.waiting"),
      lead: visit.said(visit.refusal),
      said: "",
      actions: [
        ["back", () => go.open(about)],
        ...(about.cancelStep === "stop" ? [] : [["pending.retry", () => cancel(about)]]),
      ],
    }),
  none: () => {
    const heading = h("h1", { tabindex: -1 }, t("app.none"));
    return { element: h("div", { class: "plain message" }, h("div", { class: "body" }, heading, h("p", { class: "lead" }, t("app.none.hint")))), focus: heading };
  },
};

function show(next, entry = null, { keepFocus = false } = {}) {
  const fresh = next !== name || entry !== about;
  name = settings.agreements.length ? next : "none";
  about = entry;
  if (!["checking", "bill", "notfound", "later"].includes(name)) errand += 1;
  shown = BUILD[name]();
  if (!fresh) shown.element.classList.add("settled-in");
  place.dataset.screen = name;
  place.replaceChildren(shown.element);
  selectTab(["history"].includes(name) ? "history" : "pay");
  stopHere.hidden = visit.agreement?.phases.length !== 2;
  status.textContent = shown.element.querySelector("h1")?.textContent ?? "";
  if (!keepFocus) shown.focus.focus({ preventScroll: true });
  mischief.refresh();
}

function selectTab(tab) {
  document.body.dataset.tab = tab;
  for (const one of document.querySelectorAll("#tabs button")) one.setAttribute("aria-pressed", String(one.dataset.tab === tab));
}

// --- errands -----------------------------------------------------------------------------------------

async function check(number) {
  const { agreement } = visit;
  visit.number = number;
  if (!agreement.checks) {
    // This network pays without asking first.
    Object.assign(visit, { check: { number, name: "", due: null, txn: "" }, sum: null });
    return show("bill");
  }
  show("checking");
  const mine = ++errand;
  mischief.forget();
  const reply = await tried("check", { agreement: agreement.id, number });
  if (mine !== errand) return;
  visit.refusal = reply;
  if (reply.exchanges) addToWire(reply.exchanges, ["wire.check"], { stands: 0 });
  if (reply.step === "done") {
    Object.assign(visit, { check: reply, sum: null });
    noteStanding(reply);
    show("bill");
  } else show(reply.step === "stop" ? "notfound" : "later");
}

async function pay(minor) {
  const { agreement, check } = visit;
  const entry = {
    agreement: agreement.id,
    bank: agreement.title,
    number: check.number,
    name: check.name,
    amount: plainAmount(minor, agreement.exponent),
    // The check's own id: a network keeps one id from the question to the payment.
    txn: check.txn,
    network_time: "",
    held: false,
    hold: "",
    receipt: "",
    due: check.due,
    state: "sending",
    // How many phases are over; the number's check is none of them.
    reached: 0,
    attempt: 1,
    said: null,
  };
  visit.entries.unshift(entry);
  await carryOn(entry, stopHere.querySelector("input").checked);
}

// The phases that are still ahead, one after the other. The payer may look at other screens meanwhile.
async function carryOn(entry, stopAfterHold = false) {
  const { phases } = visit.agreementOf(entry);
  Object.assign(entry, { state: "sending", attempt: 1, said: null });
  show("progress", entry);
  while (entry.reached < phases.length) {
    const { number, amount, held, hold } = entry;
    const reply = await repeated("pay", entry, { number, amount, held, hold });
    if (reply.step === "stop") return settle(entry, "refused", reply);
    if (reply.step === "again") return settle(entry, "waiting", reply);
    entry.reached += 1;
    if (reply.step === "held") {
      Object.assign(entry, { held: true, hold: reply.hold });
      if (stopAfterHold) return settle(entry, "reserved");
    } else {
      entry.receipt = reply.receipt;
      noteRemains(entry, reply);
    }
    refresh(entry);
    await seen();
  }
  settle(entry, "paid");
}

async function cancel(entry) {
  const before = entry.state;
  entry.cancelling = true;
  show("cancelling", entry);
  const { number, amount, receipt, hold } = entry;
  const reply = await repeated("cancel", entry, { number, amount, receipt: receipt || hold });
  entry.cancelling = false;
  if (reply.step === "done") {
    noteRemains(entry, reply);
    // Whether a payment without an answer had been booked or not, it is not any more.
    return settle(entry, before === "reserved" ? "released" : "cancelled");
  }
  Object.assign(entry, { state: before, cancelStep: reply.step });
  visit.refusal = reply;
  visit.keep();
  if (about === entry) show("kept", entry);
}

// One order, the same id and the same time at each attempt, until the answer is final.
async function repeated(what, entry, order) {
  const { agreement } = entry;
  entry.attempt = 1;
  for (const pause_ms of [...PAUSES_MS, null]) {
    visit.keep();
    const { txn, network_time } = entry;
    const reply = await tried(what, { agreement, txn, network_time, ...order });
    if (reply.exchanges) {
      const title = `wire.${reply.exchanges[0].kind}`;
      addToWire([...reply.exchanges, ...(reply.remains?.exchanges ?? [])], [title, "wire.remains"], { stands: 0 });
      Object.assign(entry, { txn: reply.txn, network_time: reply.network_time ?? network_time });
    }
    if (reply.step !== "again" || pause_ms === null) return reply;
    entry.attempt += 1;
    refresh(entry);
    await new Promise((resolve) => setTimeout(resolve, pause_ms));
  }
}

// The reply; where the page's own program did not answer, one that says so.
async function tried(what, order) {
  try {
    return await ask(what, order, "app");
  } catch (fault) {
    return { step: "again", error: fault.message };
  }
}

function noteRemains(entry, { remains }) {
  if (remains?.step !== "done") return;
  entry.due = remains.due;
  noteStanding(remains);
}

function settle(entry, state, reply = null) {
  entry.state = state;
  if (reply) entry.said = { failure: reply.failure, comment: reply.comment, code: reply.code, error: reply.error };
  visit.keep();
  if (about === entry) go.open(entry);
  else refreshLists();
  tell(entry, state);
}

// What a bank pushes to the telephone.
function tell(entry, state) {
  if (!["paid", "cancelled", "released"].includes(state)) return;
  const agreement = visit.agreementOf(entry);
  const sum = money(parseAmount(entry.amount, agreement.exponent), agreement);
  const { biller } = agreement;
  const title = state === "paid" ? t("app.push.paid", { sum }) : t("app.push.cancelled", { sum });
  const text = entry.receipt ? t("app.push.receipt", { biller, receipt: entry.receipt }) : biller;
  push(state, title, text, () => go.open(entry));
}

function refresh(entry) {
  if (about === entry) show(name, entry, { keepFocus: true });
}

function refreshLists() {
  if (["home", "history"].includes(name)) show(name, null, { keepFocus: true });
}

function seen() {
  return new Promise((resolve) => setTimeout(resolve, still() ? 0 : SEEN_MS));
}

// --- the keyboard, the tabs, the language, the bank ------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || target.closest(".bench, .top, .tabs, .push")) return;
  if (event.key === "Escape" && shown.escape) {
    event.preventDefault();
    return shown.escape();
  }
  if (event.key === "Enter" && !target.closest("button, a, select")) {
    event.preventDefault();
    shown.enter?.();
  }
});

for (const tab of document.querySelectorAll("#tabs button"))
  tab.addEventListener("click", () => {
    if (tab.dataset.tab === "wire") {
      takeAway();
      selectTab("wire");
    }
    else if (tab.dataset.tab === "history") go.history();
    // Back from the wire, the screen is where it was.
    else if (document.body.dataset.tab === "wire" && name !== "history") selectTab("pay");
    else go.home();
  });

for (const choice of document.querySelectorAll("[data-language]"))
  choice.addEventListener("click", () => {
    chooseLanguage(choice.dataset.language);
    speak();
  });

document.getElementById("bank")?.addEventListener("change", (event) => {
  visit.choose(event.target.value);
  mischief.forget();
  suggestLanguage(visit.agreement.language);
  show("home", null, { keepFocus: true });
  speak();
});

function speak() {
  translatePage();
  renderWire();
  mischief.render();
  const { tab } = document.body.dataset;
  show(name, about, { keepFocus: true });
  selectTab(tab);
}

// The bad day takes its number and sum from the screen, or from the last payment.
const mischief = setUpMischief({
  room: {
    get agreement() {
      return visit.agreement;
    },
    get check() {
      return visit.check;
    },
    get sum() {
      return visit.sum ?? "";
    },
    get payment() {
      return visit.entries.find((one) => one.state === "paid" && one.agreement === visit.agreement.id) ?? null;
    },
  },
  busy: () => visit.entries.some((one) => one.state === "sending"),
  seen: addToWire,
  takenBack: (entry) => settle(entry, "cancelled"),
  debtChanged(due) {
    if (due === null) return;
    visit.check = { ...visit.check, due };
    noteStanding(visit.check);
    if (name === "bill") show("bill", null, { keepFocus: true });
  },
});

await loadTexts(settings.language);
if (currentLanguage() !== settings.language) translatePage();
show("home");
