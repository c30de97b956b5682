/** What the pages that replay the library's arrays share: loading the arrays, and showing the gradient check. */

import { html, write } from "./svg.js";

/** The recording that docs/recordings/NAME.py made. When there is none, the page says so and ends here. */
export async function load(name) {
  try {
    const response = await fetch(new URL(`${name}.json`, import.meta.url));
    if (!response.ok) throw new Error(response.status);
    return await response.json();
  } catch (error) {
    const text = `The data could not be loaded (${error.message}). Reload the page.`;
    document.getElementById("explore").replaceChildren(html("p", { role: "alert" }, text));
    throw error;
  }
}

const VERDICTS = { agrees: "✓ agrees", differs: "✗ differs", zero: "0 = 0, nothing compared" };

/** A relative error as people write it: 0.48, or 3e−11. */
export function writeError(error) {
  if (error >= 0.01) return error.toFixed(2);
  return error === 0 ? "0" : error.toExponential(0).replace("-", "−");
}

/** A table: the heads of its columns as text, its rows as elements. */
export function tableOf(className, head, rows) {
  // a column without a name has an ordinary cell: a screen reader would announce an empty header
  const heads = head.map((text) => (text ? html("th", { scope: "col" }, text) : html("td", {})));
  return html("table", { class: className }, html("thead", {}, html("tr", {}, ...heads)), html("tbody", {}, ...rows));
}

/** The indices of a tensor's elements, as text: (0, 1). */
function indices(shape) {
  const short = shape.filter((size) => size > 1);
  return Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, k) => {
    let rest = k;
    const index = short.map((_, axis) => {
      const stride = short.slice(axis + 1).reduce((a, b) => a * b, 1);
      const here = Math.floor(rest / stride);
      rest %= stride;
      return here;
    });
    return index.length ? `[${index.join(", ")}]` : "";
  });
}

/** How many elements of a check agree, in one sentence. */
export function summary(check) {
  const verdicts = check.flatMap((tensor) => tensor.verdict);
  const count = (verdict) => verdicts.filter((v) => v === verdict).length;
  const wrong = count("differs");
  const zero = count("zero");
  const all = verdicts.length;
  const are = zero === 1 ? "is" : "are";
  const nothing = zero ? ` ${zero} ${are} zero in both gradients, so nothing was compared there.` : "";
  if (wrong) return `The gradient check fails: ${wrong} of ${all} numbers differ.${nothing}`;
  return `The gradient check compares ${all - zero} of ${all} numbers and finds no difference.${nothing}`;
}

/** What the column with the relative errors holds, as gradcheck defines it. */
export function errorNote() {
  return html(
    "p",
    {},
    "The relative error is |backward − numerical|, divided by the largest of |backward|, |numerical| and the root " +
      "mean square of the tensor's gradient. The two agree when this error is at most 10⁻⁶.",
  );
}

/** The gradients side by side, a row for each element; rows that differ are marked by a sign and by colour. */
export function checkTable(check) {
  const rows = check.flatMap((tensor) =>
    indices(tensor.shape).map((index, k) =>
      html(
        "tr",
        { class: `verdict ${tensor.verdict[k]}` },
        html("th", { scope: "row" }, tensor.name + index),
        html("td", {}, write(tensor.backward[k], 4)),
        html("td", {}, write(tensor.numerical[k], 4)),
        html("td", {}, tensor.verdict[k] === "zero" ? "–" : writeError(tensor.error[k])),
        html("td", {}, VERDICTS[tensor.verdict[k]]),
      ),
    ),
  );
  return tableOf("check-table", ["gradient w.r.t.", "backward", "numerical", "rel. error", ""], rows);
}
