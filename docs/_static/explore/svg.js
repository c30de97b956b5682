/** What all interactive pages share: making elements, writing numbers, colouring values, drawing grids of numbers. */

const NAMESPACE = "http://www.w3.org/2000/svg";

/** The colours of resnet_scratch/figures/style.py, which colour-blind readers can tell apart. */
export const COLOURS = {
  blue: "#0072b2",
  orange: "#d55e00",
  green: "#009e73",
  purple: "#cc79a7",
  sky: "#56b4e9",
  yellow: "#e69f00",
  grey: "#999999",
};
export const FORWARD = COLOURS.blue;
export const BACKWARD = COLOURS.orange;
export const SHORTCUT = COLOURS.green;

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/**
 * An SVG element.
 * @param {string} name such as "rect"
 * @param {Object} attributes `onclick` and the like are listeners; false, null and undefined leave an attribute out
 * @param {...(Node|string)} children
 */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS(NAMESPACE, name), attributes, children);
}

/** An HTML element; arguments as for `svg`. */
export function html(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** A number as people write it: a real minus sign, `digits` decimals at most where it is not whole, no "-0". */
export function write(value, digits = 2) {
  const text = Number.isInteger(value) ? String(value) : value.toFixed(digits);
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

/** A factor in a written product: negative numbers get brackets. */
export function factor(value, digits = 2) {
  const text = write(value, digits);
  return text.startsWith("−") ? `(${text})` : text;
}

/** Numbers added up, as text: 2 − 1 + 4. */
export function writeSum(values, digits = 2) {
  return values
    .map((value, k) => {
      const text = write(value, digits);
      if (k === 0) return text;
      return text.startsWith("−") ? ` − ${text.slice(1)}` : ` + ${text}`;
    })
    .join("");
}

/**
 * The colour of a cell: blue for positive numbers, pink for negative ones, stronger the further from zero. The style
 * sheet says how strong (--tint, of which there are up to 60), so that numbers can be read in light and dark.
 */
export function tint(value, largest) {
  if (!value || largest < 1e-12) return "transparent"; // below it is rounding
  const strength = Math.round(10 + 50 * Math.min(1, Math.abs(value) / largest));
  const colour = value > 0 ? COLOURS.sky : COLOURS.purple;
  return `color-mix(in srgb, ${colour} calc(${strength} * var(--tint)), transparent)`;
}

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const mean = (values) => sum(values) / values.length;

/** The largest absolute value of numbers, however deeply nested. */
export function largestOf(values) {
  return values.flat(Infinity).reduce((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
}

/**
 * A table of numbers as a drawing.
 * @param {Object} options
 * @param {(number|null)[][]} options.values by row; null leaves a cell empty
 * @param {string} options.label what a screen reader says in place of the drawing, before the numbers if they are few
 * @param {number} [options.width=28] of a cell
 * @param {number} [options.height=28] of a cell; numbers are left out where they would not fit
 * @param {number} [options.largest] the number with the strongest colour; by default the largest there is
 * @param {number} [options.digits=2]
 * @param {(row: number, column: number) => (string|boolean|null)} [options.lit] the colour of a frame around the cell
 * @param {(row: number, column: number) => boolean} [options.faint] a cell outside of the image
 * @param {(row: number, column: number) => void} [options.onpick] called when a cell is clicked
 */
export function grid(options) {
  const { values, label, width = 28, height = 28, digits = 2, lit = () => null, faint = () => false } = options;
  const largest = options.largest ?? largestOf(values);
  const rows = values.length;
  const columns = values[0].length;
  const margin = 2;
  const cells = svg("g");
  const frames = svg("g", { fill: "none", "stroke-width": Math.min(3, Math.max(1.5, height / 6)) });
  values.forEach((line, row) =>
    line.forEach((value, column) => {
      const x = margin + column * width;
      const y = margin + row * height;
      const outside = faint(row, column);
      const colour = lit(row, column);
      cells.append(
        svg("rect", {
          x,
          y,
          width,
          height,
          style: `fill:${tint(value, largest)}`,
          class: outside ? "cell outside" : "cell",
          "stroke-width": height < 10 ? 0.3 : 1,
          onclick: options.onpick ? () => options.onpick(row, column) : null,
        }),
      );
      if (value !== null && height >= 15) {
        cells.append(
          svg(
            "text",
            {
              x: x + width / 2,
              y: y + height / 2,
              class: outside ? "number outside" : "number",
              "font-size": Math.min(14, height * 0.6),
            },
            write(value, digits),
          ),
        );
      }
      if (colour) frames.append(svg("rect", { x, y, width, height, stroke: colour }));
    }),
  );
  const said = (value) => (value === null ? "empty" : write(value, digits));
  const few = rows * columns <= 150; // more numbers than that are too many to read out
  const w = columns * width + 2 * margin;
  const h = rows * height + 2 * margin;
  return svg(
    "svg",
    {
      viewBox: `0 0 ${w} ${h}`,
      width: w,
      height: h,
      role: "img",
      "aria-label": few ? `${label}: ${values.map((line) => line.map(said).join(", ")).join("; ")}` : label,
      class: options.onpick ? "grid pickable" : "grid",
    },
    cells,
    frames,
  );
}

/** A part of the page that may be wider than a phone, and is then scrolled, also with the keyboard. */
export function scrolled(label, ...children) {
  return html("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, ...children);
}

/** A drawing with its caption, and a name by which tests find it. */
export function panel(name, caption, ...drawings) {
  return html("figure", { class: "panel", "data-name": name }, html("figcaption", {}, caption), ...drawings);
}

/** Numbers in a row of `columns` each: [1, 2, 3, 4] and 2 becomes [[1, 2], [3, 4]]. */
export function inRows(numbers, columns) {
  return Array.from({ length: numbers.length / columns }, (_, row) =>
    numbers.slice(row * columns, (row + 1) * columns),
  );
}
