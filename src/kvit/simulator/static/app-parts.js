// Small parts that several of the app's screens show.

import { button, h, icon } from "./dom.js";
import { parseAmount, showAmount } from "./money.js";
import { currentLanguage, t } from "./texts.js";

export function money(minor, agreement, short = false) {
  return showAmount(minor, agreement, currentLanguage(), short);
}

/** The first letter of a biller's own name: "Водоканал «Родник»" -> "Р". */
export function initial(biller) {
  const own = /[«"“]\s*(\p{L})/u.exec(biller) ?? /(\p{L}|\p{N})/u.exec(biller);
  return (own?.[1] ?? "?").toUpperCase();
}

/** The way back, and who is paid. */
export function topBar(agreement, back) {
  const arrow = button("round", back, icon("back"));
  arrow.setAttribute("aria-label", t("back"));
  return h("header", { class: "bar" }, arrow, h("span", { class: "tile small", "aria-hidden": "true" }, initial(agreement.biller)), h("b", {}, agreement.biller));
}

/** One payment of this visit in a list; a tap opens it. */
export function entryRow(entry, visit, go) {
  const agreement = visit.agreementOf(entry);
  const minor = parseAmount(entry.amount, agreement.exponent);
  return button(
    `row entry ${entry.state}`,
    () => go.open(entry),
    h("span", { class: "tile", "aria-hidden": "true" }, initial(agreement.biller)),
    h(
      "span",
      { class: "row-text" },
      h("b", {}, agreement.biller),
      h("small", {}, entry.number, entry.network_time ? ` · ${localTime(entry.network_time, agreement.zone).slice(11, 16)}` : ""),
    ),
    h("span", { class: "row-sum" }, h("b", {}, money(minor, agreement)), h("small", { class: "state" }, t(`state.${entry.state}`))),
  );
}

/** A network's time as people write it: it is local, or has an offset and is shown in the agreement's `zone`. */
export function showTime(text, { zone }) {
  const [date, time = ""] = localTime(text, zone).split("T");
  return currentLanguage() === "en" ? `${date} ${time}` : `${date.split("-").reverse().join(".")} ${time}`;
}

function localTime(text, zone) {
  if (!/(?:Z|[+-]\d\d:\d\d)$/.test(text)) return text;
  // The Swedish way to write a time is that of ISO 8601.
  return new Date(text).toLocaleString("sv-SE", { timeZone: zone }).replace(" ", "T");
}
