// The app's screens before any money moves: whom to pay, which number, what is owed, how much.
// Each function returns { element, focus, enter?, escape? }.

import { barCode, numberIn } from "./app-code.js";
import { entryRow, initial, money, topBar } from "./app-parts.js";
import { button, h, icon } from "./dom.js";
import { parseAmount, shortAmount } from "./money.js";
import { numbersWorthTrying } from "./numbers.js";
import { currentLanguage, t } from "./texts.js";

const RECENT = 3;
const SUM_LENGTH_MAX = 12;

// --- whom to pay ---------------------------------------------------------------------------------

export function homeScreen(visit, go) {
  const billers = visit.billers();
  const found = h("div", { class: "list", id: "billers" });
  const search = h("input", {
    id: "find",
    type: "search",
    autocomplete: "off",
    spellcheck: "false",
    placeholder: t("app.find.label"),
    "aria-label": t("app.find.label"),
  });
  const fill = () => {
    const wanted = plain(search.value);
    const rows = billers.filter((one) => plain(one.biller).includes(wanted)).map((one) => billerRow(one, go));
    found.replaceChildren(...(rows.length ? rows : [h("p", { class: "nothing" }, t("app.find.none"))]));
  };
  search.value = visit.search;
  search.addEventListener("input", () => {
    visit.search = search.value;
    fill();
  });
  fill();
  const scan = button("round", () => go.scan(billers[0]), icon("scan"));
  scan.setAttribute("aria-label", t("app.scan"));
  scan.title = t("app.scan");
  const recent = visit.entries.filter((one) => one.bank === visit.bank).slice(0, RECENT);
  const element = h(
    "div",
    { class: "home" },
    h("header", { class: "hero" }, h("p", { class: "bank" }, visit.bank), account(visit)),
    h(
      "div",
      { class: "sheet" },
      h("h1", {}, t("app.find")),
      h("div", { class: "find" }, h("label", { class: "search" }, icon("search"), search), scan),
      h("section", {}, h("h2", {}, t("app.billers")), found),
      recent.length > 0 &&
        h("section", {}, h("h2", {}, t("app.recent")), h("div", { class: "list" }, recent.map((one) => entryRow(one, visit, go)))),
      visit.hasKiosk && h("a", { class: "other-face inside", href: "/kiosk" }, t("app.to-kiosk")),
    ),
  );
  return { element, focus: search, enter: () => found.querySelector("button")?.click() };
}

function account(visit) {
  const { agreement } = visit;
  const { free, held } = visit.account();
  return h(
    "div",
    { class: "account" },
    h("span", {}, t("app.account")),
    h("strong", { id: "account" }, money(free, agreement)),
    h("small", { id: "set-aside" }, held ? t("app.account.held", { sum: money(held, agreement) }) : "\u00a0"),
  );
}

function billerRow(agreement, go) {
  return button(
    "row",
    () => go.number(agreement),
    h("span", { class: "tile", "aria-hidden": "true" }, initial(agreement.biller)),
    h("span", { class: "row-text" }, h("b", {}, agreement.biller), h("small", {}, t("app.by-number"))),
    icon("forward"),
  );
}

function plain(text) {
  return text.toLowerCase().replaceAll("ё", "е").trim();
}

// --- which number --------------------------------------------------------------------------------

export function numberScreen(visit, go) {
  const input = h("input", {
    id: "number",
    class: "field digits",
    maxlength: 200,
    autocomplete: "off",
    spellcheck: "false",
    enterkeyhint: "next",
    placeholder: "0000000",
    "aria-label": t("number.title"),
  });
  input.value = visit.number;
  const next = button("primary", () => go.check(input.value.trim()), t("number.next"), icon("next"));
  const changed = () => {
    visit.number = input.value;
    next.disabled = !input.value.trim();
  };
  input.addEventListener("input", changed);
  changed();
  const chips = numbersWorthTrying(visit.agreement);
  // A telephone opens its number pad where numbers are numbers.
  if (chips.every((chip) => /^[0-9]+$/.test(chip.dataset.number))) input.setAttribute("inputmode", "numeric");
  for (const chip of chips) chip.addEventListener("click", () => go.check(chip.dataset.number));
  const scan = button("round", () => go.scan(visit.agreement), icon("scan"));
  scan.setAttribute("aria-label", t("app.scan"));
  scan.title = t("app.scan");
  const element = h(
    "div",
    { class: "plain" },
    topBar(visit.agreement, go.home),
    h("div", { class: "body" },
      h("div", { class: "title" }, h("h1", {}, t("number.title")), h("p", {}, t("number.hint"))),
      h("div", { class: "find" }, input, scan),
      chips.length > 0 && h("section", { class: "tries" }, h("h2", {}, t("number.try")), h("div", { class: "list" }, chips)),
    ),
    h("div", { class: "actions" }, next),
  );
  return { element, focus: input, enter: () => next.click(), escape: go.home };
}

