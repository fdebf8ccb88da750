// @ts-check
// Elements of HTML and SVG, made in one call each.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {Record<string, string | number | boolean>} Attributes  true stands for an empty attribute, false for none. */

/**
 * Set attributes; `text` is the content.
 * @template {Element} E
 * @param {E} element
 * @param {Attributes} attributes
 * @returns {E}
 */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") {
      if (element.textContent !== String(value)) element.textContent = String(value);
    } else if (value === false) element.removeAttribute(name);
    else {
      const text = value === true ? "" : String(value);
      if (element.getAttribute(name) !== text) element.setAttribute(name, text); // the same again would be painted again
    }
  }
  return element;
}

/**
 * A new HTML element, appended to its parent.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {Element} parent
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function html(parent, tag, attributes = {}) {
  const element = set(document.createElement(tag), attributes);
  parent.append(element);
  return element;
}

/**
 * A new SVG element, appended to its parent.
 * @template {keyof SVGElementTagNameMap} T
 * @param {Element} parent
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @returns {SVGElementTagNameMap[T]}
 */
export function svg(parent, tag, attributes = {}) {
  const element = /** @type {SVGElementTagNameMap[T]} */ (document.createElementNS(SVG, tag));
  set(element, attributes);
  parent.append(element);
  return element;
}

/**
 * A number as the text of the book sets it, with a true minus sign.
 * @param {number} value
 * @param {number} [decimals]
 */
export function shown(value, decimals = 3) {
  if (value === Infinity || value === -Infinity) return value > 0 ? "∞" : "−∞";
  const text = value.toFixed(decimals);
  // No minus sign before what rounds to zero.
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/**
 * @param {number} value
 * @param {[number, number]} range
 */
export const within = (value, [low, high]) => low <= value && value <= high;

/**
 * A function that computes again only when one of its arguments is another.
 * @template {any[]} A
 * @template R
 * @param {(...given: A) => R} compute
 * @returns {(...given: A) => R}
 */
export function kept(compute) {
  /** @type {A | undefined} */
  let last;
  /** @type {R} */
  let result;
  return (...given) => {
    if (!last || given.some((one, i) => one !== last?.[i])) [last, result] = [given, compute(...given)];
    return result;
  };
}
