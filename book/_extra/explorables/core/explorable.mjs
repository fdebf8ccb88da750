// @ts-check
// What every explorable shares: its state with undo, reset and address; controls; announcements; a table of values.

import { html, set, shown } from "./elements.mjs";

/** @typedef {Record<string, number | string>} State  Numbers and short words, so that it fits an address. */
/** @typedef {[string, string][]} Rows  Names and values. */

const ADDRESS = "#explore:";
const QUIET = 500; // milliseconds without a change before a change is announced

const style = document.createElement("link");
style.rel = "stylesheet";
style.href = new URL("explorable.css", import.meta.url).href;
document.head.append(style);
const styled = new Promise((ready) => style.addEventListener("load", ready));

/**
 * Bring every explorable of a name on the page to life. Without this module its static twin stays.
 * @param {string} name
 * @param {(figure: Explorable, data: any) => () => void} build  makes the parts once; what it returns draws them
 */
export async function explorable(name, build) {
  await styled;
  for (const element of document.querySelectorAll(`.explorable[data-explorable="${name}"]`)) {
    const data = element.querySelector("script[type='application/json']")?.textContent ?? "{}";
    const figure = new Explorable(/** @type {HTMLElement} */ (element), name);
    figure.start(build(figure, JSON.parse(data)));
  }
}

export class Explorable {
  /**
   * @param {HTMLElement} element  holds the static twin and the data
   * @param {string} name
   */
  constructor(element, name) {
    this.element = element;
    this.id = element.dataset.id ?? name;
    this.root = document.createElement("div");
    this.root.className = "explorable-root";
    /** @type {State} */
    this.state = {};
    /** @type {State} */
    this._initial = {};
    /** @type {State[]} */
    this._past = [];
    /** @type {() => Rows} */
    this._rows = () => [];
    this._draw = () => {};
    this._pending = 0;
    this._timer = 0;
  }

  /**
   * The state at the start; numbers in the address of the page win.
   * @template {State} S
   * @param {S} initial
   * @returns {S}  the live state: read it, and change it by `change`
   */
  begin(initial) {
    this._initial = { ...initial };
    this.state = { ...initial, ...this._fromAddress(initial) };
    return new Proxy(initial, { get: (_, key) => this.state[/** @type {string} */ (key)] });
  }

  /**
   * Change the state and draw again. A step that can be undone begins with `remember`.
   * @param {State} changes
   */
  change(changes) {
    this.state = { ...this.state, ...changes };
    this.redraw();
    clearTimeout(this._timer);
    this._timer = window.setTimeout(() => this._settle(), QUIET);
  }

  /** Keep the state as it is now for `undo`. */
  remember() {
    this._past.push(this.state);
  }

  undo() {
    const before = this._past.pop();
    if (before) this.change(before);
  }

  reset() {
    this.remember();
    this.change(this._initial);
  }

  /** Draw before the next frame, once however often it is asked for. */
  redraw() {
    this._pending ||= requestAnimationFrame(() => {
      this._pending = 0;
      this._draw();
    });
  }

  /** @param {() => void} draw */
  start(draw) {
    this._draw = draw;
    draw();
    this.element.querySelector(".explorable-twin")?.remove();
    this.element.append(this.root);
    this.element.classList.add("alive");
    if (location.hash.startsWith(`${ADDRESS}${this.id}?`)) this.element.scrollIntoView();
    new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    window.addEventListener("hashchange", () => {
      if (location.hash.startsWith(`${ADDRESS}${this.id}?`)) this.change(this._fromAddress(this._initial));
    });
  }

  // ---- Parts ----

  /** @param {string} kind  a class that says how the parts inside are laid out: "panels", "controls" */
  group(kind) {
    return html(this.root, "div", { class: kind });
  }

  /**
   * @param {Element} parent
   * @param {string} text
   * @param {() => void} act
   */
  button(parent, text, act) {
    const button = html(parent, "button", { type: "button", text });
    button.addEventListener("click", act);
    return button;
  }