export function scanScreen(visit, go) {
  const bills = numbersWorthTrying(visit.agreement).map((chip) => {
    const { number } = chip.dataset;
    const bill = button("slip", () => go.check(number), h("small", {}, visit.agreement.biller), barCode(number), h("b", {}, number));
    return bill;
  });
  const input = h("textarea", { id: "pasted", rows: 2, maxlength: 2000, spellcheck: "false", "aria-label": t("app.scan.paste"), placeholder: t("app.scan.paste") });
  const complaint = h("p", { class: "complaint", role: "alert" });
  const take = button("primary", () => {
    const number = numberIn(input.value);
    if (number) go.check(number);
    else complaint.textContent = t("app.scan.nothing");
  }, t("app.scan.take"));
  input.addEventListener("input", () => {
    complaint.textContent = "";
    take.disabled = !input.value.trim();
  });
  take.disabled = true;
  const element = h(
    "div",
    { class: "plain scan" },
    topBar(visit.agreement, () => go.number(visit.agreement)),
    h("div", { class: "finder" },
      h("h1", {}, t("app.scan.title")),
      h("div", { class: "table" }, bills, h("i", { class: "frame", "aria-hidden": "true" })),
      bills.length > 0 && h("p", {}, t("app.scan.hint"))),
    h("div", { class: "pasting" }, input, complaint, take),
  );
  return { element, focus: bills[0] ?? input, enter: () => take.click(), escape: () => go.number(visit.agreement) };
}

// --- what is owed, and how much to pay -----------------------------------------------------------

export function billScreen(visit, go) {
  const { agreement, check } = visit;
  const due = check.due === null ? null : parseAmount(check.due, agreement.exponent);
  const separator = currentLanguage() === "en" ? "." : ",";
  const typed = (minor) => shortAmount(minor, agreement.exponent).replace(".", separator);
  const input = h("input", {
    id: "sum",
    class: "field",
    maxlength: SUM_LENGTH_MAX,
    inputmode: "decimal",
    autocomplete: "off",
    enterkeyhint: "go",
    placeholder: "0",
    readonly: check.exact,
    "aria-label": t("sum.label"),
    "aria-describedby": "outcome",
  });
  if (visit.sum === null) visit.sum = due ? typed(due) : "";
  input.value = visit.sum;
  const outcome = h("p", { class: "outcome", id: "outcome" });
  const pay = button("primary", () => go.pay(parseAmount(input.value, agreement.exponent)));
  const changed = () => {
    input.value = input.value.replace(/[.,]/g, separator).replace(/[^0-9.,]/g, "");
    input.style.setProperty("--long", String(Math.max(input.value.length, 1)));
    visit.sum = input.value;
    const minor = parseAmount(input.value, agreement.exponent);
    const poor = minor > visit.account().free;
    pay.disabled = !minor || poor;
    pay.textContent = minor ? t("sum.pay", { sum: money(minor, agreement, true) }) : t("sum.pay-none");
    outcome.textContent = poor ? t("app.bill.poor") : outcomeOf(visit, minor, due);
    outcome.classList.toggle("bad", poor);
    for (const way of ways) way.setAttribute("aria-pressed", String(way.dataset.sum === String(minor)));
  };
  const put = (minor) => {
    input.value = typed(minor);
    changed();
    input.focus();
  };
  const ways = check.exact ? [] : waysOf(agreement, due, put);
  input.addEventListener("input", changed);
  // What the payer types takes the place of what was suggested.
  input.addEventListener("focus", () => input.select());
  changed();
  const amount = h("label", { class: "amount" }, input, h("span", { class: "sign", "aria-hidden": "true" }, agreement.sign));
  const element = h(
    "div",
    { class: "plain bill" },
    topBar(agreement, () => go.number(agreement)),
    h("div", { class: "body" },
      h("div", { class: "owed" }, person(check), debt(due, agreement)),
      h("h1", {}, t("app.bill.sum")),
      amount,
      outcome,
      ways.length > 0 && h("div", { class: "ways" }, ways)),
    h("div", { class: "actions" }, pay),
  );
  return { element, focus: check.exact ? pay : input, enter: () => pay.click(), escape: () => go.number(agreement) };
}

function person(check) {
  return h(
    "dl",
    { class: "person" },
    check.name && h("div", {}, h("dt", {}, t("client.name")), h("dd", {}, check.name)),
    h("div", {}, h("dt", {}, t("client.number")), h("dd", { class: "digits" }, check.number)),
  );
}

function debt(due, agreement) {
  if (due === null) return h("p", { class: "debt" }, t("client.debt-hidden"));
  if (due === 0n) return h("p", { class: "debt settled" }, h("b", {}, t("client.no-debt")), h("small", {}, t("client.no-debt-hint")));
  return h("p", { class: "debt" }, h("span", {}, t("client.debt")), h("strong", {}, money(due, agreement)));
}

// The whole debt, and a few round sums below it or beside it.
function waysOf(agreement, due, put) {
  const unit = 10n ** BigInt(agreement.exponent);
  const round = agreement.notes.slice(1, 4).map((note) => BigInt(note) * unit);
  const way = (minor, text) => h("button", { type: "button", class: "way", "data-sum": String(minor), onclick: () => put(minor) }, text);
  return [due && way(due, t("sum.whole")), ...round.map((minor) => way(minor, money(minor, agreement, true)))].filter(Boolean);
}

function outcomeOf({ agreement, check }, minor, due) {
  if (check.exact) return t("app.bill.exact");
  if (!minor) return t("app.bill.hint");
  if (due === null) return "\u00a0";
  if (minor < due) return t("sum.left", { sum: money(due - minor, agreement) });
  if (minor === due) return t("sum.settled");
  return t("sum.advance", { sum: money(minor - due, agreement) });
}
