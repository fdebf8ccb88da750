// @ts-check
// The bound: one wait, two kinds, a guess q of its kind, and a shift of both curves. Bound + gap = log-evidence.

import { clamp, html, set, shown, svg, within } from "./core/elements.mjs";
import { explorable } from "./core/explorable.mjs";
import { Plot, spaced } from "./core/plot.mjs";

/** @typedef {{wait: number, weights: number[], means: number[], variances: number[]}} Model */

/** @param {number} x @param {number} mean @param {number} variance */
const logNormal = (x, mean, variance) =>
  -0.5 * (Math.log(2 * Math.PI * variance) + (x - mean) ** 2 / variance);

/** x log y, and zero where x is zero. @param {number} x @param {number} y */
const xlogy = (x, y) => (x === 0 ? 0 : x * Math.log(y));

/**
 * Everything that is shown, from the guess and the shift.
 * @param {Model} model
 * @param {number} q  probability of the first kind
 * @param {number} shift  of both means
 */
export function split({ wait, weights, means, variances }, q, shift) {
  const logJoint = means.map((mean, k) => Math.log(weights[k]) + logNormal(wait, mean + shift, variances[k]));
  const top = Math.max(...logJoint);
  const logEvidence = top + Math.log(logJoint.reduce((sum, value) => sum + Math.exp(value - top), 0));
  const posterior = logJoint.map((value) => Math.exp(value - logEvidence));
  const guess = [q, 1 - q];
  const energy = guess.reduce((sum, g, k) => sum + (g === 0 ? 0 : g * logJoint[k]), 0);
  const entropy = -guess.reduce((sum, g) => sum + xlogy(g, g), 0);
  const gap = guess.reduce((sum, g, k) => sum + xlogy(g, g / posterior[k]), 0);
  return { logJoint, logEvidence, posterior, energy, entropy, bound: energy + entropy, gap };
}

/**
 * The shift at which the bound is largest for a guess.
 * @param {Model} model
 * @param {number} q
 */
export function bestShift({ wait, means, variances }, q) {
  const precision = [q / variances[0], (1 - q) / variances[1]];
  const pulls = precision.map((p, k) => p * (wait - means[k]));
  return (pulls[0] + pulls[1]) / (precision[0] + precision[1]);
}

const SHIFTS = /** @type {[number, number]} */ ([-20, 20]);
const NATS = /** @type {[number, number]} */ ([-9, -2.5]);

