// @ts-check
// EM for mixtures of normal densities in the plane, as `emlib.Mixture` computes it; a test compares the two.

/** @typedef {[number, number]} Point */
/** @typedef {[number, number, number]} Covariance  entries xx, xy, yy */
/** @typedef {{weights: number[], means: Point[], covariances: Covariance[]}} Params */
/** @typedef {"full" | "tied" | "diagonal" | "spherical" | "equal"} Model  equal: one circle's variance, and one weight, for all */

/**
 * Guess the component of each point.
 *
 * `guess` holds a row for each point. At temperature 1 it is the posterior; below, its logarithms are divided by the
 * temperature, and at 0 the whole point goes to the most probable component.
 * @param {Point[]} points
 * @param {Params} params
 * @param {number} [temperature]
 * @returns {Float64Array}
 */
export function eStep(points, params, temperature = 1) {
  const K = params.weights.length;
  const guess = new Float64Array(points.length * K);
  const joint = logJoint(params);
  const row = new Float64Array(K);
  points.forEach((point, n) => {
    joint(point, row);
    const top = Math.max(...row);
    let sum = 0;
    for (let k = 0; k < K; k++) {
      const share = temperature > 0 ? Math.exp((row[k] - top) / temperature) : Number(k === row.indexOf(top));
      guess[n * K + k] = share;
      sum += share;
    }
    for (let k = 0; k < K; k++) guess[n * K + k] /= sum;
  });
  return guess;
}

/**
 * The params that are best for a guess.
 * @param {Point[]} points
 * @param {Float64Array} guess
 * @param {number} K
 * @param {Model} model
 * @returns {Params}
 */
export function mStep(points, guess, K, model) {
  const counts = new Array(K).fill(0);
  /** @type {Point[]} */
  const means = Array.from({ length: K }, () => [0, 0]);
  points.forEach(([x, y], n) => {
    for (let k = 0; k < K; k++) {
      const share = guess[n * K + k];
      counts[k] += share;
      means[k][0] += share * x;
      means[k][1] += share * y;
    }
  });
  means.forEach((mean, k) => void ((mean[0] /= counts[k]), (mean[1] /= counts[k])));
  /** @type {Covariance[]} */
  const scatter = Array.from({ length: K }, () => [0, 0, 0]);
  points.forEach(([x, y], n) => {
    for (let k = 0; k < K; k++) {
      const [u, v, share] = [x - means[k][0], y - means[k][1], guess[n * K + k]];
      scatter[k][0] += share * u * u;
      scatter[k][1] += share * u * v;
      scatter[k][2] += share * v * v;
    }
  });
  const total = counts.reduce((sum, count) => sum + count, 0);
  const pooled = /** @type {Covariance} */ ([0, 1, 2].map((i) => scatter.reduce((sum, s) => sum + s[i], 0) / total));
  const covariances = scatter.map((entries, k) => {
    const [xx, xy, yy] = /** @type {Covariance} */ (entries.map((entry) => entry / counts[k]));
    if (model === "tied") return pooled;
    if (model === "equal") return /** @type {Covariance} */ ([(pooled[0] + pooled[2]) / 2, 0, (pooled[0] + pooled[2]) / 2]);
    if (model === "diagonal") return /** @type {Covariance} */ ([xx, 0, yy]);
    if (model === "spherical") return /** @type {Covariance} */ ([(xx + yy) / 2, 0, (xx + yy) / 2]);
    return /** @type {Covariance} */ ([xx, xy, yy]);
  });
  return { weights: counts.map((count) => (model === "equal" ? 1 / K : count / total)), means, covariances };
}

/**
 * The free energy of a guess and its parts, with the log-likelihood that it bounds.
 * @param {Point[]} points
 * @param {Params} params
 * @param {Float64Array} guess
 */
export function freeEnergy(points, params, guess) {
  const K = params.weights.length;
  const joint = logJoint(params);
  const row = new Float64Array(K);
  let [energy, entropy, logLikelihood] = [0, 0, 0];
  points.forEach((point, n) => {
    joint(point, row);
    const top = Math.max(...row);
    let sum = 0;
    for (let k = 0; k < K; k++) {
      const share = guess[n * K + k];
      sum += Math.exp(row[k] - top);
      if (share > 0) {
        energy += share * row[k];
        entropy -= share * Math.log(share);
      }
    }
    logLikelihood += top + Math.log(sum);
  });
  return { energy, entropy, bound: energy + entropy, logLikelihood };
}

/**
 * The component that has shrunk onto a line or a point, or that no point is left to, if any: beyond it, a double has no
 * digits left.
 * @param {Params} params
 * @param {Params} whole  one component fitted to all points: the scale of the data
 */
export function collapsed({ weights, covariances }, whole) {
  const [wide, , high] = whole.covariances[0];
  return covariances.findIndex(([xx, xy, yy], k) =>
    !(weights[k] > 1e-12 && xx > 1e-16 * wide && yy > 1e-16 * high && xx * yy - xy * xy > 1e-12 * xx * yy));
}

/**
 * Writes the log-joint density of a point with each component into a row.
 * @param {Params} params
 */
function logJoint({ weights, means, covariances }) {
  // Lower Cholesky factors: the quadratic form is a sum of two squares, and its error stays small.
  const factors = covariances.map(([xx, xy, yy]) => {
    const a = Math.sqrt(xx);
    const b = xy / a;
    return [a, b, Math.sqrt(yy - b * b)];
  });
  const heights = factors.map(([a, , c], k) => Math.log(weights[k]) - Math.log(2 * Math.PI) - Math.log(a * c));
  return (/** @type {Point} */ [x, y], /** @type {Float64Array} */ row) => {
    for (let k = 0; k < row.length; k++) {
      const [a, b, c] = factors[k];
      const u = (x - means[k][0]) / a;
      const v = (y - means[k][1] - b * u) / c;
      row[k] = heights[k] - 0.5 * (u * u + v * v);
    }
  };
}
