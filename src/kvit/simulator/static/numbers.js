// The numbers worth trying: the server puts them into the page, and what the biller says of one is noted here.

import { parseAmount, showAmount } from "./money.js";
import { currentLanguage, t } from "./texts.js";

const CHIPS = document.getElementById("chips");

/** A button for each number: the number in bold, and in the reader's language what to expect of it. */
export function numbersWorthTrying(agreement) {
  const chips = [...CHIPS.content.querySelectorAll(".chip")].map((chip) => chip.cloneNode(true));
  for (const chip of chips) {
    const label = chip.querySelector("span");
    const { key, amount } = label.dataset;
    if (!key) continue;
    const sum = amount && showAmount(parseAmount(amount, agreement.exponent), agreement, currentLanguage());
    label.textContent = t(key, { sum });
  }
  return chips;
}

/** What the biller has just said of a number goes to its chip; an advance it does not say. */
export function noteStanding({ number, due }) {
  const label = CHIPS.content.querySelector(`.chip[data-number="${CSS.escape(number)}"] [data-key]`);
  if (!label || due === null) return;
  const owed = /[1-9]/.test(due);
  if (owed) Object.assign(label.dataset, { key: "try.debt", amount: due });
  else if (label.dataset.key === "try.debt") label.dataset.key = "try.no-debt";
}
