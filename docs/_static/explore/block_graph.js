/** The drawing of a basic block: its values from top to bottom, the layers between them, the shortcut beside them. */

import { BACKWARD, FORWARD, SHORTCUT, largestOf, svg, tint } from "./svg.js";

/** The values, from the input to the output; each but the first is named after the layer that computes it. */
export const VALUES = ["x", "conv1", "bn1", "relu1", "conv2", "bn2", "add", "relu2"];

const WIDTH = 300;
const COLUMN = 120;
const SIDE = 262;
const VALUE = 42;
const LAYER = 28;
const CELL = 9;
const topOf = (index) => 6 + index * (VALUE + LAYER); // of a value; its layer is above it

/** A value as 4x4 coloured cells without numbers. */
function miniature(values, x, y, colour, lit) {
  const largest = largestOf(values);
  const size = values.length * CELL;
  return svg(
    "g",
    {},
    svg("rect", { x, y, width: size, height: size, class: "paper" }),
    ...values.flatMap((line, r) =>
      line.map((value, c) =>
        svg("rect", {
          x: x + c * CELL,
          y: y + r * CELL,
          width: CELL,
          height: CELL,
          class: "cell",
          "stroke-width": 0.5,
          style: `fill:${tint(value, largest)}`,
        }),
      ),
    ),
    svg("rect", { x, y, width: size, height: size, fill: "none", stroke: colour, "stroke-width": lit ? 3 : 1.2 }),
  );
}

/**
 * Draws the block.
 * @param {Object} options
 * @param {Object} options.activations by value: its array, for those that are computed already
 * @param {Object} options.gradients by value: its gradient, for those that have come back already
 * @param {?number[][]} options.shortcut the gradient on the shortcut, when it has come back
 * @param {string[]} options.lit names of the layers and values that the step is about; "fork" and "shortcut" too
 * @param {boolean} options.backward the direction of the step
 * @param {Set<string>} options.wrong names of layers whose parameters, or "x" whose gradient, fail the check
 * @param {string} options.label what a screen reader says in place of the drawing
 */
export function drawBlock({ activations, gradients, shortcut, lit, backward, wrong, label }) {
  const colour = backward ? BACKWARD : FORWARD;
  const height = topOf(VALUES.length) - LAYER + 6;
  const has = (name) => lit.includes(name);
  const parts = [];
  const end = topOf(6) - LAYER / 2;
  const start = topOf(0) + VALUE / 2;
  parts.push(svg("path", { d: `M${COLUMN} ${topOf(0)}V${height - 12}`, class: "axis", "stroke-width": 1.5 }));
  parts.push(
    svg("path", {
      d: `M${COLUMN + 50} ${start}H${SIDE - 12}q12 0 12 12V${end - 12}q0 12 -12 12H${COLUMN + 50}`,
      fill: "none",
      stroke: has("shortcut") ? colour : SHORTCUT,
      "stroke-width": has("shortcut") ? 4 : 2,
    }),
  );
  parts.push(
    svg("circle", {
      cx: COLUMN + 50,
      cy: start,
      r: has("fork") ? 6 : 3,
      fill: has("fork") ? colour : SHORTCUT,
    }),
  );
  parts.push(svg("text", { x: SIDE - 6, y: (start + end) / 2, "font-size": 12, "text-anchor": "end" }, "shortcut"));
  if (shortcut) parts.push(miniature(shortcut, SIDE - 18, (start + end) / 2 + 14, BACKWARD, has("shortcut")));
  VALUES.forEach((name, k) => {
    const top = topOf(k);
    if (k > 0) {
      const frame = has(name) ? `stroke:${colour};stroke-width:3` : null;
      parts.push(
        svg("rect", {
          x: COLUMN - 44,
          y: top - LAYER,
          width: 88,
          height: LAYER - 5,
          rx: 11,
          class: "op",
          style: frame,
        }),
        svg(
          "text",
          { x: COLUMN, y: top - LAYER / 2 - 2, class: "number", "font-size": 13 },
          name === "add" ? "add  +" : name,
        ),
      );
    }
    const inside = top + (VALUE - 4 * CELL) / 2;
    if (activations[name]) parts.push(miniature(activations[name], COLUMN - 44, inside, FORWARD, has(`${name}:value`)));
    if (gradients[name]) parts.push(miniature(gradients[name], COLUMN + 8, inside, BACKWARD, has(`${name}:gradient`)));
    const title = k === 0 ? "x" : k === VALUES.length - 1 ? "y" : "";
    if (title) parts.push(svg("text", { x: COLUMN - 56, y: top + VALUE / 2, "font-size": 14, class: "number" }, title));
    if (wrong.has(name)) {
      parts.push(
        svg(
          "text",
          { x: 22, y: k === 0 ? top + VALUE / 2 : top - LAYER / 2, class: "number wrong", "font-size": 13 },
          "✗",
        ),
      );
    }
  });
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": label },
    ...parts,
  );
}