  /**
   * A slider for one number of the state.
   * @param {Element} parent
   * @param {{key: string, label: string, min: number, max: number, step: number, says?: (value: number) => string}} options
   * @returns {() => void}  shows the state
   */
  slider(parent, { key, label, min, max, step, says = (value) => shown(value, 2) }) {
    const row = html(parent, "label", { class: "slider" });
    html(row, "span", { text: label });
    const input = html(row, "input", { type: "range", min, max, step });
    const value = html(row, "output");
    input.addEventListener("pointerdown", () => this.remember());
    input.addEventListener("input", () => this.change({ [key]: Number(input.value) }));
    return () => {
      const now = Number(this.state[key]);
      input.value = String(now);
      set(value, { text: says(now) });
      set(input, { "aria-valuetext": says(now) });
    };
  }

  /**
   * A choice among a few words, one of them in the state.
   * @param {Element} parent
   * @param {{key: string, label: string, choices: Record<string, string>}} options
   * @returns {() => void}  shows the state
   */
  choice(parent, { key, label, choices }) {
    const row = html(parent, "label", { class: "choice" });
    html(row, "span", { text: label });
    const select = html(row, "select");
    for (const [value, text] of Object.entries(choices)) html(select, "option", { value, text });
    select.addEventListener("change", () => {
      this.remember();
      const chosen = typeof this._initial[key] === "number" ? Number(select.value) : select.value;
      this.change({ [key]: chosen });
    });
    return () => void (select.value = String(this.state[key]));
  }

  /**
   * A button that plays steps until there is none left; slower for whoever asks for less motion.
   * @param {Element} parent
   * @param {() => boolean} step  takes one step; false when there is none left
   * @returns {() => void}  stops
   */
  play(parent, step) {
    let timer = 0;
    const button = this.button(parent, "Play", () => (timer ? stop() : go()));
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      set(button, { text: "Play", "aria-pressed": "false" });
    };
    const go = () => {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      set(button, { text: "Pause", "aria-pressed": "true" });
      timer = window.setInterval(() => step() || stop(), calm ? 1200 : 350);
    };
    set(button, { "aria-pressed": "false" });
    return stop;
  }

  /**
   * Undo, reset, a link to this setting; then the line that is announced and the table of values.
   * @param {Element} controls
   * @param {() => string} sentence  what is announced when a change has settled
   * @param {() => Rows} rows  the values of the table
   */
  finish(controls, sentence, rows) {
    this.button(controls, "Undo", () => this.undo());
    this.button(controls, "Reset", () => this.reset());
    this._sentence = sentence;
    this._live = html(this.root, "p", { class: "visually-hidden", "aria-live": "polite" });
    const details = html(this.root, "details");
    html(details, "summary", { text: "The values as a table" });
    const table = html(html(details, "div", { class: "values" }), "table");
    details.addEventListener("toggle", () => this.redraw());
    this.showValues = () => {
      if (!details.open) return;
      table.replaceChildren();
      for (const [name, value] of rows()) {
        const row = html(table, "tr");
        html(row, "th", { scope: "row", text: name });
        html(row, "td", { text: value });
      }
    };
  }

  /** Called by `draw`. */
  showValues() {}

  _settle() {
    if (this._live && this._sentence) set(this._live, { text: this._sentence() });
    const values = new URLSearchParams(
      Object.entries(this.state).map(([key, value]) => [key, typeof value === "number" ? String(+value.toPrecision(7)) : value]),
    );
    history.replaceState(null, "", `${ADDRESS}${this.id}?${values}`);
  }

  /**
   * @param {State} known  only these are read; numbers stay numbers
   * @returns {State}
   */
  _fromAddress(known) {
    const start = `${ADDRESS}${this.id}?`;
    if (!location.hash.startsWith(start)) return {};
    /** @type {State} */
    const found = {};
    for (const [key, text] of new URLSearchParams(location.hash.slice(start.length))) {
      if (typeof known[key] === "string") found[key] = text;
      else if (key in known && text !== "" && Number.isFinite(Number(text))) found[key] = Number(text);
    }
    return found;
  }
}
