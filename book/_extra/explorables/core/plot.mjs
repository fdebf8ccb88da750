// @ts-check
// A plot: two scales, axes, marks in data coordinates, and handles that are dragged or moved by keys.

import { clamp, set, svg } from "./elements.mjs";

/** @typedef {[number, number]} Range */

/**
 * @typedef {object} PlotOptions
 * @property {string} label  what a screen reader calls the plot
 * @property {Range} x
 * @property {Range} y
 * @property {string} [xLabel]
 * @property {string} [yLabel]
 * @property {number} [width]  of the drawing in its own units, close to CSS pixels
 * @property {number} [height]
 * @property {number[]} [xTicks]
 * @property {number[]} [yTicks]
 */

/**
 * @typedef {object} HandleOptions
 * @property {string} label  what it moves
 * @property {string} [kind]  a class, for its colour
 * @property {string} [mark]  a letter or figure on it
 * @property {(x: number, y: number) => void} move  called with data coordinates
 * @property {() => void} [grab]  called before the first move of a drag, and before a key's
 * @property {Range} [step]  how far one press of an arrow key moves it, in data units; a zero locks a direction
 */

/** @typedef {{at: (x: number, y: number, says: string) => void, element: SVGGElement}} Handle */

const MARGIN = { left: 54, right: 16, top: 22, bottom: 38 };
const ARROWS = /** @type {Record<string, Range>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
});

export class Plot {
  /**
   * @param {Element} parent
   * @param {PlotOptions} options
   */
  constructor(parent, options) {
    this.width = options.width ?? 370;
    this.height = options.height ?? 240;
    this.x = options.x;
    this.y = options.y;
    this.svg = svg(parent, "svg", {
      viewBox: `0 0 ${this.width} ${this.height}`,
      role: "group",
      "aria-label": options.label,
    });
    this._axes = svg(this.svg, "g", { class: "axes", "aria-hidden": "true" });
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    const box = svg(svg(this.svg, "clipPath", { id: clip }), "rect");
    set(box, { x: MARGIN.left, y: MARGIN.top, width: this._inner[0], height: this._inner[1] });
    this.marks = svg(this.svg, "g", { "clip-path": `url(#${clip})`, "aria-hidden": "true" });
    this.notes = svg(this.svg, "g", { "aria-hidden": "true" });
    this.handles = svg(this.svg, "g");
    this._options = options;
    this._drawAxes();
  }

  /** @returns {Range} */
  get _inner() {
    return [this.width - MARGIN.left - MARGIN.right, this.height - MARGIN.top - MARGIN.bottom];
  }

  /**
   * Change the ranges of the axes.
   * @param {Range} x
   * @param {Range} y
   */
  rescale(x, y) {
    if (`${x} ${y}` === `${this.x} ${this.y}`) return;
    [this.x, this.y] = [x, y];
    this._drawAxes();
  }

  /** @param {number} x */
  sx = (x) => MARGIN.left + ((x - this.x[0]) / (this.x[1] - this.x[0])) * this._inner[0];
  /** @param {number} y */
  sy = (y) => MARGIN.top + ((this.y[1] - y) / (this.y[1] - this.y[0])) * this._inner[1];

  /**
   * The data coordinates of a pointer, held inside the axes.
   * @param {{clientX: number, clientY: number}} event
   * @returns {Range}
   */
  under(event) {
    const box = this.svg.getBoundingClientRect();
    const scale = this.width / box.width;
    const u = ((event.clientX - box.left) * scale - MARGIN.left) / this._inner[0];
    const v = ((event.clientY - box.top) * scale - MARGIN.top) / this._inner[1];
    return [
      this.x[0] + clamp(u, 0, 1) * (this.x[1] - this.x[0]),
      this.y[1] - clamp(v, 0, 1) * (this.y[1] - this.y[0]),
    ];
  }

  _drawAxes() {
    const { xLabel, yLabel, xTicks, yTicks } = this._options;
    const [left, bottom] = [MARGIN.left, this.height - MARGIN.bottom];
    this._axes.replaceChildren();
    svg(this._axes, "path", { d: `M${left} ${MARGIN.top}V${bottom}H${this.width - MARGIN.right}` });
    for (const tick of xTicks ?? ticks(this.x)) {
      svg(this._axes, "path", { d: `M${this.sx(tick)} ${bottom}v4` });
      svg(this._axes, "text", { x: this.sx(tick), y: bottom + 16, "text-anchor": "middle", text: number(tick) });
    }
    for (const tick of yTicks ?? ticks(this.y)) {
      svg(this._axes, "path", { d: `M${left} ${this.sy(tick)}h-4` });
      svg(this._axes, "text", { x: left - 7, y: this.sy(tick) + 4, "text-anchor": "end", text: number(tick) });
    }
    if (xLabel) {
      const middle = (left + this.width - MARGIN.right) / 2;
      svg(this._axes, "text", { x: middle, y: this.height - 4, "text-anchor": "middle", text: xLabel });
    }
    if (yLabel) {
      svg(this._axes, "text", { x: 0, y: 12, text: yLabel });
    }
  }

  /**
   * A line through points, redrawn by calling what is returned.
   * @param {string} kind  a class, for its colour
   * @returns {(xs: ArrayLike<number>, ys: ArrayLike<number>) => void}
   */
  line(kind) {
    const path = svg(this.marks, "path", { class: `line ${kind}` });
    return (xs, ys) => {
      let d = "";
      for (let i = 0; i < xs.length; i++) {
        const y = clamp(this.sy(ys[i]), -1e4, 1e4);
        d += `${i ? "L" : "M"}${this.sx(xs[i]).toFixed(1)} ${y.toFixed(1)}`;
      }
      path.setAttribute("d", xs.length === 1 ? `${d}h0` : d); // a point alone shows as a dot
    };
  }

  /**
   * A word in the plot, placed by calling what is returned.
   * @param {"start" | "middle" | "end"} [anchor]
   * @returns {(x: number, y: number, text: string, kind?: string) => void}  kind: a class, for its colour
   */
  note(anchor = "start") {
    const element = svg(this.notes, "text", { "text-anchor": anchor });
    return (x, y, text, kind = "") => void set(element, { x: this.sx(x), y: this.sy(y), text, class: `note ${kind}` });
  }

  /**
   * A handle: drag it, or focus it and use the arrow keys (with Shift ten times as far).
   * @param {HandleOptions} options
   * @returns {Handle}
   */
  handle({ label, kind = "", mark = "", move, grab, step = [0.1, 0.1] }) {
    const element = svg(this.handles, "g", { class: `handle ${kind}`, tabindex: 0, role: "slider", "aria-label": label });
    svg(element, "circle", { class: "target" });
    svg(element, "circle", { class: "dot", r: 9 });
    svg(element, "text", { "text-anchor": "middle", y: 4, "aria-hidden": "true", text: mark });
    /** @type {Range} */
    let here = [0, 0];
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      grab?.();
      element.focus({ preventScroll: true });
      event.preventDefault();
    });
    element.addEventListener("pointermove", (event) => {
      if (element.hasPointerCapture(event.pointerId)) move(...this.under(event));
    });
    element.addEventListener("keydown", (event) => {
      const arrow = ARROWS[event.key];
      if (!arrow) return;
      event.preventDefault();
      grab?.();
      const far = event.shiftKey ? 10 : 1;
      move(
        clamp(here[0] + arrow[0] * step[0] * far, ...this.x),
        clamp(here[1] + arrow[1] * step[1] * far, ...this.y),
      );
    });
    return {
      element,
      at: (x, y, says) => {
        here = [x, y];
        const place = `translate(${this.sx(x).toFixed(1)} ${this.sy(clamp(y, ...this.y)).toFixed(1)})`;
        const value = step[0] ? x : y;
        const [low, high] = step[0] ? this.x : this.y;
        set(element, { transform: place, "aria-valuetext": says });
        set(element, { "aria-valuenow": value, "aria-valuemin": low, "aria-valuemax": high });
      },
    };
  }
}

/**
 * Four to seven round numbers inside a range.
 * @param {Range} range
 * @returns {number[]}
 */
export function ticks([low, high]) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

/** @param {number} value */
function number(value) {
  return String(Number(value.toPrecision(6))).replace("-", "−");
}

/**
 * Evenly spaced numbers from low to high.
 * @param {Range} range
 * @param {number} count
 */
export function spaced([low, high], count) {
  return Float64Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}
