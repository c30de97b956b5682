/** What the page on im2col says and writes out about a window. */

import { factor, html, write, writeSum } from "./svg.js";
import { outputSize } from "./windows.js";

/** y as the sum of products, written out. */
export function productAndSum(row, weight, y) {
  const products = row.map((value, k) => value * weight[k]);
  const terms = row.map((value, k) => `${write(value)}·${factor(weight[k])}`).join(" + ");
  return [html("p", {}, `y = ${terms}`), html("p", {}, `= ${writeSum(products)}`), html("p", {}, `= ${write(y)}`)];
}

/** What one number of grad_y gives: a row of grad_columns, and a part of grad_weight. */
export function outerProducts(step, numbers, weights) {
  const g = numbers.gradY[step];
  const list = (values) => `[${values.map((value) => write(value)).join(", ")}]`;
  return [
    html(
      "p",
      {},
      `row of grad_columns = grad_y · weights = ${factor(g)} · ${list(numbers.weight)} = ` +
        list(numbers.gradColumns[step]),
    ),
    html(
      "p",
      {},
      `grad_weight += grad_y · row of columns = ${factor(g)} · ${list(numbers.columns[step])} = ` +
        list(numbers.columns[step].map((value) => g * value)),
    ),
    html("p", {}, `grad_weight = ${list(weights)}`),
  ];
}

/** What the drawing shows, in words. */
export function describe(step, numbers, geometry, backward) {
  const across = outputSize(geometry);
  const { kernel, stride } = geometry;
  const row = Math.floor(step / across);
  const column = step % across;
  const top = row * stride;
  const left = column * stride;
  const range = (first) => (kernel === 1 ? `${first}` : `${first} to ${first + kernel - 1}`);
  const where = `rows ${range(top)} and columns ${range(left)} of the padded image`;
  if (!backward) {
    return (
      `The window covers ${where}. Its numbers are row ${step} of the matrix. ` +
      `Multiplied by the weights and summed, they give y[${row}, ${column}] = ${write(numbers.y[step])}.`
    );
  }
  return (
    `grad_y[${row}, ${column}] = ${write(numbers.gradY[step])}. Multiplied by the weights, it gives row ${step} of ` +
    `grad_columns, which col2im adds to ${where}. Its product with row ${step} of the columns is added to grad_weight.`
  );
}
