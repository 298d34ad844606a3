// The words of the page in the reader's language.

let texts = {};
let language = "ru";
let chosen = false;

const KEPT = "kvit-kiosk-language";

/** Load the dictionary and choose: the reader's last choice, else `first`. */
export async function loadTexts(first) {
  texts = await (await fetch("/kiosk/static/texts.json")).json();
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // Storage may be forbidden; the first language will do.
  }
  chosen = kept in texts;
  language = chosen ? kept : first;
}

/** Speak `suggested`, unless the reader has chosen a language. */
export function suggestLanguage(suggested) {
  if (!chosen && suggested in texts) language = suggested;
}

/** Switch to `wanted` and remember it. */
export function chooseLanguage(wanted) {
  language = wanted;
  chosen = true;
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // Not remembered, then.
  }
}

export function currentLanguage() {
  return language;
}

/** The text of `key` with its {placeholders} filled in. */
export function t(key, values = {}) {
  const text = texts[language]?.[key] ?? key;
  return text.replace(/\{([a-z_]+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

/** Put the current language into everything that the server rendered. */
export function translatePage() {
  document.documentElement.lang = language;
  document.title = t(document.body.dataset.title);
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]"))
    element.setAttribute("aria-label", t(element.dataset.label));
  for (const element of document.querySelectorAll("[data-language]"))
    element.setAttribute("aria-pressed", String(element.dataset.language === language));
}
