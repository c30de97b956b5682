/** The page with the loss landscapes of two networks, which turn together. */

import { html, panel, write } from "./svg.js";
import { mount, spoken } from "./controls.js";
import { load } from "./recorded.js";
import { Surface, project } from "./surface.js";

const data = await load("landscape");
const networks = Object.values(data.networks);
const view = { turn: 30, elevation: 35 };
const words = spoken();
let together = true;

const range = (surface) => [Math.min(...surface.flat()), Math.max(...surface.flat())];
const surfaces = networks.map(({ name, surface, loss }) => {
  const [low, high] = range(surface);
  return new Surface(
    surface,
    data.guessing,
    `Loss landscape of the ${name}: ${write(loss)} at the trained weights, ${write(low)} to ${write(high)} overall`,
  );
});

const scales = networks.map(() => html("p", { class: "scale" }));

function slider(label, name, min, max) {
  const input = html("input", {
    type: "range",
    min,
    max,
    step: 1,
    value: view[name],
    oninput: () => {
      view[name] = Number(input.value);
      show();
    },
  });
  const output = html("span", { class: "value" }); // no live region: the line below says it
  return {
    name,
    input,
    output,
    min,
    max,
    element: html("label", { class: "slider" }, html("span", {}, label), input, output),
  };
}
const sliders = [slider("Turn", "turn", -180, 180), slider("Elevation", "elevation", 0, 90)];

/** The arrow keys turn by 5 degrees. */
function keys(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own
  const [turn, elevation] =
    { ArrowLeft: [-5, 0], ArrowRight: [5, 0], ArrowUp: [0, 5], ArrowDown: [0, -5] }[event.key] ?? [];
  if (turn === undefined) return;
  event.preventDefault();
  move(turn, elevation);
}

function move(turn, elevation) {
  view.turn = ((view.turn + turn + 540) % 360) - 180;
  view.elevation = Math.max(0, Math.min(90, view.elevation + elevation));
  show();
}

let from = null; // where the pointer was: not every browser knows how far it has moved

/** Dragging turns by half a degree for each pixel. */
function drag(event) {
  if (!event.buttons || !canvas.hasPointerCapture(event.pointerId)) return;
  const [x, y] = from;
  from = [event.clientX, event.clientY];
  move((event.clientX - x) / 2, (event.clientY - y) / 2);
}

const canvas = html(
  "div",
  {
    class: "panels turntable",
    tabindex: 0,
    role: "group",
    "aria-label": "Two loss landscapes; the arrow keys turn them",
    onkeydown: keys,
    onpointermove: drag,
    onpointerdown: (event) => {
      from = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    },
  },
  ...networks.map(({ name, layers, surface, loss }, k) => {
    const [low, high] = range(surface);
    return panel(
      Object.keys(data.networks)[k],
      `${name[0].toUpperCase()}${name.slice(1)}, ${layers} layers: loss ` +
        `${write(loss)} at the dot, ${write(low)} to ${write(high)} overall`,
      surfaces[k].element,
      scales[k],
    );
  }),
);

function show() {
  const ranges = networks.map(({ surface }) => range(surface));
  const shared = [Math.min(...ranges.map(([low]) => low)), Math.max(...ranges.map(([, high]) => high))];
  surfaces.forEach((surface, k) => {
    const [low, high] = together ? shared : ranges[k];
    surface.turn(view.turn, view.elevation, low, high);
    scales[k].replaceChildren(`loss ${write(low)}`, html("i"), write(high));
  });
  for (const { name, input, output } of sliders) {
    input.value = view[name];
    output.textContent = `${Math.round(view[name])}°`;
    input.setAttribute("aria-valuetext", output.textContent);
  }
  words.textContent =
    `Turned by ${write(Math.round(view.turn))}°, seen from ${Math.round(view.elevation)}° above the ` +
    `horizon${view.elevation === 90 ? ": a map" : ""}. ` +
    (together
      ? `Both height scales run from a loss of ${write(shared[0])} to ${write(shared[1])}.`
      : "Each landscape has a height scale of its own.");
}

const same = html("input", {
  type: "checkbox",
  checked: together,
  onchange: () => {
    together = same.checked;
    show();
  },
});
mount(
  html(
    "div",
    { class: "controls" },
    ...sliders.map(({ element }) => element),
    html("label", { class: "check" }, same, " the same height scale for both"),
  ),
  words,
  canvas,
  html(
    "p",
    {},
    `Each network was trained for ${data.steps} steps with batches of ${data.batch}, on ${data.images} of the ` +
      `built-in images at 16×16 pixels. The loss is measured on ${data.batch} of them. The thick line and the ` +
      `dashed frame mark ${write(data.guessing)}, the loss of guessing among ten classes. The numbers at the ` +
      "edges say how far the weights are moved: 1 is a step as long as the filter itself.",
  ),
);
show();

window.explore = { data, project, view };
