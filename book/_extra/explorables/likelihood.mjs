// @ts-check
// The likelihood as a surface. One curve: its mean and deviation. Two curves: their means, and a deviation that can
// shrink onto a single wait.

import { levelLine } from "./core/contour.mjs";
import { clamp, html, set, shown, svg, within } from "./core/elements.mjs";
import { explorable } from "./core/explorable.mjs";
import { Plot, spaced } from "./core/plot.mjs";

/** @typedef {{values: number[], counts: number[], mode: "one" | "two", weights: number[], deviations: number[], start: number[]}} Data */
/** @typedef {{mean: number, deviation: number, weight: number}} Curve */

/** @param {Curve} curve @param {number} x */
const density = ({ mean, deviation, weight }, x) =>
  (weight / (deviation * Math.sqrt(2 * Math.PI))) * Math.exp(-0.5 * ((x - mean) / deviation) ** 2);

/**
 * The log-likelihood of counted values under a few weighted curves.
 * @param {Pick<Data, "values" | "counts">} data
 * @param {Curve[]} curves
 */
export function logLikelihood({ values, counts }, curves) {
  const logs = curves.map(({ deviation, weight }) => Math.log(weight / (deviation * Math.sqrt(2 * Math.PI))));
  const term = (/** @type {number} */ k, /** @type {number} */ x) => logs[k] - 0.5 * ((x - curves[k].mean) / curves[k].deviation) ** 2;
  let total = 0;
  for (let n = 0; n < values.length; n++) {
    // Added one at a time, the largest kept outside: the exponential of a difference cannot overflow.
    let sum = term(0, values[n]);
    for (let k = 1; k < curves.length; k++) {
      const next = term(k, values[n]);
      sum = Math.max(sum, next) + Math.log1p(Math.exp(-Math.abs(sum - next)));
    }
    total += counts[n] * sum;
  }
  return total;
}

const MEANS = /** @type {[number, number]} */ ([40, 100]);
const DEVIATIONS = /** @type {[number, number]} */ ([4, 30]);
const DECADES = 110; // how far the first deviation can be squeezed, in powers of ten
const DROPS = [2, 5, 10, 20, 40, 80, 160, 320]; // nats below the highest point of the map
const CELLS = 56;

const minutes = (/** @type {number} */ value) => shown(value, 1);
/** A power of ten, by its logarithm. @param {number} decades */
const power = (decades) => (decades > -3 ? shown(10 ** decades, decades > 0 ? 1 : 4) : `10^${shown(decades, 0)}`);

