/** The page on the residual block: a block of one channel, forward and backward, with mistakes to plant. */

import { BACKWARD, FORWARD, grid, html, inRows, panel, write, writeSum } from "./svg.js";
import { choice, mount, spoken, stepper } from "./controls.js";
import { checkTable, load, summary, writeError } from "./recorded.js";
import { VALUES, drawBlock } from "./block_graph.js";

const data = await load("block");
const LAYERS = VALUES.slice(1), BACK = [...LAYERS].reverse();
const FIRST_BACK = LAYERS.length + 1, FORK = FIRST_BACK + LAYERS.length + 1, LAST = FORK + 1;
let mistake = "";
const words = spoken(), graph = html("div", { class: "graph" }), panels = html("div", { class: "stack wide" });
const verdict = html("p", {}), tensors = html("div", { class: "scroll" });
const every = html("div", { class: "scroll" }), steps = stepper("Step", show);

const FORWARD_WORDS = {
  conv1: "The first convolution: 3×3, padded by 1, so the size stays the same.",
  bn1: "Batch norm: over the 16 numbers of the channel to mean 0 and variance 1, then scaled and shifted.",
  relu1: "ReLU: negative numbers become 0.",
  conv2: "The second convolution.",
  bn2: "Batch norm again. Its output is the residual branch F(x).",
  add: "The addition: F(x) + x. The shortcut brings x unchanged.",
  relu2: "The last ReLU. Its output is the block's output y.",
};
const BACKWARD_WORDS = {
  relu2: "ReLU passes the gradient where its output was positive, and stops it elsewhere.",
  add: "The addition passes the same gradient to both of its inputs, unchanged: to the branch and to the shortcut.",
  bn2: "Batch norm: the gradient through the numbers themselves, through their mean and through their variance.",
  conv2: "The second convolution: a gradient for its weights, and one for its input.",
  relu1: "ReLU passes the gradient where its output was positive.",
  bn1: "Batch norm once more.",
  conv1: "The first convolution. What it passes back is the branch's gradient with respect to x, and only one part of grad_x.",
};

/** The gradient with respect to a value: what the layer after it passes back. */
function gradientOf(value) {
  const back = data.backward[mistake], next = VALUES[VALUES.indexOf(value) + 1];
  return next ? back.gradients[next] : data.grad_y;
}

const valueOf = (name) => (name === "x" ? data.x : data.forward[name]);
const before = (layer) => VALUES[VALUES.indexOf(layer) - 1];
const square = (name, caption, values, colour) =>
  panel(name, caption, grid({ values, label: caption, width: 42, height: 28, lit: () => colour }));

/** The parameters of a layer, or their gradients, as panels. */
function parametersOf(layer, source, prefix) {
  return Object.entries(source).filter(([name]) => name.startsWith(`${layer}.`)).map(([name, numbers]) => {
    const columns = numbers.length === 9 ? 3 : 1;
    return panel(prefix + name, prefix + name,
      grid({ values: inRows(numbers, columns), label: prefix + name, width: 46, height: 28 }));
  });
}

