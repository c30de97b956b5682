/** A surface over a square, drawn as a net of four-sided pieces that can be turned. */

import { COLOURS, mean, svg, write } from "./svg.js";

const SIZE = 320; // pixels of the drawing
const UNIT = 105; // pixels per unit
const TALL = 1.3; // the greatest height, in units
const MARGIN = 15; // pixels around the drawing, for the numbers at the edges
const TICKS = [-1, 0, 1];

/**
 * Where a point of the scene is seen: x to the right, y to the back and z up, turned by `turn` degrees about the
 * vertical, from a camera `elevation` degrees above the horizon. No perspective, so that equal lengths stay equal.
 * @returns {[number, number, number]} to the right, up, and away from the camera
 */
export function project([x, y, z], turn, elevation) {
  const a = (turn * Math.PI) / 180;
  const e = (elevation * Math.PI) / 180;
  const right = x * Math.cos(a) - y * Math.sin(a);
  const back = x * Math.sin(a) + y * Math.cos(a);
  return [right, z * Math.cos(e) + back * Math.sin(e), back * Math.cos(e) - z * Math.sin(e)];
}

/** A drawing of `heights` (row = y, column = x, both from -1 to 1), between the heights `low` and `high`. */
export class Surface {
  /**
   * @param {number[][]} heights
   * @param {number} guessing a height that is marked by a line on the surface and a dashed frame
   * @param {string} label what a screen reader says in place of the drawing
   */
  constructor(heights, guessing, label) {
    this.heights = heights;
    this.guessing = guessing;
    this.pieces = [];
    this.group = svg("g", { "stroke-width": 0.7, "stroke-linejoin": "round", class: "net" });
    for (let row = 0; row + 1 < heights.length; row++) {
      for (let column = 0; column + 1 < heights.length; column++) {
        this.pieces.push({
          corners: [
            [row, column],
            [row, column + 1],
            [row + 1, column + 1],
            [row + 1, column],
          ],
          element: svg("polygon"),
          contour: svg("path", { class: "contour" }),
        });
      }
    }
    this.frame = svg("polygon", { fill: "none", class: "axis", "stroke-dasharray": "5 4" });
    this.mark = svg("circle", { r: 4.5, class: "mark" });
    this.ticks = [...TICKS, ...TICKS].map((tick) => svg("text", { class: "number", "font-size": 12 }, write(tick)));
    const side = SIZE + 2 * MARGIN;
    this.element = svg(
      "svg",
      { viewBox: `${-MARGIN} ${-MARGIN} ${side} ${side}`, width: side, height: side, role: "img", "aria-label": label },
      this.group,
      this.frame,
      ...this.ticks,
      this.mark,
    );
  }

  /** Draws the surface as seen from these angles; `low` and `high` are the losses at the bottom and the top. */
  turn(turn, elevation, low, high) {
    const last = this.heights.length - 1;
    const raise = (height) => ((height - low) / (high - low) - 0.5) * TALL;
    const seen = this.heights.map((line, row) =>
      line.map((height, column) =>
        project([(2 * column) / last - 1, (2 * row) / last - 1, raise(height)], turn, elevation),
      ),
    );
    const onPage = ([right, up]) => [SIZE / 2 + UNIT * right, SIZE / 2 - UNIT * up];
    const listed = (points) =>
      points
        .map((point) =>
          onPage(point)
            .map((v) => v.toFixed(1))
            .join(","),
        )
        .join(" ");
    for (const piece of this.pieces) {
      const points = piece.corners.map(([row, column]) => seen[row][column]);
      const heights = piece.corners.map(([row, column]) => this.heights[row][column]);
      piece.distance = points.reduce((sum, point) => sum + point[2], 0);
      piece.element.setAttribute("points", listed(points));
      piece.element.setAttribute("fill", colourOf((mean(heights) - low) / (high - low)));
      const lines = contourOf(points, heights, this.guessing);
      piece.contour.setAttribute("d", lines.map((line) => `M${listed(line)}`).join(""));
    }
    this.pieces.sort((one, other) => other.distance - one.distance); // the nearest last: it covers those farther away
    this.group.append(...this.pieces.flatMap((piece) => [piece.element, piece.contour]));
    const z = raise(this.guessing);
    const corners = [
      [-1, -1, z],
      [1, -1, z],
      [1, 1, z],
      [-1, 1, z],
    ];
    this.frame.setAttribute("points", listed(corners.map((corner) => project(corner, turn, elevation))));
    this.label(turn, z, (point) => onPage(project(point, turn, elevation)));
    const [cx, cy] = onPage(seen[last / 2][last / 2]);
    this.mark.setAttribute("cx", cx);
    this.mark.setAttribute("cy", cy);
  }

  /** Puts the numbers along the two edges of the frame, at height z, that are nearest; `at`: where a point is seen. */
  label(turn, z, at) {
    const angle = (turn * Math.PI) / 180;
    const x = Math.sin(angle) > 0 ? -1.17 : 1.17;
    const y = Math.cos(angle) > 0 ? -1.17 : 1.17;
    const points = [...TICKS.map((tick) => [tick, y, z]), ...TICKS.map((tick) => [x, tick, z])];
    points.map(at).forEach(([left, top], k) => {
      this.ticks[k].setAttribute("x", left);
      this.ticks[k].setAttribute("y", top);
    });
  }
}

/** Where a four-sided piece crosses a height: lines between points on its sides, one line or two, or none. */
function contourOf(corners, heights, level) {
  const points = corners.flatMap((corner, k) => {
    const next = (k + 1) % 4;
    if ((heights[k] < level) === (heights[next] < level)) return [];
    const share = (level - heights[k]) / (heights[next] - heights[k]);
    return [corner.map((value, axis) => value + share * (corners[next][axis] - value))];
  });
  return [points.slice(0, 2), points.slice(2)].filter((line) => line.length);
}

/** From blue for low over green to yellow for high: lighter is higher, also without colours. */
function colourOf(share) {
  const s = Math.max(0, Math.min(1, share));
  if (s < 0.5) return `color-mix(in oklab, ${COLOURS.green} ${Math.round(200 * s)}%, ${COLOURS.blue})`;
  return `color-mix(in oklab, #f0e442 ${Math.round(200 * s - 100)}%, ${COLOURS.green})`;
}
