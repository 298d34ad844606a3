// Sums are BigInts of minor units: a browser's numbers are floats, and a float never touches money.

/** "450.5" or "450,5" -> 45050n; null for anything that is not a plain decimal number. */
export function parseAmount(text, exponent) {
  const match = /^([0-9]{1,12})(?:[.,]([0-9]*))?$/.exec(text);
  if (!match) return null;
  const rest = match[2] ?? "";
  if (rest.length > exponent) return null;
  return BigInt(match[1] + rest.padEnd(exponent, "0"));
}

/** 45050n -> "450.50", as the endpoints take it. */
export function plainAmount(minor, exponent) {
  const digits = minor.toString().padStart(exponent + 1, "0");
  return exponent ? `${digits.slice(0, -exponent)}.${digits.slice(-exponent)}` : digits;
}

/** 45050n -> "450.50", 45000n -> "450", as a person types it. */
export function shortAmount(minor, exponent) {
  return plainAmount(minor, exponent).replace(/\.0+$/, "");
}

/** 145050n -> "1 450,50 ₽" the way `language` writes it; whole sums leave out ",00" when `short`. */
export function showAmount(minor, { exponent, sign }, language, short = false) {
  const [whole, rest = ""] = plainAmount(minor, exponent).split(".");
  const english = language === "en";
  const before = english && "$€£".includes(sign);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, english ? "," : "\u202f");
  const part = rest && !(short && /^0+$/.test(rest)) ? (english ? "." : ",") + rest : "";
  return before ? `${sign}${grouped}${part}` : `${grouped}${part}\u00a0${sign}`;
}
