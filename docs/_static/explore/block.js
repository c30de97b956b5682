/** The page on the residual block: a block of one channel, forward and backward, with mistakes to plant. */

import { html, scrolled } from "./svg.js";
import { choice, colourKey, mount, spoken, stepper } from "./controls.js";
import { checkTable, errorNote, load, summary, tableOf, writeError } from "./recorded.js";
import { VALUES, drawBlock } from "./block_graph.js";
import { FIRST_BACK, FORK, LAST, LAYERS, gradientOf, sceneOf, valueOf } from "./block_scenes.js";

const data = await load("block");
let mistake = "";
const words = spoken();
const graph = html("div", { class: "graph" });
const panels = html("div", { class: "stack wide" });
const verdict = html("p", { "aria-live": "polite" });
const tensors = scrolled("Gradient check");
const every = scrolled("Gradient check, every number");
const steps = stepper("Step", show);

function show(step) {
  const back = data.backward[mistake];
  const scene = sceneOf(step, data, mistake);
  const backward = step >= FIRST_BACK;
  const activations = Object.fromEntries(
    VALUES.slice(0, Math.min(step, LAYERS.length) + 1).map((name) => [name, valueOf(data, name)]),
  );
  const came = backward ? VALUES.slice(Math.max(1, VALUES.length - 1 - (step - FIRST_BACK))) : [];
  const gradients = Object.fromEntries(came.map((name) => [name, gradientOf(data, back, name)]));
  if (step >= FORK) gradients.x = back.grad_x;
  const shortcut = step >= FORK ? back.shortcut : step >= FIRST_BACK + 2 ? back.at_add : null;
  const wrong = new Set(
    back.check.filter((tensor) => tensor.verdict.includes("differs")).map(({ name }) => name.split(".")[0]),
  );
  words.textContent = scene.text;
  graph.replaceChildren(
    drawBlock({
      activations,
      gradients,
      shortcut,
      lit: scene.lit,
      backward,
      wrong,
      label: `The block from x at the top to y at the bottom; this step: ${scene.text}`,
    }),
  );
  panels.replaceChildren(...scene.panels);
  const found = summary(back.check);
  if (verdict.textContent !== found) verdict.textContent = found; // read out only when it changes
  tensors.replaceChildren(tensorTable(back.check));
  tensors.classList.toggle("lit", step === LAST);
  every.replaceChildren(checkTable(back.check));
}

/** A row for each tensor: how many of its numbers differ, and by how much at most. */
function tensorTable(check) {
  const rows = check.map(({ name, verdict: verdicts, error }) => {
    const differ = verdicts.filter((one) => one === "differs").length;
    return html(
      "tr",
      { class: `verdict ${differ ? "differs" : "agrees"}` },
      html("th", { scope: "row" }, name),
      html("td", {}, String(verdicts.length)),
      html("td", {}, writeError(Math.max(...error))),
      html("td", {}, differ ? `✗ ${differ} differ` : "✓ agrees"),
    );
  });
  return tableOf("check-table", ["gradient w.r.t.", "numbers", "largest rel. error", ""], rows);
}

mount(
  html(
    "div",
    { class: "controls" },
    choice("Mistake in backward", Object.entries(data.mistakes), mistake, (value) => {
      mistake = value;
      steps.go(steps.step);
    }),
  ),
  colourKey("array"),
  steps.element,
  words,
  html("div", { class: "beside" }, graph, panels),
  html("h2", {}, "Gradient check"),
  verdict,
  tensors,
  errorNote(),
  html("details", {}, html("summary", {}, "Every number"), every),
);
steps.restart(LAST + 1);

window.explore = { data, steps, fork: FORK };