/** What a step is about: what it says, what it lights up, and its panels. */
function sceneOf(step) {
  const back = data.backward[mistake];
  if (step === 0) {
    return { text: "The block's input x: one image of 4×4 pixels with one channel. It goes two ways: into the branch, and " +
      "over the shortcut.", lit: ["x:value", "fork"], panels: [square("x", "x", data.x, FORWARD)] };
  }
  if (step < FIRST_BACK) {
    const layer = LAYERS[step - 1], source = before(layer), inputs = [square("in", `in: ${source}`, valueOf(source))];
    if (layer === "add") inputs.push(square("shortcut", "in: shortcut, x", data.x));
    return { text: FORWARD_WORDS[layer], lit: [layer, `${layer}:value`, ...(layer === "add" ? ["shortcut"] : [])],
      panels: [...inputs, ...parametersOf(layer, data.parameters, ""),
        square("out", `out: ${layer}`, valueOf(layer), FORWARD)] };
  }
  if (step === FIRST_BACK) {
    return { text: "Backward: grad_y, the gradient of the loss with respect to the block's output.", lit: ["relu2:gradient"],
      panels: [square("grad_y", "grad_y", data.grad_y, BACKWARD)] };
  }
  if (step < FORK) {
    const layer = BACK[step - FIRST_BACK - 1], out = gradientOf(before(layer));
    const inside = [square("in", "gradient in", gradientOf(layer))];
    if (layer.startsWith("relu")) inside.push(square("kept", `kept by ${layer}: its output`, valueOf(layer)));
    const outside = layer === "add"
      ? [square("out", "out: to the branch", out, BACKWARD), square("out2", "out: to the shortcut", shortcutAtAdd(), BACKWARD)]
      : [square("out", layer === "conv1" ? "out: the branch's part of grad_x" : "gradient out", out, BACKWARD)];
    const lit = [layer, ...(layer === "conv1" ? [] : [`${before(layer)}:gradient`]), ...(layer === "add" ? ["shortcut"] : [])];
    return { text: BACKWARD_WORDS[layer], lit,
      panels: [...inside, ...parametersOf(layer, back.parameters, "grad of "), ...outside] };
  }
  if (step === FORK) {
    return { text: "The fork: x was used twice, so its two gradients add up. grad_x is the branch's part plus the shortcut's. " +
      `For pixel [0, 1]: ${writeSum([back.gradients.conv1[0][1], back.shortcut[0][1]])} = ${write(back.grad_x[0][1])}.`, lit: ["x:gradient", "fork", "shortcut"],
    panels: [square("branch", "from the branch", back.gradients.conv1), square("shortcut", "from the shortcut", back.shortcut),
      square("grad_x", "grad_x", back.grad_x, BACKWARD)] };
  }
  return { text: summary(back.check), lit: ["x:gradient"], panels: [square("grad_x", "grad_x", back.grad_x, BACKWARD)] };
}

/** What the addition passes to the shortcut; a block that forgets it loses it only later, at the fork. */
function shortcutAtAdd() {
  const back = data.backward[mistake];
  return mistake === "block-forgets-shortcut" ? back.gradients.add : back.shortcut;
}

function show(step) {
  const scene = sceneOf(step), backward = step >= FIRST_BACK, back = data.backward[mistake];
  const activations = Object.fromEntries(VALUES.slice(0, Math.min(step, LAYERS.length) + 1).map((name) => [name, valueOf(name)]));
  const came = backward ? VALUES.slice(Math.max(1, VALUES.length - 1 - (step - FIRST_BACK))) : [];
  const gradients = Object.fromEntries(came.map((name) => [name, gradientOf(name)]));
  if (step >= FORK) gradients.x = back.grad_x;
  const shortcut = step >= FORK ? back.shortcut : step >= FIRST_BACK + 2 ? shortcutAtAdd() : null;
  const wrong = new Set(back.check.filter((tensor) => tensor.verdict.includes("differs")).map(({ name }) => name.split(".")[0]));
  words.textContent = scene.text;
  graph.replaceChildren(drawBlock({ activations, gradients, shortcut, lit: scene.lit, backward, wrong,
    label: `The block from x at the top to y at the bottom; this step: ${scene.text}` }));
  panels.replaceChildren(...scene.panels);
  verdict.textContent = summary(back.check);
  tensors.replaceChildren(tensorTable(back.check));
  tensors.classList.toggle("lit", step === LAST);
  every.replaceChildren(checkTable(back.check));
}

/** A row for each tensor: how many of its numbers differ, and by how much at most. */
function tensorTable(check) {
  const rows = check.map(({ name, verdict: verdicts, error }) => {
    const differ = verdicts.filter((one) => one === "differs").length;
    return html("tr", { class: `verdict ${differ ? "differs" : "agrees"}` }, html("th", { scope: "row" }, name),
      html("td", {}, String(verdicts.length)), html("td", {}, writeError(Math.max(...error))),
      html("td", {}, differ ? `✗ ${differ} differ` : "✓ agrees"));
  });
  const head = ["gradient w.r.t.", "numbers", "largest rel. error", ""].map((text) => html("th", { scope: "col" }, text));
  return html("table", { class: "check-table" }, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
}

mount(
  html("div", { class: "controls" },
    choice("Mistake in backward", Object.entries(data.mistakes), mistake, (value) => { mistake = value; steps.go(steps.step); })),
  steps.element, words,
  html("div", { class: "beside" }, graph, panels),
  html("h2", {}, "Gradient check"), verdict, tensors,
  html("details", {}, html("summary", {}, "Every number"), every),
);
steps.restart(LAST + 1);

window.explore = { data, steps, fork: FORK };
