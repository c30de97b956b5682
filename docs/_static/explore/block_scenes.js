/** The steps of the page on the residual block. */

import { BACKWARD, FORWARD, grid, inRows, panel, write, writeSum } from "./svg.js";
import { summary } from "./recorded.js";
import { VALUES } from "./block_graph.js";

export const LAYERS = VALUES.slice(1);
const BACK = [...LAYERS].reverse();
/** The steps at which grad_y comes in, at which the two gradients of x are added up, and the last one. */
export const FIRST_BACK = LAYERS.length + 1;
export const FORK = FIRST_BACK + LAYERS.length + 1;
export const LAST = FORK + 1;

const FORWARD_WORDS = {
  conv1: "The first convolution: 3×3, padded by 1, so the size stays the same.",
  bn1: "Batch norm: the channel's 16 numbers are normalised to mean 0 and variance 1, then scaled and shifted.",
  relu1: "ReLU: negative numbers become 0.",
  conv2: "The second convolution.",
  bn2: "Batch norm again. Its output is the residual branch F(x).",
  add: "The addition: F(x) + x. The shortcut passes x on unchanged.",
  relu2: "The last ReLU. Its output is the block's output y.",
};
const BACKWARD_WORDS = {
  relu2: "ReLU passes the gradient where its output was positive, and stops it elsewhere.",
  add: "The addition passes the same gradient to both of its inputs, unchanged: to the branch and to the shortcut.",
  bn2: "Batch norm: the gradient flows through the numbers themselves, their mean and their variance.",
  conv2: "The second convolution: a gradient for its weights, and one for its input.",
  relu1: "ReLU passes the gradient where its output was positive.",
  bn1: "Batch norm once more.",
  conv1: "The first convolution. It passes back the branch's gradient with respect to x: one part of grad_x.",
};
/** Where a mistake contradicts these words: the start of the layers' names, or "fork". */
const PLANTED_AT = {
  "block-forgets-shortcut": "fork",
  "add-halves-gradient": "add",
  "relu-passes-everything": "relu",
  "conv-kernel-not-flipped": "conv",
  "batchnorm-mean-constant": "bn",
};

/** What is to be added to the words on a layer, or on the fork, when a mistake is planted there. */
const butFor = (place, mistake, data) =>
  mistake && place.startsWith(PLANTED_AT[mistake]) ? ` But with the mistake, ${data.mistakes[mistake]}.` : "";

/** The gradient with respect to a value: what the layer after it passes back. */
export function gradientOf(data, back, value) {
  const next = VALUES[VALUES.indexOf(value) + 1];
  return next ? back.gradients[next] : data.grad_y;
}

/** A value of the forward pass. */
export const valueOf = (data, name) => (name === "x" ? data.x : data.forward[name]);
const before = (layer) => VALUES[VALUES.indexOf(layer) - 1];
const square = (name, caption, values, colour) =>
  panel(name, caption, grid({ values, label: caption, width: 42, height: 28, lit: () => colour }));

/** The parameters of a layer, or their gradients, as panels. */
function parametersOf(layer, source, prefix) {
  return Object.entries(source)
    .filter(([name]) => name.startsWith(`${layer}.`))
    .map(([name, numbers]) => {
      const columns = numbers.length === 9 ? 3 : 1;
      return panel(
        prefix + name,
        prefix + name,
        grid({ values: inRows(numbers, columns), label: prefix + name, width: 46, height: 28 }),
      );
    });
}

/**
 * What a step is about: what it says, what it lights up in the drawing, and its panels.
 * @param {number} step
 * @param {Object} data the recording
 * @param {string} mistake the name of the one that is planted, or ""
 */
export function sceneOf(step, data, mistake) {
  const back = data.backward[mistake];
  if (step === 0) {
    return {
      text:
        "The block's input x: one image of 4×4 pixels with one channel. It goes two ways: into the branch, and " +
        "over the shortcut.",
      lit: ["x:value", "fork"],
      panels: [square("x", "x", data.x, FORWARD)],
    };
  }
  if (step < FIRST_BACK) {
    const layer = LAYERS[step - 1];
    const source = before(layer);
    const inputs = [square("in", `in: ${source}`, valueOf(data, source))];
    if (layer === "add") inputs.push(square("shortcut", "in: shortcut, x", data.x));
    return {
      text: FORWARD_WORDS[layer],
      lit: [layer, `${layer}:value`, ...(layer === "add" ? ["shortcut"] : [])],
      panels: [
        ...inputs,
        ...parametersOf(layer, data.parameters, ""),
        square("out", `out: ${layer}`, valueOf(data, layer), FORWARD),
      ],
    };
  }
  if (step === FIRST_BACK) {
    return {
      text: "Backward: grad_y, the gradient of the loss with respect to the block's output.",
      lit: ["relu2:gradient"],
      panels: [square("grad_y", "grad_y", data.grad_y, BACKWARD)],
    };
  }
  if (step < FORK) {
    const layer = BACK[step - FIRST_BACK - 1];
    const out = gradientOf(data, back, before(layer));
    const inside = [square("in", "gradient in", gradientOf(data, back, layer))];
    if (layer.startsWith("relu")) inside.push(square("kept", `kept by ${layer}: its output`, valueOf(data, layer)));
    const outside =
      layer === "add"
        ? [
            square("out", "out: to the branch", out, BACKWARD),
            square("out2", "out: to the shortcut", back.at_add, BACKWARD),
          ]
        : [square("out", layer === "conv1" ? "out: the branch's part of grad_x" : "gradient out", out, BACKWARD)];
    const lit = [
      layer,
      ...(layer === "conv1" ? [] : [`${before(layer)}:gradient`]),
      ...(layer === "add" ? ["shortcut"] : []),
    ];
    return {
      text: BACKWARD_WORDS[layer] + butFor(layer, mistake, data),
      lit,
      panels: [...inside, ...parametersOf(layer, back.parameters, "grad of "), ...outside],
    };
  }
  if (step === FORK) {
    const parts = [back.gradients.conv1[0][1], back.shortcut[0][1]];
    return {
      text:
        "The fork: x was used twice, so its two gradients add up. grad_x is the branch's part plus the shortcut's. " +
        `For pixel [0, 1]: ${writeSum(parts)} = ${write(back.grad_x[0][1])}.` +
        butFor("fork", mistake, data),
      lit: ["x:gradient", "fork", "shortcut"],
      panels: [
        square("branch", "from the branch", back.gradients.conv1),
        square("shortcut", "from the shortcut", back.shortcut),
        square("grad_x", "grad_x", back.grad_x, BACKWARD),
      ],
    };
  }
  return {
    text: summary(back.check),
    lit: ["x:gradient"],
    panels: [square("grad_x", "grad_x", back.grad_x, BACKWARD)],
  };
}
