/** The page on im2col: a convolution window by window, forward and backward. */

import { BACKWARD, FORWARD, grid, html, inRows, largestOf, panel } from "./svg.js";
import { choice, colourKey, modes, mount, spoken, stepper } from "./controls.js";
import { compute } from "./im2col_numbers.js";
import { describe, outerProducts, productAndSum } from "./im2col_words.js";
import { addUp, col2im, convolve, gradColumns, gradWeight, im2col, outputSize, pad, windowPixels } from "./windows.js";

const geometry = { size: 5, kernel: 3, stride: 1, padding: 1 };
let backward = false;
let seed = 1;
let numbers = null;

const panels = html("div", { class: "panels" });
const sums = html("div", { class: "sums" });
const words = spoken();
const steps = stepper("Window", show);

/** Whether a pixel of the padded image is in the window, as a test for `grid`. */
function inWindow(step, colour) {
  const pixels = new Set(windowPixels(step, geometry).map(String));
  return (row, column) => (pixels.has(`${row},${column}`) ? colour : null);
}

const outside = (row, column) => {
  const { size, padding } = geometry;
  return Math.min(row, column) < padding || Math.max(row, column) >= size + padding;
};

/** The matrix of columns, or its gradient: up to 36 rows with their numbers, more as a pattern of colours. */
function matrix(name, caption, values, step, colour, largest) {
  const height = values.length > 36 ? Math.max(4, 560 / values.length) : values.length > 20 ? 18 : 24;
  return panel(
    name,
    caption,
    grid({
      values,
      height,
      width: 24,
      largest,
      label: `${caption}; row ${step} is lit up`,
      lit: (row) => (row === step ? colour : null),
      onpick: (row) => steps.go(row),
    }),
  );
}

function show(step) {
  if (outputSize(geometry) < 1) return; // the page says so already
  const { kernel } = geometry;
  const across = outputSize(geometry);
  const { image, weight, gradY, columns, y } = numbers;
  const colour = backward ? BACKWARD : FORWARD;
  const all = () => colour;
  const atStep = (row, column) => (row * across + column === step ? colour : null);
  const pick = (row, column) => steps.go(row * across + column);
  const kernelPanel = panel(
    "weight",
    `Weights, ${kernel}×${kernel}`,
    grid({ values: inRows(weight, kernel), label: "Weights", lit: all }),
  );
  const imagePanel = panel(
    "image",
    backward ? "Image" : "Image, and its padding",
    grid({ values: pad(image, geometry.padding), label: "Image", lit: inWindow(step, colour), faint: outside }),
  );
  const shape = `${columns.length}×${kernel * kernel}`;
  if (!backward) {
    const done = y.map((value, k) => (k <= step ? value : null));
    const output = panel(
      "y",
      `Output y, ${across}×${across}`,
      grid({
        values: inRows(done, across),
        label: "Output",
        lit: atStep,
        onpick: pick,
        largest: largestOf(y),
      }),
    );
    panels.replaceChildren(
      stack(imagePanel, kernelPanel, output),
      matrix("columns", `Columns, ${shape}`, columns, step, colour),
    );
    sums.replaceChildren(...productAndSum(columns[step], weight, y[step]));
  } else {
    const rows = numbers.gradColumns.map((row, k) => (k <= step ? row : row.map(() => null)));
    const pixels = addUp(numbers.gradColumns, geometry, step + 1);
    const weights = gradWeight(columns, gradY, step + 1);
    const upstream = panel(
      "grad_y",
      `grad_y, ${across}×${across}`,
      grid({ values: inRows(gradY, across), label: "Gradient of the output", lit: atStep, onpick: pick }),
    );
    const sumsOfPixels = panel(
      "grad_x",
      "grad_x so far",
      grid({
        values: pixels,
        label: "Gradient of the image so far",
        lit: inWindow(step, colour),
        faint: outside,
        largest: largestOf(addUp(numbers.gradColumns, geometry)),
      }),
    );
    const sumsOfWeights = panel(
      "grad_weight",
      "grad_weight so far",
      grid({
        values: inRows(weights, kernel),
        label: "Gradient of the weights so far",
        lit: all,
        largest: largestOf(gradWeight(columns, gradY)),
        width: 36,
      }),
    );
    panels.replaceChildren(
      stack(upstream, kernelPanel, sumsOfPixels, sumsOfWeights),
      matrix("grad_columns", `grad_columns, ${shape}`, rows, step, colour, largestOf(numbers.gradColumns)),
      matrix("columns", `Columns, ${shape}`, columns, step, colour),
    );
    sums.replaceChildren(...outerProducts(step, numbers, weights));
  }
  words.textContent = describe(step, numbers, geometry, backward);
}

/** The small panels, one under another beside the tall matrices. */
const stack = (...parts) => html("div", { class: "stack" }, ...parts);

/** New arrays, from the first window on; a message when the kernel does not fit. */
function restart() {
  const side = geometry.size + 2 * geometry.padding;
  if (outputSize(geometry) < 1) {
    steps.stop();
    panels.replaceChildren();
    sums.replaceChildren();
    steps.element.hidden = true;
    words.textContent =
      `A kernel of ${geometry.kernel}×${geometry.kernel} does not fit into a padded image of ${side}×${side}.`;
    return;
  }
  steps.element.hidden = false;
  numbers = compute(geometry, seed);
  steps.restart(numbers.columns.length);
}

function set(name) {
  return (value) => {
    geometry[name] = Number(value);
    restart();
  };
}

const another = html(
  "button",
  {
    type: "button",
    onclick: () => {
      seed += 1;
      restart();
    },
  },
  "New numbers",
);
mount(
  html(
    "div",
    { class: "controls" },
    modes(
      "Pass",
      [
        ["forward", "forward"],
        ["backward", "backward"],
      ],
      "forward",
      (mode) => {
        backward = mode === "backward";
        steps.go(steps.step);
      },
    ),
    choice("Image size", [3, 4, 5, 6, 7, 8], geometry.size, set("size")),
    choice("Kernel", [1, 2, 3, 4], geometry.kernel, set("kernel")),
    choice("Stride", [1, 2, 3], geometry.stride, set("stride")),
    choice("Padding", [0, 1, 2], geometry.padding, set("padding")),
    another,
  ),
  colourKey("array"),
  steps.element,
  words,
  sums,
  panels,
);
restart();

// for the tests, which compare with the library, and for the curious in the browser's console
window.explore = { im2col, col2im, convolve, gradColumns, gradWeight, outputSize, steps, numbers: () => numbers };
