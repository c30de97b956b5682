// A cell: code that can be edited and run, what it wrote, and the curve it drew.

import { Chart } from "./chart.js";

const MOST_CHARACTERS = 40_000; // of output, about: a loop that prints without end must not fill the memory
const PAUSE = 100; // milliseconds from one showing of output to the next: each lays all of it out anew
const INDENTATION = "    ";

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export class Cell {
  #waiting = ""; // output that the page does not show yet

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
    const button = (className, words) =>
      element("button", { type: "button", className, ariaLabel: `${words}: ${title}` }, words);
    this.runButton = button("run-button", "Run");
    this.stopButton = button("stop-button", "Stop");
    this.resetButton = button("reset-button", "Reset the code");
    this.status = element("span", { className: "run-status", role: "status" });
    this.clock = element("span", { className: "run-clock", ariaHidden: "true" }); // changes too often to be read out
    this.progress = element("progress", { hidden: true, ariaLabel: "Download" });
    this.cut = element("p", { className: "run-cut", hidden: true }, "... (the beginning was left out)");
    this.output = element("pre", { className: "run-output", hidden: true, tabIndex: 0, role: "log" });
    this.output.ariaLabel = `Output: ${title}`;
    this.chart = new Chart();
    const buttons = element("div", { className: "run-buttons" }, this.runButton, this.stopButton, this.resetButton);
    const report = element("div", { className: "run-report" }, this.status, this.clock, this.progress);
    place.replaceChildren(this.editor, buttons, report, this.chart.figure, this.cut, this.output);

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
    this.#waiting = "";
    this.output.replaceChildren();
    this.output.hidden = this.cut.hidden = true;
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
    if (!text) return;
    if (!this.#waiting) setTimeout(() => this.#showOutput(), PAUSE);
    this.#waiting += text;
    if (this.#waiting.length <= MOST_CHARACTERS) return;
    this.#waiting = this.#waiting.slice(-MOST_CHARACTERS);
    this.cut.hidden = false;
  }

  /** Show all output and the whole curve so far, at once. */
  show() {
    this.#showOutput();
    this.chart.show();
  }

  /** Only new text is added: a screen reader would read old text again. */
  #showOutput() {
    if (!this.#waiting) return;
    this.output.append(this.#waiting);
    this.output.hidden = false;
    let surplus = this.output.textContent.length - MOST_CHARACTERS;
    this.#waiting = "";
    while (surplus >= this.output.firstChild.length) {
      surplus -= this.output.firstChild.length;
      this.output.firstChild.remove();
      this.cut.hidden = false;
    }
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
