/** The numbers of the page on im2col: small and whole, so that sums can be checked by mental arithmetic. */

import { inRows } from "./svg.js";
import { convolve, gradColumns, im2col, outputSize } from "./windows.js";

/** Whole numbers from `low` to `high`: the same for the same seed, so that a drawing can be talked about. */
function draw(count, low, high, state) {
  return Array.from({ length: count }, () => {
    state.value = (Math.imul(state.value, 1664525) + 1013904223) >>> 0;
    return low + Math.floor((state.value / 2 ** 32) * (high - low + 1));
  });
}

/** All arrays of the page, for a geometry and a seed. */
export function compute(geometry, seed) {
  const { size, kernel } = geometry;
  const state = { value: seed * 7919 };
  const image = inRows(draw(size * size, 0, 5, state), size);
  const weight = draw(kernel * kernel, -2, 2, state);
  if (!weight.some(Boolean)) weight[0] = 1; // weights of zeros would show nothing
  const windows = outputSize(geometry) ** 2;
  const gradY = draw(windows, -2, 2, state);
  const columns = im2col(image, geometry);
  return {
    image,
    weight,
    gradY,
    columns,
    y: convolve(image, weight, geometry),
    gradColumns: gradColumns(gradY, weight),
  };
}
