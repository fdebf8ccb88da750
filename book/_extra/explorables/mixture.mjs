// @ts-check
// A playground for Gaussian mixtures: points, components, the two steps apart, and what the bound is made of.

import { clamp, html, kept, set, shown, svg, within } from "./core/elements.mjs";
import { explorable } from "./core/explorable.mjs";
import { collapsed, eStep, freeEnergy, mStep } from "./core/mixture.mjs";
import { Plot } from "./core/plot.mjs";

/** @typedef {import("./core/mixture.mjs").Point} Point */
/** @typedef {import("./core/mixture.mjs").Params} Params */
/** @typedef {import("./core/mixture.mjs").Model} Model */
/** @typedef {{points: Point[], start: Params, x: [number, number], y: [number, number], xLabel: string, yLabel: string}} Data */

const MOST = 500; // points
const MODELS = { full: "full", tied: "tied", diagonal: "diagonal", spherical: "spherical", equal: "equal circles" };
const NUMBER = /[-−+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/gi;

/** Params in one word of an address. @param {Params} params */
const written = ({ weights, means, covariances }) =>
  weights.map((weight, k) => [weight, ...means[k], ...covariances[k]].map((x) => Number(x.toPrecision(12))).join("_")).join("~");

/** @param {string} text @returns {Params} */
const read = (text) => {
  const rows = text.split("~").map((row) => row.split("_").map(Number));
  return {
    weights: rows.map((row) => row[0]),
    means: rows.map((row) => [row[1], row[2]]),
    covariances: rows.map((row) => [row[3], row[4], row[5]]),
  };
};

/** @param {string} text @returns {Point[]} */
const pairs = (text) => {
  const numbers = (text.match(NUMBER) ?? []).map((found) => Number(found.replace("−", "-")));
  return Array.from({ length: Math.floor(numbers.length / 2) }, (_, i) => [numbers[2 * i], numbers[2 * i + 1]]);
};

/** @param {Point[]} points */
const listed = (points) => points.map((point) => point.join(",")).join(" ");

/** One component for all points: the scale of the data. @param {Point[]} points */
const single = (points) => mStep(points, new Float64Array(points.length).fill(1), 1, "full");

/** What keeps a text from being points for this plane; nothing if all is well. @param {string} text */
const refusal = (text) => {
  const other = text.replace(NUMBER, "").match(/[^\s,;()[\]]+/);
  const found = (text.match(NUMBER) ?? []).length;
  if (other) return `Only numbers can be used, not “${other[0].slice(0, 20)}”.`;
  if (found % 2) return `A point is two numbers; ${found} numbers were read.`;
  if (found < 8 || found > 2 * MOST) return `From 4 to ${MOST} points can be used; ${found / 2} were read.`;
  const [[xx, xy, yy]] = single(pairs(text)).covariances;
  return xx * yy - xy * xy > 1e-12 * xx * yy ? "" : "No component can be fitted to these points: they lie on a line, or are too large.";
};

/** Whether a word of an address is params. @param {string} text */
const sound = (text) => {
  const { weights, means, covariances } = read(text);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.length <= 6 && weights.every((weight) => weight > 0) && Math.abs(sum - 1) < 1e-8 &&
    means.flat().every(Number.isFinite) && covariances.every(([xx, xy, yy]) => xx > 0 && xx < Infinity && xx * yy - xy * xy > 0);
};

explorable("mixture", (figure, /** @type {Data} */ data) => {
  const start = written(data.start);
  // q is the posterior at the params `guess`; an E-step makes them the present ones.
  const state = figure.begin({ points: "", params: start, guess: start, model: "full", temperature: 1 }, (asked) =>
    within(asked.temperature, [0, 1]) && asked.model in MODELS && sound(asked.params) && sound(asked.guess) &&
    read(asked.params).weights.length === read(asked.guess).weights.length && !(asked.points && refusal(asked.points)));
  /** @type {{at: string, energy: number, bound: number, logLikelihood: number}[]} */
  let trace = [];
  let problem = { at: "", text: "" };

  // A drag draws sixty times a second: what it leaves as it was is not computed again.
  const [ownPoints, paramsNow, paramsGuess, guessNow, partsNow] = [kept(pairs), kept(read), kept(read), kept(eStep), kept(freeEnergy)];
  const points = () => (state.points ? ownPoints(state.points) : data.points);
  const params = () => paramsNow(state.params);
  const guess = () => guessNow(points(), paramsGuess(state.guess), state.temperature);
  const parts = () => partsNow(points(), params(), guess());
  const place = () => JSON.stringify(figure.state);
  /** Says what is wrong until something changes. @param {string} text */
  const complain = (text) => {
    problem = { at: place(), text };
    figure.change({});
  };
  /** A new start from some of the points. @param {number} K @param {Point[]} [all] */
  const from = (K, all = points()) => {
    const { covariances } = single(all);
    const chosen = [...all].sort(() => Math.random() - 0.5).slice(0, K);
    const one = covariances[0].map((entry) => entry / K);
    const begun = written({ weights: chosen.map(() => 1 / chosen.length), means: chosen, covariances: chosen.map(() => /** @type {any} */ (one)) });
    return { params: begun, guess: begun };
  };
  const restart = (/** @type {number} */ K) => {
    figure.remember();
    figure.change(from(K));
  };

  const buttons = figure.group("controls");
  const sums = html(figure.root, "p", { class: "sums" });
  const panels = figure.group("panels");
  const plane = new Plot(panels, { label: "Points and components", x: data.x, y: data.y, xLabel: data.xLabel, yLabel: data.yLabel, height: 340 });
  const climb = new Plot(panels, { label: "Energy, bound and log-likelihood, half-step by half-step", x: [0, 12], y: [-1, 0], xLabel: "half-steps", yLabel: "nats", height: 340 });
  const controls = figure.group("controls");
  const count = html(html(controls, "label", { class: "choice", text: "components " }), "select");
  for (let k = 1; k <= 6; k++) html(count, "option", { value: k, text: k });
  count.addEventListener("change", () => restart(Number(count.value)));
  const showModel = figure.choice(controls, { key: "model", label: "covariances", choices: MODELS });
  const showTemperature = figure.slider(controls, { key: "temperature", label: "temperature (1: EM; 0: hard guesses)", min: 0, max: 1, step: 0.05 });
  const lines = ["energy", "bound", "level"].map((kind) => climb.line(kind));
  const names = ["energy", "bound", "log-likelihood"].map(() => climb.note("end"));
  const hint = climb.note("middle");
  const dots = svg(plane.marks, "g");
  const rings = Array.from({ length: 6 }, (_, k) => svg(plane.marks, "path", { class: `ring c${k + 1}` }));
  const handles = rings.map((_, k) => plane.handle({
    label: `Mean of component ${k + 1}`, mark: String(k + 1), kind: `c${k + 1}`, step: [(data.x[1] - data.x[0]) / 200, (data.y[1] - data.y[0]) / 200], grab: () => figure.remember(),
    move: (x, y) => {
      const means = params().means.map((mean, j) => /** @type {Point} */ (j === k ? [x, y] : mean));
      figure.change({ params: written({ ...params(), means }) });
    } }));

  const note = () => {
    const { energy, bound, logLikelihood } = parts();
    trace.push({ at: place(), energy, bound, logLikelihood });
  };
  const halfStep = (/** @type {() => import("./core/explorable.mjs").State} */ changes) => {
    figure.remember();
    if (!trace.length) note();
    figure.change(changes());
    note();
  };
  const expectation = () => halfStep(() => ({ guess: state.params }));
  const maximisation = () => {
    const next = mStep(points(), guess(), params().weights.length, /** @type {Model} */ (state.model));
    const lost = collapsed(next, single(points()));
    if (lost < 0) halfStep(() => ({ params: written(next) }));
    else complain(`Component ${lost + 1} has collapsed: it has no width, or no points, left. Undo, or start anew.`);
    return lost < 0;
  };
  figure.button(buttons, "E-step", expectation);
  figure.button(buttons, "M-step", maximisation);
  figure.play(buttons, () => {
    if (state.guess !== state.params) return expectation(), true;
    const before = parts().bound;
    return maximisation() && parts().bound - before > 1e-6;
  });
  figure.button(buttons, "New start", () => restart(params().weights.length));

  plane.svg.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest(".handle")) return;
    const here = plane.under(event);
    const near = points().findIndex(([x, y]) => Math.hypot(plane.sx(x) - plane.sx(here[0]), plane.sy(y) - plane.sy(here[1])) < 6);
    const rounded = /** @type {Point} */ (here.map((x) => Number(x.toPrecision(4))));
    const changed = near < 0 ? [...points(), rounded] : points().filter((_, n) => n !== near);
    const wrong = refusal(listed(changed));
    if (wrong) return complain(wrong);
    figure.remember();
    figure.change({ points: listed(changed) });
  });
  figure.finish(buttons, () => words(), () => {
    const { energy, entropy, bound, logLikelihood } = parts();
    const { weights, means, covariances } = params();
    return [
      ...weights.map((weight, k) => /** @type {[string, string]} */ ([
        `component ${k + 1}: weight; mean; covariance (xx, xy, yy)`,
        `${shown(weight, 4)}; ${means[k].map((x) => shown(x, 3)).join(", ")}; ${covariances[k].map((x) => shown(x, 4)).join(", ")}`,
      ])),
      ["energy", shown(energy, 6)], ["entropy", shown(entropy, 6)], ["bound", shown(bound, 6)], ["log-likelihood", shown(logLikelihood, 6)],
    ];
  });
  const own = html(figure.root, "details");
  html(own, "summary", { text: "Your own points" });
  const box = html(html(own, "label", { text: "two numbers a point " }), "textarea", { rows: 4 });
  own.addEventListener("toggle", () => void (box.value = own.open ? listed(points()).replaceAll(" ", "\n") : ""));
  figure.button(own, "Use these points", () => {
    const wrong = refusal(box.value);
    if (wrong) return complain(wrong);
    figure.remember();
    figure.change({ points: listed(pairs(box.value)), ...from(params().weights.length, pairs(box.value)) });
  });

  const words = () => {
    if (problem.at === place()) return problem.text;
    const { energy, entropy, bound, logLikelihood } = parts();
    return `energy ${shown(energy, 2)} + entropy ${shown(entropy, 2)} = bound ${shown(bound, 2)}; log-likelihood ${shown(logLikelihood, 2)}`;
  };

  return () => {
    const [all, now, q] = [points(), params(), guess()];
    const K = now.weights.length;
    count.value = String(K);
    showModel();
    showTemperature();
    set(sums, { text: words() });
    while (trace.length && trace[trace.length - 1].at !== place()) trace.pop(); // the climb ends where something else was moved
    // The data's own axes, unless points lie elsewhere.
    const inside = all.every(([x, y]) => within(x, data.x) && within(y, data.y));
    plane.rescale(inside ? data.x : around(all.map(([x]) => x)), inside ? data.y : around(all.map(([, y]) => y)));
    const style = getComputedStyle(figure.element);
    const colours = now.weights.map((_, k) => rgb(style.getPropertyValue(`--c${k + 1}`)));
    while (dots.childElementCount > all.length) dots.lastElementChild?.remove();
    while (dots.childElementCount < all.length) svg(dots, "circle", { r: 3.5 });
    all.forEach(([x, y], n) => {
      const mixed = [0, 1, 2].map((i) => Math.round(colours.reduce((sum, colour, k) => sum + q[n * K + k] * colour[i], 0)));
      set(dots.children[n], { cx: plane.sx(x).toFixed(1), cy: plane.sy(y).toFixed(1), fill: `rgb(${mixed})` });
    });
    rings.forEach((ring, k) => {
      set(ring, { d: k < K ? ellipse(plane, now.means[k], now.covariances[k]) : "" });
      handles[k].element.toggleAttribute("hidden", k >= K);
      if (k < K) handles[k].at(clamp(now.means[k][0], ...plane.x), now.means[k][1], now.means[k].map((x) => shown(x, 2)).join(", "));
    });
    const shownTrace = trace.length ? trace : [parts()];
    const heights = shownTrace.flatMap(({ energy, logLikelihood }) => [energy, logLikelihood]);
    climb.rescale([0, Math.max(12, shownTrace.length)], around(heights));
    const times = shownTrace.map((_, t) => t);
    const rows = [shownTrace.map((s) => s.energy), shownTrace.map((s) => s.bound), shownTrace.map((s) => s.logLikelihood)];
    rows.forEach((row, i) => lines[i](times, row));
    // The words keep out of one another's way: the log-likelihood is named above its line, the others below it and each other.
    const word = (climb.y[1] - climb.y[0]) / 18;
    const [energy, bound, level] = rows.map((row) => row[row.length - 1]);
    const boundAt = Math.min(bound - word, level + word / 3 - word);
    const at = [Math.min(energy - word, boundAt - word), boundAt, level + word / 3];
    names.forEach((name, i) => name(climb.x[1], at[i], trace.length ? ["energy", "bound", "log-likelihood"][i] : ""));
    hint((climb.x[0] + climb.x[1]) / 2, (climb.y[0] + climb.y[1]) / 2, trace.length ? "" : "each half-step is drawn here");
    figure.showValues();
  };
});

/** A range somewhat wider than the numbers in it. @param {number[]} numbers @returns {[number, number]} */
function around(numbers) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const rim = 0.08 * (high - low) || 1;
  return [low - rim, high + rim];
}

/** The ellipse two deviations out. @param {Plot} plot @param {Point} mean @param {[number, number, number]} covariance */
function ellipse(plot, [x, y], [xx, xy, yy]) {
  const a = Math.sqrt(xx);
  const b = xy / a;
  const c = Math.sqrt(Math.max(0, yy - b * b));
  const turn = Array.from({ length: 49 }, (_, i) => (i / 24) * Math.PI);
  return "M" + turn.map((t) => `${plot.sx(x + 2 * a * Math.cos(t)).toFixed(1)} ${plot.sy(y + 2 * (b * Math.cos(t) + c * Math.sin(t))).toFixed(1)}`).join("L");
}

/** @param {string} hex */
function rgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.trim().slice(i, i + 2), 16));
}