explorable("bound", (figure, /** @type {Model} */ model) => {
  const state = figure.begin({ q: 0.8, shift: -4 }, ({ q, shift }) => within(q, [0, 1]) && within(shift, SHIFTS));
  const grab = () => figure.remember();
  /** @type {[number, number][]} */
  let trail = [];

  const controls = figure.group("controls");
  const showQ = figure.slider(controls, { key: "q", label: "guess q(short)", min: 0, max: 1, step: 0.01 });
  const showShift = figure.slider(controls, { key: "shift", label: "shift of both curves (minutes)", min: -20, max: 20, step: 0.1, says: (s) => shown(s, 1) });
  const buttons = figure.group("controls");
  const sums = html(figure.root, "p", { class: "sums" });
  const panels = figure.group("panels");

  const [low, high] = [35, 105];
  const waits = new Plot(panels, { label: "The wait and the two curves", x: [low, high], y: [0, 0.046], height: 240, xLabel: "wait (minutes)", yLabel: "weighted density of each kind", yTicks: [0, 0.02, 0.04] });
  const overQ = new Plot(panels, { label: "The bound over the guess", x: [0, 1], y: NATS, xLabel: "guess q(short)", yLabel: "nats; dashed: log-evidence, line: bound" });
  const sum = new Plot(panels, { label: "Bound and gap add up to the log-evidence", x: [0, 2], y: NATS, yLabel: "nats", xTicks: [], xLabel: "bound + gap = log-evidence" });
  const overShift = new Plot(panels, { label: "Log-evidence and bound over the shift", x: SHIFTS, y: NATS, xLabel: "shift (minutes)", yLabel: "nats; dashed: log-evidence, line: bound" });

  const kinds = ["first", "second"].map((kind) => waits.line(kind));
  const here = waits.line("level");
  const seen = waits.note("end");
  const names = model.means.map(() => waits.note("middle"));
  const boundOverQ = overQ.line("bound");
  const levelOfQ = overQ.line("level");
  const gapOverQ = overQ.line("gap");
  const posteriorAt = overQ.line("level");
  const posteriorName = overQ.note("middle");
  const bars = ["bound", "gap", "evidence"].map((kind) => svg(sum.marks, "rect", { class: `bar ${kind}` }));
  const values = bars.map(() => sum.note("middle"));
  const across = sum.line("level");
  const evidenceOverShift = overShift.line("level");
  const boundOverShift = overShift.line("bound");
  const gapOverShift = overShift.line("gap");
  const climbed = overShift.line("trail");

  const moveShift = (/** @type {number} */ x) => figure.change({ shift: clamp(x, ...SHIFTS) });
  const curveHandle = waits.handle({ label: "Both curves: shift in minutes", mark: "θ", kind: "theta", grab, step: [0.5, 0], move: (x) => moveShift(x - model.means[1]) });
  const qHandle = overQ.handle({ label: "Guess: probability of the short kind", mark: "q", kind: "q", grab, step: [0.01, 0], move: (x) => figure.change({ q: clamp(x, 0, 1) }) });
  const shiftHandle = overShift.handle({ label: "Shift of both curves in minutes", mark: "θ", kind: "theta", grab, step: [0.5, 0], move: moveShift });

  const step = (/** @type {() => {q?: number, shift?: number}} */ changes) => {
    grab();
    if (!trail.length) trail.push([state.shift, split(model, state.q, state.shift).bound]);
    figure.change(changes());
    trail.push([state.shift, split(model, state.q, state.shift).bound]);
  };
  const expectation = () => step(() => ({ q: split(model, state.q, state.shift).posterior[0] }));
  const maximisation = () => step(() => ({ shift: clamp(bestShift(model, state.q), ...SHIFTS) }));
  figure.button(buttons, "E-step: q to the posterior", expectation);
  figure.button(buttons, "M-step: best shift for q", maximisation);
  figure.play(buttons, () => {
    const { gap, logEvidence } = split(model, state.q, state.shift);
    if (gap > 1e-6) expectation();
    else maximisation();
    return gap > 1e-6 || split(model, state.q, state.shift).logEvidence - logEvidence > 1e-6;
  });
  const sentence = () => {
    const now = split(model, state.q, state.shift);
    return `bound ${shown(now.bound)} plus gap ${shown(now.gap)} is the log-evidence ${shown(now.logEvidence)}`;
  };
  figure.finish(buttons, sentence, () => {
    const now = split(model, state.q, state.shift);
    return [
      ["guess q(short)", shown(state.q, 4)],
      ["posterior r(short)", shown(now.posterior[0], 4)],
      ["shift (minutes)", shown(state.shift, 3)],
      ["expected log-joint (energy)", shown(now.energy, 6)],
      ["entropy of the guess", shown(now.entropy, 6)],
      ["bound", shown(now.bound, 6)],
      ["gap", shown(now.gap, 6)],
      ["log-evidence", shown(now.logEvidence, 6)],
    ];
  });

  const grid = spaced([low, high], 160);
  const guesses = spaced([0, 1], 101);
  const shifts = spaced(SHIFTS, 121);
  return () => {
    const now = split(model, state.q, state.shift);
    const last = trail.at(-1); // the way climbed by whole steps; any other move ends it
    if (last && (last[0] !== state.shift || last[1] !== now.bound)) trail = [];
    showQ();
    showShift();
    set(sums, { text: `${shown(now.bound)} (bound) + ${shown(now.gap)} (gap) = ${shown(now.logEvidence)} (log-evidence)` });

    kinds.forEach((line, k) => line(grid, grid.map((x) => model.weights[k] * Math.exp(logNormal(x, model.means[k] + state.shift, model.variances[k])))));
    const tops = model.means.map((mean, k) => model.weights[k] * Math.exp(logNormal(mean, mean, model.variances[k])));
    names[0](clamp(model.means[0] + state.shift, low + 6, high - 6), tops[0] + 0.0015, "short");
    names[1](clamp(model.means[1] + state.shift - 13, low + 6, high - 6), tops[1] * 0.75, "long");
    here([model.wait, model.wait], [0, 0.046]);
    seen(model.wait - 1, 0.0435, `the wait: ${model.wait}`);
    curveHandle.at(model.means[1] + state.shift, tops[1], `${shown(state.shift, 1)} minutes`);

    boundOverQ(guesses, guesses.map((q) => split(model, q, state.shift).bound));
    levelOfQ([0, 1], [now.logEvidence, now.logEvidence]);
    gapOverQ([state.q, state.q], [now.bound, now.logEvidence]);
    posteriorAt([now.posterior[0], now.posterior[0]], [NATS[0], NATS[0] + 0.25]);
    posteriorName(clamp(now.posterior[0], 0.12, 0.88), NATS[0] + 0.4, "posterior");
    /** @type {[number, number, number, string][]} */
    const heights = [
      [0.2, NATS[0], now.bound, `bound ${shown(now.bound)}`],
      [0.2, now.bound, now.logEvidence, `gap ${shown(now.gap)}`],
      [1.1, NATS[0], now.logEvidence, shown(now.logEvidence)],
    ];
    heights.forEach(([left, from, to, text], i) => {
      const [bottom, top] = [sum.sy(Math.max(from, NATS[0])), sum.sy(to)];
      set(bars[i], { x: sum.sx(left), width: sum.sx(0.7) - sum.sx(0), y: top, height: Math.max(0, bottom - top) });
      // A word for which its bar has no room stands above it.
      const inside = bottom - top > 18;
      const y = inside ? (Math.max(from, NATS[0]) + to) / 2 - 0.1 : to + 0.12;
      values[i](left + 0.35, y, text, inside ? "on-bar" : "");
    });
    across([0, 2], [now.logEvidence, now.logEvidence]);
    qHandle.at(state.q, now.bound, shown(state.q));

    evidenceOverShift(shifts, shifts.map((s) => split(model, state.q, s).logEvidence));
    boundOverShift(shifts, shifts.map((s) => split(model, state.q, s).bound));
    gapOverShift([state.shift, state.shift], [now.bound, now.logEvidence]);
    climbed(trail.map(([s]) => s), trail.map(([, bound]) => bound));
    shiftHandle.at(state.shift, now.bound, `${shown(state.shift, 1)} minutes`);
    figure.showValues();
  };
});
