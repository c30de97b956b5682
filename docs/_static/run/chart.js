// A loss curve that grows while a network trains.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 600, HEIGHT = 240, LEFT = 56, RIGHT = 20, TOP = 16, BOTTOM = 56;

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

/** Round numbers from 0 to at least `most`, at most six of them. */
export function ticks(most) {
  const rough = most / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  return Array.from({ length: Math.ceil(most / step - 1e-9) + 1 }, (_, k) => Number((k * step).toPrecision(6)));
}

export class Chart {
  #points = []; // {step, loss}, where a loss that is not finite is null
  #drawn = false; // whether a drawing is due with the next frame

  constructor() {
    this.figure = document.createElement("figure");
    this.figure.className = "run-chart";
    this.svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    this.caption = document.createElement("figcaption");
    this.figure.append(this.svg, this.caption);
    this.clear();
  }

  clear() {
    this.#points = [];
    this.figure.hidden = true;
  }

  /** Add a point; a step that is not after the last one begins a new curve. */
  add(point) {
    if (this.#points.length && point.step <= this.#points.at(-1).step) this.#points = [];
    this.#points.push(point);
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => {
      this.#drawn = false;
      if (this.#points.length) this.#draw();
    });
  }

  /** The points so far. */
  get points() {
    return [...this.#points];
  }

  /** The curve in words; empty when there is none. */
  get words() {
    if (!this.#points.length) return "";
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    const [before, now] = [first, last].map(({ loss }) => (loss === null ? "not finite" : loss.toFixed(3)));
    return `loss ${before} at step ${first.step}, ${now} at step ${last.step}`;
  }

  #draw() {
    const points = this.#points.filter((point) => point.loss !== null);
    const across = ticks(Math.max(10, this.#points.at(-1).step));
    const up = ticks(Math.max(1e-6, ...points.map((point) => point.loss)));
    const x = (step) => LEFT + (step / across.at(-1)) * (WIDTH - LEFT - RIGHT);
    const y = (loss) => HEIGHT - BOTTOM - (loss / up.at(-1)) * (HEIGHT - TOP - BOTTOM);
    const children = [];
    for (const loss of up) {
      children.push(element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(loss), y2: y(loss) }));
      children.push(element("text", { x: LEFT - 8, y: y(loss) + 6, "text-anchor": "end" }, String(loss)));
    }
    for (const step of across) {
      children.push(element("text", { x: x(step), y: HEIGHT - BOTTOM + 24, "text-anchor": "middle" }, String(step)));
    }
    const middle = (LEFT + WIDTH - RIGHT) / 2;
    children.push(element("text", { x: middle, y: HEIGHT - 6, "text-anchor": "middle" }, "step"));
    const line = points.map((point) => `${x(point.step).toFixed(1)},${y(point.loss).toFixed(1)}`).join(" ");
    children.push(element("polyline", { points: line }));
    if (points.length) {
      children.push(element("circle", { cx: x(points.at(-1).step), cy: y(points.at(-1).loss), r: 4 }));
    }
    this.svg.replaceChildren(...children);
    this.svg.setAttribute("aria-label", `Loss curve: ${this.words}`);
    this.caption.textContent = `Loss at each step. ${this.words[0].toUpperCase()}${this.words.slice(1)}.`;
    this.figure.hidden = false;
  }
}
