// Codes on bills: what a scanned text says, and a bar code drawn so that a real scanner could read it.

const SVG = "http://www.w3.org/2000/svg";

const NUMBER_LENGTH_MAX = 200;

// Code 39: five bars and four gaps a character, w is wide.
const WIDTHS = {
  0: "nnnwwnwnn", 1: "wnnwnnnnw", 2: "nnwwnnnnw", 3: "wnwwnnnnn", 4: "nnnwwnnnw",
  5: "wnnwwnnnn", 6: "nnwwwnnnn", 7: "nnnwnnwnw", 8: "wnnwnnwnn", 9: "nnwwnnwnn",
  "*": "nwnnwnwnn",
};

/**
 * The client's number in what a code holds: a Russian bill's QR code (GOST R 56042: `ST00012|Name=…|PersAcc=…`,
 * where the character after the eighth parts the fields), or the number itself. "" where there is none.
 */
export function numberIn(text) {
  const whole = text.trim();
  if (/^ST0001[123]/.test(whole)) {
    const fields = whole.slice(8).split(whole[7]);
    return fields.find((field) => field.startsWith("PersAcc="))?.slice(8).trim() ?? "";
  }
  const number = whole.replace(/\s+/g, "");
  return number.length <= NUMBER_LENGTH_MAX && !/[|=&]/.test(number) ? number : "";
}

/** `number` as a bar code (Code 39); null where it has other characters than digits, or too many. */
export function barCode(number) {
  if (!/^[0-9]{1,24}$/.test(number)) return null;
  const bars = [];
  let at = 0;
  for (const character of `*${number}*`) {
    [...WIDTHS[character]].forEach((width, index) => {
      const wide = width === "w" ? 3 : 1;
      if (index % 2 === 0) bars.push(`M${at} 0h${wide}v10h-${wide}z`);
      at += wide;
    });
    at += 1;
  }
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", bars.join(""));
  svg.setAttribute("viewBox", `0 0 ${at - 1} 10`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "bars");
  svg.setAttribute("aria-hidden", "true");
  svg.append(path);
  return svg;
}