explorable("likelihood", (figure, /** @type {Data} */ data) => {
  const two = data.mode === "two";
  const [a, b] = data.start;
  const second = two ? MEANS : DEVIATIONS;
  const state = figure.begin({ a, b, squeeze: 0 }, (asked) =>
    within(asked.a, MEANS) && within(asked.b, second) && within(asked.squeeze, two ? [0, 100] : [0, 0]));
  // The slider is slow at first and fast at the end.
  const decades = (/** @type {number} */ squeeze) => Math.log10(data.deviations[0]) - DECADES * (squeeze / 100) ** 3;
  const grab = () => figure.remember();

  /** The curves at a point of the map. @param {number} first @param {number} second @param {number} [squeeze] @returns {Curve[]} */
  const curvesAt = (first, second, squeeze = state.squeeze) =>
    two
      ? [first, second].map((mean, k) => ({ mean, weight: data.weights[k], deviation: k ? data.deviations[1] : 10 ** decades(squeeze) }))
      : [{ mean: first, weight: 1, deviation: second }];
  const now = () => logLikelihood(data, curvesAt(state.a, state.b));

  const controls = figure.group("controls");
  const word = two ? "mean of the second curve" : "deviation";
  const sliders = [
    figure.slider(controls, { key: "a", label: two ? "mean of the first curve" : "mean", min: MEANS[0], max: MEANS[1], step: 0.1, says: minutes }),
    figure.slider(controls, { key: "b", label: word, min: second[0], max: second[1], step: 0.1, says: minutes }),
  ];
  if (two) sliders.push(figure.slider(controls, { key: "squeeze", label: "squeeze the first curve", min: 0, max: 100, step: 1, says: (s) => `σ ${power(decades(s))}` }));
  const buttons = figure.group("controls");
  if (two) {
    figure.button(buttons, "Put the first mean on the nearest wait", () => {
      grab();
      const nearest = data.values.reduce((best, x) => (Math.abs(x - state.a) < Math.abs(best - state.a) ? x : best));
      figure.change({ a: nearest });
    });
    figure.button(buttons, "Exchange the means", () => {
      grab();
      figure.change({ a: state.b, b: state.a });
    });
  }
  const sums = html(figure.root, "p", { class: "sums" });
  const panels = figure.group("panels");
  const over = /** @type {[number, number]} */ ([35, 105]);
  const tallest = Math.max(...data.counts) * 1.1;
  const waits = new Plot(panels, { label: "The waits and the model", x: over, y: [0, tallest], xLabel: "wait (minutes)", yLabel: "waits a minute" });
  const map = new Plot(panels, { label: "Log-likelihood as a map", x: MEANS, y: second, xLabel: two ? "first mean" : "mean (minutes)", yLabel: two ? "second mean" : "deviation" });

  data.values.forEach((x, n) => {
    const [left, top] = [waits.sx(x - 0.45), waits.sy(data.counts[n])];
    svg(waits.marks, "rect", { class: "datum", x: left, y: top, width: waits.sx(x + 0.45) - left, height: waits.sy(0) - top });
  });
  const model = waits.line("bound");
  const lines = DROPS.map((_, i) => svg(map.marks, "path", { class: "contour", "stroke-opacity": 1 - i / 10 }));
  const N = data.counts.reduce((sum, count) => sum + count, 0);

  const handles = (two ? ["first", "second"] : ["mean"]).map((name, k) =>
    waits.handle({ label: two ? `Mean of the ${name} curve` : "Mean", mark: two ? String(k + 1) : "μ", kind: name, grab, step: [0.5, 0],
      move: (x) => figure.change(k ? { b: clamp(x, ...MEANS) } : { a: clamp(x, ...MEANS) }) }));
  const width = two ? null : waits.handle({ label: "Deviation", mark: "σ", grab, step: [0.25, 0], move: (x) => figure.change({ b: clamp(Math.abs(x - state.a), ...DEVIATIONS) }) });
  const place = map.handle({ label: two ? "Both means" : "Mean and deviation", mark: "θ", grab, step: [0.5, 0.5], move: (x, y) => figure.change({ a: x, b: y }) });

  const runaway = two && new Plot(panels, { label: "Log-likelihood over the deviation of the first curve", x: [-DECADES, 2], y: [-1700, -950], height: 240, xLabel: "log₁₀ of the first deviation", yLabel: "nats" });
  const [falling, standing] = runaway ? [runaway.line("bound"), runaway.line("level")] : [];
  const squeezed = runaway && runaway.handle({ label: "Deviation of the first curve", mark: "σ", grab, step: [2, 0], move: (x) => figure.change({ squeeze: 100 * Math.cbrt(clamp((decades(0) - x) / DECADES, 0, 1)) }) });

  const sentence = () => `log-likelihood ${shown(now(), 2)}`;
  figure.finish(buttons, sentence, () => [
    [two ? "mean of the first curve" : "mean", shown(state.a, 3)],
    [word, shown(state.b, 3)],
    ...(two ? /** @type {[string, string][]} */ ([["deviation of the first curve", power(decades(state.squeeze))]]) : []),
    ["log-likelihood", shown(now(), 6)],
  ]);

  const grid = spaced(over, 351);
  const [columns, rows] = [spaced(MEANS, CELLS), spaced(second, CELLS)];
  let drawn = NaN;
  const drawMap = () => {
    if (drawn === state.squeeze) return;
    drawn = state.squeeze;
    const heights = new Float64Array(CELLS * CELLS);
    rows.forEach((y, j) => columns.forEach((x, i) => (heights[j * CELLS + i] = logLikelihood(data, curvesAt(x, y)))));
    const top = heights.reduce((best, height) => Math.max(best, height));
    const [xs, ys] = [columns.map(map.sx), rows.map(map.sy)];
    lines.forEach((line, i) => set(line, { d: levelLine(heights, xs, ys, top - DROPS[i]) }));
  };

  return () => {
    const curves = curvesAt(state.a, state.b);
    sliders.forEach((show) => show());
    set(sums, { text: `log-likelihood ${shown(now(), 2)} nats` });
    // The curve as counts a minute; a narrow one is drawn where it stands, and cut off at the top.
    const xs = Float64Array.from([...grid, ...curves.flatMap(({ mean, deviation }) => [-3, -1, 0, 1, 3].map((s) => mean + s * deviation))]).sort();
    model(xs, xs.map((x) => N * curves.reduce((sum, curve) => sum + density(curve, x), 0)));
    drawMap();
    handles.forEach((handle, k) => {
      const { mean, deviation, weight } = curves[k];
      handle.at(mean, Math.min(tallest, (N * weight) / (deviation * Math.sqrt(2 * Math.PI))), `${shown(mean, 1)} minutes`);
    });
    if (runaway && squeezed) {
      const at = spaced([0, 100], 101);
      const heights = at.map((s) => logLikelihood(data, curvesAt(state.a, state.b, s)));
      falling?.(at.map(decades), heights);
      standing?.([-DECADES, 2], [now(), now()]);
      squeezed.at(decades(state.squeeze), now(), power(decades(state.squeeze)));
    }
    width?.at(state.a + state.b, N * density(curves[0], state.a + state.b), `${shown(state.b, 1)} minutes`);
    place.at(state.a, state.b, `${shown(state.a, 1)} and ${shown(state.b, 1)} minutes`);
    figure.showValues();
  };
});
