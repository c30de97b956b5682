/** A network as the recording has it, turned into a row for each layer. */

/**
 * All layers in forward order.
 * @param {Object} network one entry of networks.json
 * @returns {Object[]} name, kind, shape, parameters, multiplyAdds, memory; `kernelKind` (the kind with its kernel) and
 *   `title` (with its stride too); `stage` ("stem", "layer1", ..., "head"); `field` and `jump`, null off the main path;
 *   `block`, `part` (its index), `times` (how many equal blocks there are from this one on) and `repeated` (whether it
 *   belongs to a block that repeats the one before)
 */
export function layersOf(network) {
  const rows = [];
  let known = { field: 1, jump: 1 };
  let next = 0;
  const stem = network.parts.findIndex((part) => part.name.includes(".")); // so many parts come before the blocks
  network.parts.forEach((part, index) => {
    const [base, first] = part.name.split(".");
    const stage = first !== undefined ? base : index < stem ? "stem" : "head";
    for (let k = 0; k < part.count; k++) {
      const block = first === undefined ? base : `${base}.${Number(first) + k}`;
      for (const [name, kind, shape, parameters, multiplyAdds, memory, kernel, stride] of part.layers) {
        const kernelKind = kernel ? `${kind} ${kernel}×${kernel}` : kind;
        const aside = name.split(".")[0] === "downsample";
        if (!aside && ["Conv2d", "MaxPool2d", "AvgPool2d"].includes(kind)) {
          known = { field: network.fields[next][0], jump: network.fields[next][1] };
          next += 1;
        }
        const whole = kind === "GlobalAvgPool2d" || kind === "Linear"; // these depend on every pixel
        rows.push({
          name: name ? `${block}.${name}` : block,
          kind,
          kernelKind,
          title: stride > 1 ? `${kernelKind}, stride ${stride}` : kernelKind,
          stage,
          shape,
          parameters,
          multiplyAdds,
          memory,
          block,
          part: index,
          aside,
          times: part.count,
          repeated: k > 0,
          field: aside ? null : whole ? Infinity : known.field,
          jump: aside || whole ? null : known.jump,
        });
      }
    }
  });
  return rows;
}

/** The sums over all layers. */
export function totalsOf(rows) {
  const sum = (name) => rows.reduce((total, row) => total + row[name], 0);
  return { parameters: sum("parameters"), multiply_adds: sum("multiplyAdds"), memory: sum("memory") };
}
