/** The drawing of a network, to scale, and its legend. */

import { COLOURS, SHORTCUT, html, svg } from "./svg.js";

const WIDE = {
  Conv2d: COLOURS.blue,
  MaxPool2d: COLOURS.yellow,
  GlobalAvgPool2d: COLOURS.yellow,
  Linear: COLOURS.purple,
};
const THIN = { BatchNorm2d: COLOURS.grey, ReLU: COLOURS.orange };
const TALL = 200;
const WIDEST = 44;
const STRIP = 3;
const GAP = 3;
const TOP = 46; // pixels of the drawing

/**
 * The network from left to right. A box is as high as its output's image and as wide as its channels; batch norm and
 * ReLU are strips, an addition is a circle with a plus, a shortcut is an arc over its block.
 * @param {Object[]} rows the layers to draw
 * @param {Object} network
 * @param {(index: number) => void} pick called with a row's index when the pointer comes to it, or clicks
 * @returns {{element: SVGElement, light: (index: number) => void, marks: SVGElement[]}} `light` selects a
 *   layer; `marks` are what is drawn for each
 */
export function drawNetwork(rows, network, pick) {
  const heightOf = (row) => (row.shape.length === 3 ? row.shape[0] : 1);
  const highest = Math.max(...rows.map(heightOf));
  const channels = Math.max(...rows.map((row) => row.shape.at(-1)));
  const middle = TOP + TALL / 2;
  const bottom = TOP + TALL;
  const back = svg("g");
  const arcs = svg("g", { fill: "none", stroke: SHORTCUT, "stroke-width": 1.5 });
  const front = svg("g");
  const marks = [];
  const blocks = new Map();
  let left = 8;
  rows.forEach((row, index) => {
    const height = Math.max(4, (heightOf(row) / highest) * TALL);
    if (!blocks.has(row.block)) {
      if (row.name !== row.block) left += 8; // room for the shortcut's fork
      blocks.set(row.block, { left, top: middle, rows: [] });
    }
    const block = blocks.get(row.block);
    block.rows.push(row);
    const mark = svg("g", {
      class: "layer",
      onclick: () => pick(index),
      // not pointerenter: a drawing that scrolls under a resting pointer must not change the selection
      onpointermove: (event) => {
        if (event.movementX || event.movementY) pick(index);
      },
    });
    if (row.aside) {
      // on the arc; its position is known only when the block has ended
      block.asides = [...(block.asides ?? []), mark];
      mark.append(svg("rect", { width: 9, height: 9, fill: WIDE[row.kind] ?? THIN[row.kind] ?? SHORTCUT }));
    } else if (row.kind === "Add") {
      mark.append(
        svg("circle", { cx: left + 8, cy: middle, r: 8, class: "add" }),
        svg("path", { d: `M${left + 3} ${middle}h10M${left + 8} ${middle - 5}v10`, class: "plus" }),
      );
      block.end = left + 8;
      left += 16 + GAP;
    } else {
      const width = row.kind in WIDE ? Math.max(1.5, (row.shape.at(-1) / channels) * WIDEST) : STRIP;
      mark.append(
        svg("rect", { x: left - 1, y: TOP, width: width + 2, height: TALL, fill: "transparent" }), // easier to hit
        svg("rect", { x: left, y: middle - height / 2, width, height, fill: WIDE[row.kind] ?? THIN[row.kind] }),
      );
      block.top = Math.min(block.top, middle - height / 2);
      left += width + GAP;
    }
    marks.push(mark);
    front.append(mark);
    if (rows[index + 1]?.block !== row.block) {
      finish(block, left, row, { arcs, back, middle, bottom, network });
      left += 6;
    }
  });
  const element = svg(
    "svg",
    {
      viewBox: `0 0 ${left} ${bottom + 44}`,
      width: left,
      height: bottom + 44,
      role: "img",
      "aria-label": `Drawing of the network: ${rows.length} boxes, strips and symbols; the line above says which one is selected`,
    },
    back,
    arcs,
    front,
  );
  const light = (index) => marks.forEach((mark, k) => mark.classList.toggle("lit", k === index));
  return { element, light, marks };
}

/** What a block has around its layers: a background, its shortcut, its name, and how often it repeats. */
function finish(block, left, row, { arcs, back, middle, bottom, network }) {
  if (row.name === row.block) return; // a layer outside of the blocks
  const start = block.left - 4;
  back.append(
    svg("rect", { x: start - 4, y: TOP - 34, width: left - start + 6, height: TALL + 44, rx: 5, class: "block" }),
  );
  if (network.block !== "plain") {
    const end = block.end;
    const over = block.top - 16;
    const changes = Boolean(block.asides);
    const path = `M${start} ${middle}V${over + 6}q0 -6 6 -6H${end - 6}q6 0 6 6V${middle - 9}`;
    arcs.append(
      svg("path", { d: path, "stroke-dasharray": changes ? "5 3" : null }),
      svg("path", { d: `M${end - 4} ${middle - 15}L${end} ${middle - 9}L${end + 4} ${middle - 15}` }),
      svg("circle", { cx: start, cy: middle, r: 2, fill: SHORTCUT }),
    );
    (block.asides ?? []).forEach((mark, k) => {
      mark.setAttribute("transform", `translate(${(start + end) / 2 - 10 + 12 * k} ${over - 4})`);
    });
  }
  const times = block.rows[0].shown > 1 ? `× ${block.rows[0].shown}` : "";
  [row.block, times].forEach((text, line) =>
    back.append(
      svg(
        "text",
        {
          x: (start + left - GAP) / 2,
          y: bottom + 24 + 14 * line,
          "text-anchor": "middle",
          "font-size": 11,
        },
        text,
      ),
    ),
  );
}

/** What the colours and shapes mean. */
export function legend() {
  const item = (colour, text, narrow) =>
    html("span", { class: "key" }, html("i", { style: `background:${colour};width:${narrow ? 4 : 14}px` }), ` ${text}`);
  return html(
    "p",
    { class: "legend" },
    item(COLOURS.blue, "convolution"),
    item(COLOURS.grey, "batch norm", true),
    item(COLOURS.orange, "ReLU", true),
    item(COLOURS.yellow, "pooling"),
    item(COLOURS.purple, "linear"),
    html("span", { class: "key" }, "⊕ addition"),
    html(
      "span",
      { class: "key" },
      html("b", { style: `color:${SHORTCUT}` }, "⌒"),
      " shortcut (dashed: the shape changes)",
    ),
  );
}
