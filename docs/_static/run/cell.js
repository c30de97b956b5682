// A cell: code that can be edited and run, what it wrote, and the curve it drew.

import { Chart } from "./chart.js";

const MOST_CHARACTERS = 40_000; // of output: a loop that prints without end must not fill the memory
const INDENTATION = "    ";

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export class Cell {
  #text = ""; // output so far
  #written = true; // whether the page shows it

  /**
   * Turns a block of code in the page into a cell.
   * @param {HTMLElement} place what holds the block; its id names the cell
   * @param {string} title what the cell does, for a screen reader
   * @param {{run: function(Cell), stop: function()}} actions of its buttons
   */
  constructor(place, title, { run, stop }) {
    const code = place.querySelector("pre").textContent.trimEnd() + "\n";
    this.editor = element("textarea", {
      defaultValue: code, spellcheck: false, autocapitalize: "off", autocomplete: "off", wrap: "off",
      ariaLabel: `Python code: ${title}`,
    });
    this.runButton = element("button", { type: "button", className: "run-button" }, "Run");
    this.stopButton = element("button", { type: "button", className: "stop-button" }, "Stop");
    this.resetButton = element("button", { type: "button", className: "reset-button" }, "Reset the code");
    this.status = element("span", { className: "run-status", role: "status" });
    this.clock = element("span", { className: "run-clock", ariaHidden: "true" }); // changes too often to be read out
    this.progress = element("progress", { hidden: true, ariaLabel: "Download" });
    this.output = element("pre", { className: "run-output", hidden: true, tabIndex: 0, role: "log" });
    this.output.ariaLabel = `Output: ${title}`;
    this.chart = new Chart();
    const buttons = element("div", { className: "run-buttons" }, this.runButton, this.stopButton, this.resetButton);
    const report = element("div", { className: "run-report" }, this.status, this.clock, this.progress);
    place.replaceChildren(this.editor, buttons, report, this.chart.figure, this.output);

    const press = (button, action) =>
      button.addEventListener("click", () => button.ariaDisabled !== "true" && action());
    press(this.runButton, () => run(this));
    press(this.stopButton, stop);
    press(this.resetButton, () => this.reset());
    this.editor.addEventListener("input", () => this.#fit());
    this.editor.addEventListener("keydown", (event) => this.#key(event, () => run(this)));
    this.enable({ run: true, stop: false });
    new ResizeObserver(() => this.#fit()).observe(place); // a scroll bar may have come or gone
  }

  get code() {
    return this.editor.value;
  }

  /** The code as it was when the page was loaded. */
  reset() {
    this.editor.value = this.editor.defaultValue;
    this.#fit();
  }

  /** Which buttons do something. The others keep the focus they may have, so that the keyboard does not lose its way. */
  enable({ run, stop }) {
    this.runButton.ariaDisabled = String(!run);
    this.stopButton.ariaDisabled = String(!stop);
  }

  /** Before a run: no output, no curve. */
  clear() {
    this.#text = "";
    this.output.textContent = "";
    this.output.hidden = true;
    this.chart.clear();
  }

  /** What the cell is doing, in words. With a fraction, a bar shows how much of it is done. */
  say(words, fraction = null) {
    if (this.status.textContent !== words) this.status.textContent = words;
    this.progress.hidden = fraction === null;
    this.progress.value = fraction ?? 0;
  }

  /** Text that Python wrote. */
  print(text) {
    this.#text = (this.#text + text).slice(-MOST_CHARACTERS);
    if (!this.#written) return;
    this.#written = false;
    requestAnimationFrame(() => this.show());
  }

  /** Show all output so far, at once. */
  show() {
    this.#written = true;
    this.output.textContent = this.#text;
    this.output.hidden = !this.#text;
  }

  #fit() {
    const { style } = this.editor;
    style.height = "auto"; // or it would never become smaller
    style.height = `${this.editor.scrollHeight + this.editor.offsetHeight - this.editor.clientHeight}px`;
  }

  #key(event, run) {
    if (event.key !== "Enter" || event.isComposing) return;
    if (event.ctrlKey || event.shiftKey || event.metaKey) {
      event.preventDefault();
      if (this.runButton.ariaDisabled !== "true") run();
      return;
    }
    const before = this.editor.value.slice(0, this.editor.selectionStart).split("\n").at(-1);
    const indentation = before.match(/^ */)[0] + (before.trimEnd().endsWith(":") ? INDENTATION : "");
    event.preventDefault();
    document.execCommand("insertText", false, "\n" + indentation); // unlike an assignment, it can be undone
  }
}
