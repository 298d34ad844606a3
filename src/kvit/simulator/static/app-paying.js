// The app's screens once money moves: how far a payment has come, what became of it, and the history.
// Each function returns { element, focus, enter?, escape? }.

import { entryRow, money, showTime, topBar } from "./app-parts.js";
import { button, h, icon } from "./dom.js";
import { parseAmount } from "./money.js";
import { t } from "./texts.js";

// --- the phases ------------------------------------------------------------------------------------

/** `entry.reached` phases are over; the next one is under way, or waits for the payer. */
export function progressScreen(entry, visit, go) {
  const agreement = visit.agreementOf(entry);
  const minor = parseAmount(entry.amount, agreement.exponent);
  const reserved = entry.state === "reserved";
  const before = agreement.checks ? ["check"] : [];
  const reached = before.length + entry.reached;
  const phases = [...before, ...agreement.phases].map((phase, index) => {
    const over = index < reached;
    const now = index === reached && !reserved;
    const words = now ? t(`phase.${phase}.now`) : t(`phase.${phase}`);
    return h(
      "li",
      { class: over ? "over" : now ? "now" : "ahead", "data-phase": phase, "aria-current": now ? "step" : null },
      h("i", { class: "dot", "aria-hidden": "true" }, over && icon("done")),
      h("div", {}, h("b", {}, words), h("small", {}, over ? t(`phase.${phase}.about`) : "\u00a0")),
    );
  });
  const heading = h("h1", { tabindex: -1 }, reserved ? t("phase.hold") : t("app.paying"));
  const again = entry.attempt > 1 ? t("app.again", { attempt: entry.attempt }) : "\u00a0";
  const pay = button("primary", () => go.perform(entry), t("sum.pay", { sum: money(minor, agreement, true) }));
  const release = button("secondary", () => go.cancel(entry), t("app.release"));
  const element = h(
    "div",
    { class: "plain progress" },
    topBar(agreement, go.home),
    h("div", { class: "body" },
      h("p", { class: "big-sum" }, money(minor, agreement)),
      h("p", { class: "to" }, entry.number),
      heading,
      h("ol", { class: "phases" }, phases),
      h("p", { class: "again" }, reserved ? t("app.held.lead") : again)),
    reserved && h("div", { class: "actions" }, release, pay),
  );
  return reserved ? { element, focus: pay, enter: () => pay.click(), escape: go.home } : { element, focus: heading, escape: go.home };
}

/** Something is under way; `back` leaves it to itself. */
export function busyScreen(agreement, text, back) {
  const focus = h("h1", { tabindex: -1 }, text);
  const element = h("div", { class: "plain message" }, topBar(agreement, back), h("div", { class: "body" }, h("i", { class: "ring", "aria-hidden": "true" }), focus));
  return { element, focus, escape: back };
}

// --- what became of it -------------------------------------------------------------------------------

const MOOD = { paid: "done", cancelled: "undo", released: "undo", refused: "stop", waiting: "wait" };

const HEADING = {
  paid: "receipt.title",
  cancelled: "app.head.cancelled",
  released: "state.released",
  refused: "refused.title",
  waiting: "app.head.waiting",
};

const LEAD = {
  paid: "app.lead.paid",
  cancelled: "app.lead.cancelled",
  released: "app.lead.released",
  refused: "refused.hint",
  waiting: "app.lead.waiting",
};

