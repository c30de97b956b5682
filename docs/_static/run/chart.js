// A loss curve that grows while a network trains.

const SVG = "http://www.w3.org/2000/svg";
const MOST_POINTS = 1000; // that are drawn; an even number
const WIDTH = 600, HEIGHT = 240, LEFT = 76, RIGHT = 20, TOP = 16, BOTTOM = 56;

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

/** A loss for the axis, short whatever its size: 800, 0.5, 1.5e16. */
function label(loss) {
  return loss < 1e4 ? String(loss) : loss.toExponential().replace("+", "");
}

export class Chart {
  #points = []; // {step, loss}, with null for a loss that is not finite: one of every #apart points that were added
  #apart = 1; // a power of two
  #added = 0;
  #last = null; // the latest point
  #lost = null; // the first of the latest points whose losses are all not finite
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
    [this.#points, this.#apart, this.#added, this.#last, this.#lost] = [[], 1, 0, null, null];
    this.figure.hidden = true;
  }

  /** Add a point; a step that is not after the last one begins a new curve. */
  add(point) {
    if (point.step <= this.#last?.step) this.clear();
    this.#last = point;
    this.#lost = point.loss === null ? this.#lost ?? point : null;
    if (this.#added++ % this.#apart === 0) this.#points.push(point);
    if (this.#points.length > MOST_POINTS) {
      this.#points = this.#points.filter((_, k) => k % 2 === 0);
      this.#apart *= 2;
    }
    if (this.#drawn) return;
    this.#drawn = true;
    requestAnimationFrame(() => {
      this.#drawn = false;
      this.show();
    });
  }

  /** The curve in words; empty when there is none. */
  get words() {
    if (!this.#points.length) return "";
    const number = (loss) => (loss === null ? "not finite" : loss < 1e4 ? loss.toFixed(3) : loss.toExponential(2));
    const words = ({ loss, step }) => `${number(loss)} at step ${step}`;
    const first = this.#points[0], lost = this.#lost;
    const now = lost ? `not finite from step ${lost.step}` : words(this.#last);
    return first === lost ? `loss ${now}` : `loss ${words(first)}, ${now}`;
  }

  /** Draw all points so far, at once. */
  show() {
    if (!this.#points.length) return;
    const points = [...new Set([...this.#points, this.#last])].filter((point) => point.loss !== null);
    const across = ticks(Math.max(10, this.#last.step));
    const up = ticks(Math.max(1e-6, ...points.map((point) => point.loss)));
    const x = (step) => LEFT + (step / across.at(-1)) * (WIDTH - LEFT - RIGHT);
    const y = (loss) => HEIGHT - BOTTOM - (loss / up.at(-1)) * (HEIGHT - TOP - BOTTOM);
    const children = [];
    for (const loss of up) {
      children.push(element("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(loss), y2: y(loss) }));
      children.push(element("text", { x: LEFT - 8, y: y(loss) + 6, "text-anchor": "end" }, label(loss)));
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
    if (this.#lost) {
      const cross = `M${x(this.#lost.step)},${TOP}m-6,-6l12,12m0,-12l-12,12`;
      children.push(element("path", { class: "lost", d: cross }));
    }
    this.svg.replaceChildren(...children);
    this.svg.setAttribute("aria-label", `Loss curve: ${this.words}`);
    this.caption.textContent = `Loss at each step. ${this.words[0].toUpperCase()}${this.words.slice(1)}.`;
    this.figure.hidden = false;
  }
}
