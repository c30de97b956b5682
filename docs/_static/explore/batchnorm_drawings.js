/** The drawings of the page on batch norm: the table of its numbers, dots on a line, bars. */

import { COLOURS, FORWARD, html, largestOf, mean, svg, tint, write } from "./svg.js";
import { tableOf } from "./recorded.js";

/**
 * The table; rows of later steps are empty, and what the step computes has a frame.
 * @param {Object[]} rows {name, values, from, over, overFrom}: what is shown from which step on
 * @param {number} step
 * @param {string[]} columns their heads
 */
export function numbers(rows, step, columns) {
  const head = ["", ...columns, "over the batch"];
  const body = rows.map((row) => {
    const largest = largestOf(row.values);
    const done = row.from <= step;
    const cells = row.values.map((value) =>
      html(
        "td",
        {
          class: row.from === step ? "lit" : "",
          style: done ? `background:${tint(value, largest)}` : "",
        },
        done ? write(value) : "",
      ),
    );
    const over = html(
      "td",
      { class: row.over && row.overFrom === step ? "over lit" : "over" },
      row.over && row.overFrom <= step ? row.over : "",
    );
    return html(
      "tr",
      { class: step >= 7 ? "backward" : "forward" },
      html("th", { scope: "row" }, row.name),
      ...cells,
      over,
    );
  });
  return tableOf("numbers", head, body);
}

const LOW = -3.5;
const HIGH = 7;
const WIDTH = 440;
const at = (value) => 10 + ((value - LOW) / (HIGH - LOW)) * (WIDTH - 20);

/** The numbers as dots on a line, each at a height of its own, with their mean and a band of one standard deviation. */
export function dots(row, step) {
  const n = row.values.length;
  const height = 16 * n + 40;
  const middle = mean(row.values);
  const spread = Math.sqrt(mean(row.values.map((v) => (v - middle) ** 2)));
  const label = `The numbers of ${row.name} on a line: mean ${write(middle)}, standard deviation ${write(spread)}`;
  const band = step >= 3;
  const line = step >= 1;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": label },
    band
      ? svg("rect", {
          x: at(middle - spread),
          y: 0,
          width: at(middle + spread) - at(middle - spread),
          height: height - 38,
          class: "axis",
          style: `fill:${COLOURS.yellow}33`,
        })
      : null,
    line ? svg("path", { d: `M${at(middle)} 0V${height - 38}`, class: "axis", "stroke-width": 2 }) : null,
    ...row.values.flatMap((value, k) => [
      svg("circle", { cx: at(value), cy: 9 + 16 * k, r: 6, fill: FORWARD }),
      svg("path", { d: `M${at(LOW)} ${9 + 16 * k}H${at(HIGH)}`, class: "axis", "stroke-dasharray": "1 5" }),
    ]),
    ...[-3, -2, -1, 0, 1, 2, 3, 4, 5, 6].map((tick) =>
      svg(
        "text",
        {
          x: at(tick),
          y: height - 24,
          "text-anchor": "middle",
          "font-size": 13,
        },
        write(tick),
      ),
    ),
    svg(
      "text",
      { x: WIDTH, y: height - 4, "text-anchor": "end", "font-size": 13 },
      `${row.name}${line ? "; line: mean" : ""}${band ? "; band: one standard deviation" : ""}`,
    ),
  );
}

/** The numbers as bars, up for positive ones; `largest` has the longest. */
export function bars(row, colour, largest) {
  const n = row.values.length;
  const height = 165;
  const middle = 72;
  const unit = 52 / largest;
  const label = `The numbers of ${row.name} as bars: ${row.values.map((value) => write(value)).join(", ")}`;
  return svg(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": label },
    svg("path", { d: `M0 ${middle}H${WIDTH}`, class: "axis" }),
    ...row.values.flatMap((value, k) => {
      const size = Math.abs(value) * unit;
      const x = ((k + 0.5) * WIDTH) / n;
      return [
        svg("rect", { x: x - 15, y: value > 0 ? middle - size : middle, width: 30, height: size, fill: colour }),
        svg(
          "text",
          { x, y: value < 0 ? middle + size + 14 : middle - size - 5, "font-size": 13, "text-anchor": "middle" },
          write(value),
        ),
      ];
    }),
    svg("text", { x: WIDTH, y: height - 4, "text-anchor": "end", "font-size": 13 }, row.name),
  );
}
