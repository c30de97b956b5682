/** The page on batch norm: six numbers, forward and backward, with mistakes to plant. */

import { BACKWARD, html, largestOf, mean, scrolled, sum, write, writeSum } from "./svg.js";
import { choice, colourKey, mount, spoken, stepper } from "./controls.js";
import { bars, dots, numbers } from "./batchnorm_drawings.js";
import { checkTable, errorNote, load, summary } from "./recorded.js";

const data = await load("batchnorm");
const n = data.x.length;
const columns = data.x.map((_, k) => `[${Math.floor(k / 2)}, ${k % 2}]`); // image, pixel
let upstream = "mixed";
let mistake = "";
const words = spoken();
const sums = html("div", { class: "sums" });
const chart = html("div", { class: "chart" });
const table = scrolled("Numbers of batch norm");
const check = scrolled("Gradient check");
const verdict = html("p", { "aria-live": "polite" });
const steps = stepper("Step", show);

const back = () => data.backward[upstream][mistake];
const times = (a, b) => a.map((value, k) => value * b[k]);

/** The rows of the table: name, numbers, what is computed over the batch, and the steps that fill in each of them. */
function rowsOf() {
  const { grad_y: g, grad_bias: gradBias, grad_weight: gradWeight, terms, grad_x: gradX } = back();
  return [
    { name: "x", values: data.x, from: 0, over: `mean ${write(data.mean)}`, overFrom: 1 },
    { name: "x − mean", values: data.centred, from: 2, over: `var ${write(data.var)}`, overFrom: 3 },
    { name: "x̂", values: data.x_hat, from: 4, over: `1/std ${write(data.inverse_std)}`, overFrom: 4 },
    { name: "y", values: data.y, from: 5, over: `γ ${write(data.weight)}, β ${write(data.bias)}`, overFrom: 5 },
    { name: "grad_y", values: g, from: 7, over: `sum ${write(gradBias)}`, overFrom: 8 },
    { name: "grad_y · x̂", values: times(g, data.x_hat), from: 9, over: `sum ${write(gradWeight)}`, overFrom: 9 },
    { name: "directly", values: terms[0], from: 10 },
    { name: "through the mean", values: terms[1], from: 11 },
    { name: "through the variance", values: terms[2], from: 12 },
    { name: "grad_x", values: gradX, from: 13, over: `sum ${write(sum(gradX))}`, overFrom: 13 },
  ];
}

/** What each step says, and what it writes out. */
function sayings() {
  const { grad_y: g, grad_bias: gradBias, grad_weight: gradWeight, terms, grad_x: gradX, check: checked } = back();
  const scale = data.weight * data.inverse_std;
  const gx = times(g, data.x_hat);
  const right = mistake ? "without the mistake, " : "";
  const first = (formula, value) => `for the first number: ${formula} = ${write(value)}`;
  return [
    ["One channel of three images with two pixels each: six numbers.", ""],
    [
      "The mean of the channel, over all images and pixels.",
      `mean = (${writeSum(data.x)}) / ${n} = ${write(data.mean)}`,
    ],
    [
      "The mean is subtracted. Now the numbers sum to zero.",
      first(`${write(data.x[0])} − ${write(data.mean)}`, data.centred[0]),
    ],
    [
      "The variance: the mean of the squares.",
      `var = (${writeSum(data.centred.map((d) => d * d))}) / ${n} = ${write(data.var)}`,
    ],
    [
      "Divided by the standard deviation, the numbers have variance 1. A small ε under the root avoids dividing by 0.",
      `1/std = 1 / √(var + ε) = ${write(data.inverse_std, 6)}`,
    ],
    [
      "With the learned scale γ and shift β, the network can undo the normalisation or choose another spread.",
      first(`${write(data.weight)} · ${write(data.x_hat[0])} + ${write(data.bias)}`, data.y[0]),
    ],
    [
      "In training, running averages move a tenth of the way to the batch's mean and variance. " +
        "Evaluation uses these averages.",
      `running_mean: 0 → ${write(data.running_mean)};  running_var: 1 → ${write(data.running_var)} ` +
        `(with the unbiased variance, ${write((data.var * n) / (n - 1))})`,
    ],
    ["Backward: the gradient of the loss with respect to each y.", ""],
    [
      "β is added to every number, so its gradient is the sum of grad_y.",
      `grad_bias = ${writeSum(g)} = ${write(gradBias)}`,
    ],
    [
      "γ multiplies x̂, so its gradient is the sum of grad_y · x̂.",
      `grad_weight = ${writeSum(gx)} = ${write(gradWeight)}`,
    ],
    [
      "Each x changes its own y directly, with derivative γ/std.",
      first(`${write(scale)} · ${write(g[0])}`, terms[0][0]),
    ],
    [
      "Each x also changes the mean, which is subtracted from all six. This term is the same for every x.",
      `${right}−γ/std · mean(grad_y) = −${write(scale)} · ${write(mean(g))} = ${write(-scale * mean(g))}`,
    ],
    [
      "Each x also changes the variance: the further it lies from the mean, the larger its effect.",
      `${right}for the first number: −γ/std · x̂ · mean(grad_y · x̂) = −${write(scale)} · ${write(data.x_hat[0])} · ` +
        `${write(mean(gx))} = ${write(-scale * data.x_hat[0] * mean(gx))}`,
    ],
    [
      "The gradient with respect to x is the sum of the three.",
      first(writeSum(terms.map((term) => term[0])), gradX[0]),
    ],
    [
      summary(checked),
      "The numerical gradient changes one number slightly, and measures how sum(y · grad_y) changes.",
    ],
  ];
}

function show(step) {
  const rows = rowsOf();
  const [text, written] = sayings()[step];
  const backward = step >= 7;
  const largest = largestOf(rows.filter((row) => row.from >= 7).map((row) => row.values)); // one scale for all bars
  words.textContent = text;
  sums.replaceChildren(html("p", {}, written));
  table.replaceChildren(numbers(rows, step, columns));
  const lit = rows.findLast((row) => row.from <= step);
  chart.replaceChildren(backward ? bars(lit, BACKWARD, largest) : dots(lit, step));
  const found = summary(back().check);
  if (verdict.textContent !== found) verdict.textContent = found; // read out only when it changes
  check.replaceChildren(checkTable(back().check));
  check.classList.toggle("lit", step === 14);
}

mount(
  html(
    "div",
    { class: "controls" },
    choice("Mistake in backward", Object.entries(data.mistakes), mistake, (value) => {
      mistake = value;
      steps.go(steps.step);
    }),
    choice("grad_y", Object.entries(data.upstream), upstream, (value) => {
      upstream = value;
      steps.go(steps.step);
    }),
  ),
  colourKey("row"),
  steps.element,
  words,
  sums,
  chart,
  table,
  html("h2", {}, "Gradient check"),
  verdict,
  check,
  errorNote(),
);
steps.restart(15);

window.explore = { data, steps };
