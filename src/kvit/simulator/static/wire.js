// "The wire": every exchange exactly as it was sent, newest first. Colours only ever wrap the exact text.

import { h } from "./dom.js";
import { t } from "./texts.js";

const CARDS_MAX = 60;

const log = document.getElementById("log");
const clear = document.getElementById("wire-clear");
const empty = log.firstElementChild;
const groups = [];

clear.addEventListener("click", () => {
  groups.length = 0;
  renderWire();
  log.focus();
});

/**
 * Show `exchanges` (oldest first) on top. `titles` are keys of the texts, one an exchange. Of those that
 * belong together, `group` is the heading's key and `verdict` what became of them; else the one at
 * `stands` stands open.
 */
export function addToWire(exchanges, titles, { group = "", verdict = null, stands = -1 } = {}) {
  const cards = exchanges.map((exchange, index) => ({ exchange, title: titles[index], open: false, byHand: false }));
  // What came last stands open; it closes when something newer comes, unless the reader touched it.
  for (const older of groups.flatMap((one) => one.cards)) if (!older.byHand) older.open = false;
  if (stands >= 0) cards[stands].open = true;
  groups.unshift({ group, verdict, cards });
  while (groups.length > 1 && groups.reduce((sum, one) => sum + one.cards.length, 0) > CARDS_MAX) groups.pop();
  renderWire();
  log.scrollTop = 0;
}

/** Draw everything again (a new entry, another language). */
export function renderWire() {
  clear.hidden = groups.length === 0;
  log.replaceChildren(...(groups.length ? groups.map(groupElement) : [empty]));
}

function groupElement({ group, verdict, cards }) {
  const elements = [...cards].reverse().map(cardElement);
  if (!group) return h("div", { class: "solo" }, elements);
  const outcome = h("span", { class: verdict.good ? "good" : "bad" }, t(verdict.key, verdict.values));
  return h("section", { class: "together" }, h("h3", {}, t(group), outcome), elements);
}

function cardElement(card) {
  const { exchange } = card;
  const head = summary(card);
  const body = h("div", { class: "bytes" }, half("request", exchange.request), answerHalf(exchange));
  const element = h("details", { class: `card ${exchange.step}`, open: card.open }, head, body);
  head.addEventListener("click", () => {
    card.open = !element.open;
    card.byHand = true;
  });
  return element;
}

function summary({ exchange, title }) {
  const receipt = exchange.receipt && h("b", {}, t("wire.receipt", { receipt: exchange.receipt }));
  const badges = [];
  if (exchange.failure) badges.push(h("span", { class: "badge again" }, t(`failure.short.${exchange.failure}`)));
  else {
    badges.push(h("span", { class: `badge ${exchange.status === 200 ? "plain" : "stop"}` }, `HTTP ${exchange.status}`));
    if (exchange.status === 200 && exchange.code)
      badges.push(h("span", { class: `badge ${exchange.step}` }, t("wire.result", { code: exchange.code })));
  }
  return h(
    "summary",
    {},
    h("code", { class: "verb" }, exchange.kind),
    h("span", { class: "what" }, t(title), receipt),
    h("span", { class: "badges" }, badges),
    h("span", { class: "elapsed" }, t("wire.elapsed", { ms: showMs(exchange.elapsed_ms) })),
    h("time", { datetime: exchange.at }, exchange.at.slice(11, 19)),
  );
}

function showMs(ms) {
  return ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
}

function answerHalf(exchange) {
  if (!exchange.failure) return half("answer", exchange.response);
  return h("div", { class: "half" }, h("h4", {}, t("wire.answer")), h("p", { class: "silence" }, t(`failure.${exchange.failure}`)));
}

function half(which, text) {
  return h("div", { class: `half ${which}` }, h("h4", {}, t(`wire.${which}`)), h("pre", {}, coloured(text)));
}

// --- colours -------------------------------------------------------------------------------------

function coloured(text) {
  const [head, ...rest] = text.split("\n\n");
  const [first, ...headers] = head.split("\n");
  const body = rest.join("\n\n");
  const parts = [h("span", { class: "first-line" }, firstLine(first))];
  for (const header of headers) {
    const at = header.indexOf(":");
    parts.push("\n", mark("header-name", header.slice(0, at + 1)), mark("header-value", header.slice(at + 1)));
  }
  if (body) parts.push("\n\n", ...bodyParts(body));
  return parts;
}

function firstLine(line) {
  const request = /^([A-Z]+ )([^? ]*)(\?[^ ]*)?( HTTP\/.*)$/.exec(line);
  if (!request) return [mark("protocol", line)];
  const [, method, path, query = "", protocol] = request;
  const parts = [mark("method", method), mark("path", path)];
  if (query) parts.push(mark("punctuation", "?"), ...form(query.slice(1)));
  return [...parts, mark("protocol", protocol)];
}

function form(text) {
  const parts = [];
  text.split("&").forEach((pair, index) => {
    const at = pair.indexOf("=");
    // A line may break before each parameter; the text itself stays as it was.
    if (index) parts.push(h("wbr"), mark("punctuation", "&"));
    if (at < 0) parts.push(pair);
    else parts.push(mark("name", pair.slice(0, at)), mark("punctuation", "="), mark("value", pair.slice(at + 1)));
  });
  return parts;
}

function bodyParts(body) {
  if (body.startsWith("<")) return xml(body);
  return /^[[{]/.test(body) ? json(body) : form(body);
}

// Names, values and what stands between them; a line may break after each comma.
function json(text) {
  const parts = [];
  for (const piece of text.match(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\],]|[^"{}[\],]+|"/g) ?? []) {
    if (/^"[^]*:$/.test(piece)) parts.push(mark("name", piece));
    else if (/^[{}[\],]$/.test(piece)) parts.push(mark("punctuation", piece));
    else parts.push(mark("value", piece));
    if (piece === ",") parts.push(h("wbr"));
  }
  return parts;
}

// One visual row an element, indented by styles: the text inside stays exactly what was sent.
function xml(text) {
  const rows = [];
  let depth = 0;
  let row = null;
  const begin = (level) => rows.push((row = h("span", { class: `row depth-${Math.min(level, 4)}` })));
  const pieces = text.match(/<[^>]*>|[^<]+/g) ?? [];
  pieces.forEach((piece, index) => {
    if (piece.startsWith("</")) {
      depth -= 1;
      if (!pieces[index - 1]?.match(/^\s*[^<\s]/) && !sameElement(pieces[index - 1], piece)) begin(depth);
      row.append(mark("tag", piece));
    } else if (piece.startsWith("<")) {
      begin(depth);
      if (!piece.startsWith("<?") && !piece.endsWith("/>")) depth += 1;
      row.append(mark("tag", piece));
    } else {
      if (!row) begin(depth);
      row.append(mark("value", piece));
    }
  });
  return rows;
}

function sameElement(opening = "", closing) {
  return opening.replace(/^<([^\s/>]+)[^>]*>$/, "</$1>") === closing;
}

function mark(className, text) {
  return h("span", { class: className }, text);
}
