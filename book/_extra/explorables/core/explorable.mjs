// @ts-check
// What every explorable shares: its state with undo, reset and address; controls; announcements; a table of values.

import { html, set, shown } from "./elements.mjs";

/** @typedef {Record<string, number | string>} State  Numbers and short words, so that it fits an address. */
/** @typedef {[string, string][]} Rows  Names and values. */

const ADDRESS = "#explore:";
const QUIET = 500; // milliseconds without a change before a change is announced
const LATEST = 5000; // milliseconds after which it begins in any case

/**
 * Bring every explorable of a name on the page to life. Without this module its static twin stays.
 * @param {string} name
 * @param {(figure: Explorable, data: any) => () => void} build  makes the parts once; what it returns draws them
 */
export function explorable(name, build) {
  for (const element of document.querySelectorAll(`.explorable[data-explorable="${name}"]`)) {
    const data = element.querySelector("script[type='application/json']")?.textContent ?? "{}";
    const figure = new Explorable(/** @type {HTMLElement} */ (element), name);
    whenWanted(figure, () => figure.start(build(figure, JSON.parse(data))));
  }
}

/**
 * Begin when a reader comes near, takes the keyboard, or asks by an address; else a while after the page has come, which
 * has more urgent work before.
 * @param {Explorable} figure
 * @param {() => void} begin
 */
function whenWanted(figure, begin) {
  const others = new AbortController();
  const now = () => {
    if (others.signal.aborted) return;
    others.abort();
    near.disconnect();
    begin();
  };
  const near = new IntersectionObserver((seen) => seen.some((place) => place.isIntersecting) && now(), {
    rootMargin: "150% 0px",
  });
  near.observe(figure.element);
  addEventListener("keydown", now, { signal: others.signal });
  addEventListener("hashchange", () => figure.asked && now(), { signal: others.signal });
  setTimeout(now, LATEST);
  if (figure.asked) now();
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
    this._valid = (/** @type {any} */ _) => true;
    this._stop = () => {};
  }

  /**
   * The state at the start; a setting in the address of the page wins, if it is one.
   * @template {State} S
   * @param {S} initial
   * @param {(state: S) => boolean} valid  whether a state that came by an address can be shown
   * @returns {S}  the live state: read it, and change it by `change`
   */
  begin(initial, valid) {
    this._initial = { ...initial };
    this._valid = valid;
    this.state = this._fromAddress() ?? { ...initial };
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

  /** Back to the last state that differs from this one. */
  undo() {
    this._stop();
    let before = this._past.pop();
    while (before && same(before, this.state)) before = this._past.pop();
    if (before) this.change(before);
  }

  reset() {
    this._stop();
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
    // It stays for paper and for previews.
    this.element.querySelector(".explorable-twin")?.setAttribute("hidden", "");
    this.element.append(this.root);
    this.element.classList.add("alive");
    if (this.asked) this.element.scrollIntoView();
    new MutationObserver(() => this.redraw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    window.addEventListener("hashchange", () => {
      const asked = this._fromAddress();
      if (!asked) return;
      this._stop();
      this.remember();
      this.change(asked);
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
    // One drag is one step to undo, and so is one key: a "change" ends either.
    let moving = false;
    input.addEventListener("input", () => {
      if (!moving) this.remember();
      moving = true;
      this.change({ [key]: Number(input.value) });
    });
    input.addEventListener("change", () => (moving = false));
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
   */
  play(parent, step) {
    let timer = 0;
    const button = this.button(parent, "Play", () => (timer ? stop() : go()));
    const stop = () => {
      clearInterval(timer);
      timer = 0;
      set(button, { text: "Play" });
    };
    const go = () => {
      const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
      set(button, { text: "Pause" });
      timer = window.setInterval(() => step() || stop(), calm ? 1200 : 350);
    };
    this._stop = stop;
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
    // In full: whoever follows the link sees the same digits.
    const values = new URLSearchParams(Object.entries(this.state).map(([key, value]) => [key, String(value)]));
    history.replaceState(null, "", `${ADDRESS}${this.id}?${values}`);
  }

  /** Whether the address of the page asks for a state of it. */
  get asked() {
    return location.hash.startsWith(`${ADDRESS}${this.id}?`);
  }

  /**
   * The state that the address asks for, if it asks for one that can be shown.
   * @returns {State | undefined}
   */
  _fromAddress() {
    if (!this.asked) return undefined;
    const asked = { ...this._initial };
    for (const [key, text] of new URLSearchParams(location.hash.slice(location.hash.indexOf("?")))) {
      if (key in asked) asked[key] = typeof asked[key] === "number" ? Number(text || NaN) : text;
    }
    return this._valid(asked) ? asked : undefined;
  }
}

/** @param {State} a @param {State} b */
const same = (a, b) => Object.keys(a).every((key) => a[key] === b[key]);
