// Building elements by hand: text only ever becomes text nodes, so nothing an answer says can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element; `attributes` whose name starts with "on" are listeners, false and null ones are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One picture of icons.svg, in the colour of the text around it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `/kiosk/static/icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** A button with a listener. */
export function button(className, onclick, ...children) {
  return h("button", { type: "button", class: className, onclick }, ...children);
}

/** Does the reader want things to stay still? */
export function still() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