/** `asking`: the payer wants to cancel, and is asked once more. */
export function receiptScreen(entry, visit, go, asking = false) {
  const agreement = visit.agreementOf(entry);
  const minor = parseAmount(entry.amount, agreement.exponent);
  const actions = asking ? askActions(entry, go) : ownActions(entry, agreement, go);
  const main = actions[actions.length - 1];
  const element = h(
    "div",
    { class: `plain receipt ${entry.state}` },
    topBar(agreement, asking ? () => go.open(entry) : go.home),
    h("div", { class: "body" },
      h("span", { class: `seal ${MOOD[entry.state]}` }, icon(MOOD[entry.state])),
      h("h1", {}, t(HEADING[entry.state])),
      h("p", { class: "big-sum" }, money(minor, agreement)),
      h("p", { class: "lead" }, t(LEAD[entry.state])),
      entry.said && h("p", { class: "said" }, visit.said(entry.said)),
      h("dl", { class: "facts", id: "facts" }, facts(entry, agreement))),
    h("div", { class: asking ? "actions asking" : "actions" },
      asking && h("p", { id: "asked" }, t("app.cancel.ask", { sum: money(minor, agreement) })),
      h("div", {}, actions)),
  );
  return { element, focus: main, enter: () => main.click(), escape: asking ? () => go.open(entry) : go.home };
}

function facts(entry, agreement) {
  const row = (key, value, className = "") => value && h("div", { class: className }, h("dt", {}, t(key)), h("dd", {}, value));
  return [
    row("client.number", entry.number),
    row("client.name", entry.name),
    row("receipt.time", showTime(entry.network_time, agreement)),
    row("app.bank", agreement.title),
    row("receipt.txn", entry.txn, "long"),
    row("receipt.receipt", entry.receipt || entry.hold, "strong"),
    ["paid", "cancelled"].includes(entry.state) && row("receipt.remains", remains(entry, agreement), "remains"),
  ];
}

function remains(entry, agreement) {
  if (entry.due === null || entry.due === undefined) return t("receipt.unseen");
  const minor = parseAmount(entry.due, agreement.exponent);
  return minor ? money(minor, agreement) : t("receipt.nothing");
}

function ownActions(entry, agreement, go) {
  const cancel = agreement.cancels && button("danger", () => go.askToCancel(entry), t("app.cancel"));
  const done = button("primary", go.home, t("app.done"));
  const all = {
    paid: [cancel, button("secondary", () => go.more(entry), t("receipt.more")), done],
    waiting: [entry.held && cancel, button("primary", () => go.perform(entry), t("pending.retry"))],
    refused: [button("secondary", go.home, t("app.done")), button("primary", () => go.more(entry), t("refused.other"))],
  };
  return (all[entry.state] ?? [done]).filter(Boolean);
}

function askActions(entry, go) {
  return [button("secondary", () => go.open(entry), t("app.cancel.no")), button("danger solid", () => go.cancel(entry), t("app.cancel.yes"))];
}

// --- history, and full stops --------------------------------------------------------------------------

export function historyScreen(visit, go) {
  const rows = visit.entries.map((one) => entryRow(one, visit, go));
  const heading = h("h1", { tabindex: -1 }, t("app.history"));
  const element = h(
    "div",
    { class: "plain history" },
    h("div", { class: "body" },
      heading,
      rows.length ? h("div", { class: "list" }, rows) : h("div", { class: "nothing big" }, icon("tab-history"), h("p", {}, t("app.history.none")))),
  );
  return { element, focus: rows[0] ?? heading, escape: go.home };
}

/** `mood` is stop or wait, `actions` are [text key, listener], the last one the main way on. */
export function messageScreen(agreement, { mood, heading, lead, said, actions }) {
  const buttons = actions.map(([key, listener], index) => button(index === actions.length - 1 ? "primary" : "secondary", listener, t(key)));
  const main = buttons[buttons.length - 1];
  const element = h(
    "div",
    { class: "plain message" },
    topBar(agreement, actions[0][1]),
    h("div", { class: "body" },
      h("span", { class: `seal ${mood}` }, icon(mood)),
      h("h1", {}, heading),
      h("p", { class: "lead" }, lead),
      said && h("p", { class: "said" }, said)),
    h("div", { class: "actions" }, h("div", {}, buttons)),
  );
  return { element, focus: main, enter: () => main.click(), escape: actions[0][1] };
}
