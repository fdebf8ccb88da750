// @ts-check
// Level lines of a table of heights, by marching squares.

// For each way in which the corners of a cell can lie above the level: the edges that a line joins.
// Corners and edges are numbered from the lower left, against the clock; a saddle is cut in two.
const CROSSINGS = [
  [], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]],
  [[2, 3]], [[2, 0]], [[0, 1], [2, 3]], [[2, 1]], [[1, 3]], [[1, 0]], [[0, 3]], [],
];

/**
 * The path of a level line, in SVG's words.
 * @param {ArrayLike<number>} heights  row by row, the first row lowest
 * @param {ArrayLike<number>} xs  where the columns stand, in drawing units
 * @param {ArrayLike<number>} ys  where the rows stand
 * @param {number} level
 */
export function levelLine(heights, xs, ys, level) {
  const width = xs.length;
  let path = "";
  for (let j = 0; j + 1 < ys.length; j++) {
    for (let i = 0; i + 1 < width; i++) {
      const at = j * width + i;
      const corners = [heights[at], heights[at + 1], heights[at + width + 1], heights[at + width]];
      const which = corners.reduce((sum, height, c) => sum + (height > level ? 1 << c : 0), 0);
      for (const [from, to] of CROSSINGS[which]) path += `M${crossing(from)}L${crossing(to)}`;

      /** @param {number} edge */
      function crossing(edge) {
        const [a, b] = [corners[edge], corners[(edge + 1) % 4]];
        const part = (level - a) / (b - a);
        const x0 = edge === 1 || edge === 2 ? 1 : 0;
        const y0 = edge === 2 || edge === 3 ? 1 : 0;
        const [dx, dy] = [[1, 0], [0, 1], [-1, 0], [0, -1]][edge];
        const x = xs[i] + (x0 + dx * part) * (xs[i + 1] - xs[i]);
        const y = ys[j] + (y0 + dy * part) * (ys[j + 1] - ys[j]);
        return `${x.toFixed(1)} ${y.toFixed(1)}`;
      }
    }
  }
  return path;
}
