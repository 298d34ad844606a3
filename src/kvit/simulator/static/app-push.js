// A notification that slides in from the top of the telephone, as a bank's own do.

import { button, h, icon, still } from "./dom.js";
import { t } from "./texts.js";

const SHOWN_MS = 6000;

const place = document.getElementById("push");
let leaving = 0;

/** Show `title` and `text`; a tap on it calls `open`. It leaves by itself. */
export function push(mood, title, text, open) {
  const body = h("span", { class: "push-text" }, h("b", {}, title), h("span", {}, text));
  const notice = button(
    `notice ${mood}`,
    () => {
      takeAway();
      open();
    },
    h("span", { class: "seal" }, icon(mood === "paid" ? "done" : "undo")),
    body,
    h("small", {}, t("app.push.now")),
  );
  place.replaceChildren(notice);
  clearTimeout(leaving);
  leaving = setTimeout(() => leave(notice), SHOWN_MS);
}

function leave(notice) {
  // Who is about to tap it is not robbed of it.
  if (notice.matches(":hover, :focus")) {
    leaving = setTimeout(() => leave(notice), SHOWN_MS);
    return;
  }
  notice.classList.add("leaving");
  setTimeout(() => notice.remove(), still() ? 0 : 300);
}

/** The payer has moved on. */
export function takeAway() {
  clearTimeout(leaving);
  place.replaceChildren();
}
