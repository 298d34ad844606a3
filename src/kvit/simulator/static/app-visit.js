// What this visitor has done so far: the bank, the number on the screen, and every payment, which a reload keeps.

import { parseAmount } from "./money.js";
import { t } from "./texts.js";

const KEPT = "kvit-app-visit";

// The practice account begins with so many whole units, whatever the currency.
const BEGINNING = 1_000_000n;

/** States of a payment whose money has left the account, and is either gone or set aside. */
const GONE = ["paid"];
const ASIDE = ["sending", "reserved", "waiting"];

/** `agreements` as the page has them; `hasKiosk`: is there a terminal to go to? */
export function makeVisit({ agreements, hasKiosk }) {
  const visit = {
    hasKiosk,
    bank: agreements[0]?.title ?? "",
    agreement: agreements[0] ?? null,
    search: "",
    number: "",
    check: null,
    // What stands in the field; null: nobody has typed yet.
    sum: null,
    refusal: null,
    entries: kept(agreements),

    billers: () => agreements.filter((one) => one.title === visit.bank),

    agreementOf: (entry) => agreements.find((one) => one.id === entry.agreement),

    choose(bank) {
      visit.bank = bank;
      visit.agreement = visit.billers()[0];
      Object.assign(visit, { search: "", number: "", check: null, sum: null });
    },

    /** What is free and what is set aside of the account in the currency on the screen, in minor units. */
    account() {
      const { sign, exponent } = visit.agreement;
      const sum = (states) =>
        visit.entries
          .filter((one) => states.includes(one.state) && visit.agreementOf(one).sign === sign)
          .reduce((total, one) => total + parseAmount(one.amount, exponent), 0n);
      const held = sum(ASIDE);
      return { free: BEGINNING * 10n ** BigInt(exponent) - held - sum(GONE), held };
    },

    said({ failure, comment, code, error }) {
      if (error) return t(error);
      if (failure) return t(`failure.${failure}`);
      return [comment && t("said", { comment }), code && t("said.code", { code })].filter(Boolean).join(" · ");
    },

    keep() {
      try {
        sessionStorage.setItem(KEPT, JSON.stringify(visit.entries));
      } catch {
        // Not kept, then.
      }
    },
  };
  return visit;
}

function kept(agreements) {
  try {
    const entries = JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
    const known = entries.filter((one) => agreements.some((agreement) => agreement.id === one.agreement));
    // What was under way when the page went has had no answer yet.
    return known.map((one) => ({ ...one, cancelling: false, state: one.state === "sending" ? "waiting" : one.state }));
  } catch {
    return [];
  }
}
