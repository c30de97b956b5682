/** The network explorer: choose a network, go through its layers, and see what each one costs. */

import { COLOURS, html, scrolled, svg } from "./svg.js";
import { choice, mount, spoken, stepper } from "./controls.js";
import { layersOf, totalsOf } from "./network.js";
import { drawNetwork, legend } from "./network_drawing.js";
import { load, tableOf } from "./recorded.js";

const networks = await load("networks");
let name = "resnet20";
let all = [];
let rows = [];
let drawing = null;
let folded = true;

const words = spoken();
const facts = html("div", { class: "facts" });
const tables = html("div", { class: "facts" });
const totals = html("p", { class: "totals" });
const canvas = html("div", {
  class: "canvas",
  tabindex: 0,
  role: "group",
  "aria-label": "Drawing of the network; the left and right arrow keys go from layer to layer",
  onkeydown: keys,
});
const steps = stepper("Layer", show);

/** 1234567 as 1,234,567. */
const whole = (value) => value.toLocaleString("en-US");

/** A number of operations or bytes with three digits, as 41.2 million. */
function brief(value, unit = "") {
  const [scale, word] = value >= 1e9 ? [1e9, "billion"] : value >= 1e6 ? [1e6, "million"] : [1, ""];
  return scale === 1 ? `${whole(value)}${unit}` : `${(value / scale).toPrecision(3)} ${word}${unit}`;
}

function bytes(value) {
  if (value === 0) return "nothing of its own";
  return value >= 1e6 ? `${(value / 1e6).toPrecision(3)} MB` : `${(value / 1e3).toPrecision(3)} kB`;
}

function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
  const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (move === undefined) return;
  event.preventDefault();
  steps.go(steps.step + move);
}

/** The layers to draw: all, or only the first of identical neighbouring blocks, which then says how many there are. */
function visible() {
  return all.filter((row) => !folded || !row.repeated).map((row) => ({ ...row, shown: folded ? row.times : 1 }));
}

function show(index) {
  const row = rows[index];
  const network = networks[name];
  const sums = totalsOf(all);
  drawing.light(index);
  keepInSight(drawing.marks[index]);
  const share = (value, total) => (value ? ` (${((100 * value) / total).toPrecision(2)} % of the network's)` : "");
  const shape = row.shape.join(" × ");
  words.textContent =
    `${row.name}, ${row.title}: output ${shape}, ${whole(row.parameters)} parameters, ` +
    `${brief(row.multiplyAdds)} multiply-adds.` +
    (row.shown > 1 ? ` Drawn once for ${row.shown} identical blocks, ${row.block} to ${lastOf(row)}.` : "");
  const list = [
    ["Kind", row.title],
    ["Output", `${shape} ${row.shape.length === 3 ? "(height × width × channels)" : "(channels)"}`],
    ["Parameters", whole(row.parameters) + share(row.parameters, sums.parameters)],
    ["Multiply-adds", whole(row.multiplyAdds) + share(row.multiplyAdds, sums.multiply_adds)],
    ["Kept for backward", `${bytes(row.memory)}${share(row.memory, sums.memory)}`],
    ["Receptive field", fieldOf(row, network)],
  ];
  facts.replaceChildren(
    html("dl", {}, ...list.flatMap(([term, text]) => [html("dt", {}, term), html("dd", {}, text)])),
    seen(row, network.image_size),
  );
}

/** The total cost of the layers that share a value of `property`: a row for each value. */
function costsBy(property, head) {
  const groups = new Map();
  for (const row of all) groups.set(row[property], [...(groups.get(row[property]) ?? []), row]);
  const cells = [...groups].map(([group, members]) => {
    const { multiply_adds: products, memory, parameters } = totalsOf(members);
    const costs = [brief(products), memory ? bytes(memory) : "0", brief(parameters)];
    return html("tr", {}, html("th", { scope: "row" }, group), ...costs.map((cost) => html("td", {}, cost)));
  });
  return scrolled(
    `Costs by ${head}`,
    tableOf("costs", [head, "multiply-adds", "kept for backward", "parameters"], cells),
  );
}

/** Scrolls the drawing, and nothing else, just far enough to show the selected layer. */
function keepInSight(mark) {
  const box = mark.getBoundingClientRect();
  const frame = canvas.getBoundingClientRect();
  const margin = 40;
  if (box.right > frame.right - margin) canvas.scrollLeft += box.right - frame.right + margin;
  if (box.left < frame.left + margin) canvas.scrollLeft -= frame.left + margin - box.left;
}

function lastOf(row) {
  const [stage, first] = row.block.split(".");
  return `${stage}.${Number(first) + row.times - 1}`;
}

function fieldOf(row, network) {
  if (row.field === null) return "that of the block's input";
  if (row.field === Infinity) return "the whole image";
  const larger = row.field > network.image_size ? ", more than the image" : "";
  const first = row.shown > 1 ? " in the first of these blocks" : "";
  return `${row.field} × ${row.field} pixels${larger}${first}; the fields of neighbouring outputs are ${row.jump} ${row.jump === 1 ? "pixel" : "pixels"} apart`;
}

/** The image as a square, and in it, to the same scale, the part that one number in the middle depends on. */
function seen(row, size) {
  const side = 110;
  const field = row.field === null ? 0 : (Math.min(row.field, size) / size) * side;
  const label =
    row.field === null
      ? ""
      : field >= side
        ? "The receptive field covers the image"
        : `The receptive field covers ${row.field} of the image's ${size} rows`;
  return html(
    "figure",
    { class: "panel seen", hidden: row.field === null },
    svg(
      "svg",
      { viewBox: "-2 -2 114 114", width: 114, height: 114, role: "img", "aria-label": label },
      svg("rect", { width: side, height: side, class: "block" }),
      svg("rect", {
        x: (side - field) / 2,
        y: (side - field) / 2,
        width: field,
        height: field,
        stroke: COLOURS.blue,
        "stroke-width": 2,
        fill: COLOURS.sky,
        "fill-opacity": 0.4,
      }),
    ),
    html("figcaption", {}, `in an image of ${size} × ${size}`),
  );
}

function restart() {
  const network = networks[name];
  all = layersOf(network);
  rows = visible();
  drawing = drawNetwork(rows, network, (index) => (index === steps.step ? steps.stop() : steps.go(index)));
  canvas.replaceChildren(drawing.element);
  const sums = totalsOf(all);
  totals.replaceChildren(
    html("b", {}, name),
    `: ${network.depth} layers with weights on the main path; ` +
      `${whole(sums.parameters)} parameters for ${whole(network.classes)} classes. For one image of ` +
      `${network.image_size} × ${network.image_size}: ${brief(sums.multiply_adds)} multiply-adds, and ` +
      `${bytes(sums.memory)} kept for backward.`,
  );
  tables.replaceChildren(costsBy("stage", "stage"), costsBy("kernelKind", "kind of layer"));
  steps.restart(rows.length);
}

const fold = html("input", {
  type: "checkbox",
  checked: folded,
  onchange: () => {
    folded = fold.checked;
    restart();
  },
});
mount(
  html(
    "div",
    { class: "controls" },
    choice("Network", Object.keys(networks), name, (value) => {
      name = value;
      restart();
    }),
    html("label", { class: "check" }, fold, " draw identical consecutive blocks only once"),
  ),
  totals,
  steps.element,
  words,
  canvas,
  legend(),
  facts,
  html("h2", {}, "Where the costs are"),
  tables,
);
restart();

// for the tests, which compare with the library
window.explore = { networks, layersOf, totalsOf, steps, rows: () => rows };
