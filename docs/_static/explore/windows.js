/**
 * A convolution of one image with one channel, by windows: the same formulas as resnet_scratch/layers/windows.py and
 * conv.py. An image is an array of rows. A geometry is {size, kernel, stride, padding}, alike in height and width.
 */

/** How many windows fit in each direction; below 1 when the kernel does not fit. */
export function outputSize({ size, kernel, stride, padding }) {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1;
}

/** The pixels of a window of the padded image, as [row, column] pairs in reading order. */
export function windowPixels(step, geometry) {
  const across = outputSize(geometry);
  const { kernel, stride } = geometry;
  const top = Math.floor(step / across) * stride;
  const left = (step % across) * stride;
  return Array.from({ length: kernel * kernel }, (_, k) => [top + Math.floor(k / kernel), left + (k % kernel)]);
}

/** The image with `padding` rows and columns of zeros on every side. */
export function pad(image, padding) {
  const side = image.length + 2 * padding;
  const padded = Array.from({ length: side }, () => new Array(side).fill(0));
  image.forEach((line, row) =>
    line.forEach((value, column) => {
      padded[row + padding][column + padding] = value;
    }),
  );
  return padded;
}

/** The transpose of `pad`: the inside. */
export function crop(padded, padding) {
  const end = padded.length - padding;
  return padded.slice(padding, end).map((line) => line.slice(padding, end));
}

/** The windows of an image as the rows of a matrix. */
export function im2col(image, geometry) {
  const padded = pad(image, geometry.padding);
  const windows = outputSize(geometry) ** 2;
  return Array.from({ length: windows }, (_, step) => windowPixels(step, geometry).map(([r, c]) => padded[r][c]));
}

/** The transpose of `im2col`, before the padding is cropped: the first `count` rows, added up at their pixels. */
export function addUp(columns, geometry, count = columns.length) {
  const side = geometry.size + 2 * geometry.padding;
  const padded = Array.from({ length: side }, () => new Array(side).fill(0));
  for (let step = 0; step < count; step++) {
    windowPixels(step, geometry).forEach(([row, column], k) => {
      padded[row][column] += columns[step][k];
    });
  }
  return padded;
}

/** The transpose of `im2col`. */
export function col2im(columns, geometry) {
  return crop(addUp(columns, geometry), geometry.padding);
}

/** The forward pass: a number for each window. `weight` is the kernel in reading order. */
export function convolve(image, weight, geometry) {
  return im2col(image, geometry).map((row) => row.reduce((sum, value, k) => sum + value * weight[k], 0));
}

/** The gradient with respect to the matrix of columns: the outer product of grad_y and the weights. */
export function gradColumns(gradY, weight) {
  return gradY.map((g) => weight.map((w) => g * w));
}

/** The gradient with respect to the weights, from the first `count` windows. */
export function gradWeight(columns, gradY, count = gradY.length) {
  const sums = new Array(columns[0].length).fill(0);
  for (let step = 0; step < count; step++)
    columns[step].forEach((value, k) => {
      sums[k] += gradY[step] * value;
    });
  return sums;
}
