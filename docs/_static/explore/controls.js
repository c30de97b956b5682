/** Controls of the interactive pages: stepping and playing, choices, and the line that says what is lit up. */

import { html, tint } from "./svg.js";

const PLAY_INTERVAL = 1100; // milliseconds from step to step: time to find what is lit up
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

/**
 * Buttons and a slider that go through steps. The slider takes the arrow keys, Home and End.
 * @param {string} label what a step is, such as "Window"
 * @param {(step: number) => void} show called with the step, 0 to count - 1, whenever it changes
 * @returns {{element: HTMLElement, step: number, go: Function, stop: Function, restart: Function}} `go(step)` pauses
 *   and shows a step, `stop()` pauses, `restart(count, step)` sets how many steps there are
 */
export function stepper(label, show) {
  let count = 1;
  let timer = null;
  const slider = html("input", { type: "range", min: 0, max: 0, value: 0, "aria-label": label });
  const position = html("span", { class: "position" }); // no live region: the slider says it
  const back = html("button", { type: "button" }, "Back");
  const play = html("button", { type: "button", class: "play" }, "Play");
  const next = html("button", { type: "button" }, "Next");
  const controls = {
    element: html("div", { class: "stepper" }, back, play, next, slider, position),
    step: 0,
    go,
    stop: pause,
    restart,
  };

  function move(step) {
    controls.step = Math.max(0, Math.min(count - 1, step));
    slider.value = controls.step;
    position.textContent = `${label} ${controls.step + 1} of ${count}`;
    slider.setAttribute("aria-valuetext", position.textContent);
    // not `disabled`, which would take away the keyboard's focus
    back.setAttribute("aria-disabled", controls.step === 0);
    next.setAttribute("aria-disabled", controls.step === count - 1);
    show(controls.step);
  }

  function go(step) {
    pause();
    move(step);
  }

  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function restart(newCount, step = 0) {
    count = newCount;
    slider.max = count - 1;
    go(step);
  }

  back.addEventListener("click", () => go(controls.step - 1));
  next.addEventListener("click", () => go(controls.step + 1));
  slider.addEventListener("input", () => go(Number(slider.value)));
  play.addEventListener("click", () => {
    if (timer !== null) return pause();
    play.textContent = "Pause";
    if (controls.step === count - 1) move(0);
    // a reader who asked for less motion gets twice the time between two changes
    timer = setInterval(
      () => {
        move(controls.step + 1);
        if (controls.step === count - 1) pause();
      },
      calm.matches ? 2 * PLAY_INTERVAL : PLAY_INTERVAL,
    );
  });
  document.addEventListener("visibilitychange", () => document.hidden && pause());
  return controls;
}

/**
 * A labelled list to choose from.
 * @param {string} label
 * @param {(string|number|[string|number, string])[]} options values, or [value, text] pairs
 * @param {string|number} value chosen at first
 * @param {(value: string) => void} onchange
 * @returns {HTMLElement} with the select element as its property `select`
 */
export function choice(label, options, value, onchange) {
  const select = html("select", { onchange: () => onchange(select.value) });
  for (const option of options) {
    const [key, text] = Array.isArray(option) ? option : [option, String(option)];
    select.append(html("option", { value: key, selected: String(key) === String(value) }, text));
  }
  const element = html("label", { class: "choice" }, html("span", {}, label), select);
  element.select = select;
  return element;
}

/** A group of radio buttons, the usual control for two or three modes; arguments as for `choice`. */
export function modes(label, options, value, onchange) {
  const name = `mode-${label.replace(/\W/g, "-")}`;
  const group = html("fieldset", { class: "modes" }, html("legend", {}, label));
  for (const [key, text] of options) {
    const radio = html("input", { type: "radio", name, value: key, checked: key === value });
    radio.addEventListener("change", () => onchange(key));
    group.append(html("label", {}, radio, ` ${text}`));
  }
  return group;
}

/** The line that says in words what the drawing shows; a screen reader reads it out when it changes. */
export function spoken() {
  return html("p", { class: "spoken", "aria-live": "polite" });
}

/** The line that says what the colours of cells mean; `each` is what has a scale of its own, such as "row". */
export function colourKey(each) {
  const sample = (value, text) =>
    html("span", { class: "key" }, html("i", { class: "swatch", style: `background:${tint(value, 1)}` }), ` ${text}`);
  return html(
    "p",
    { class: "legend" },
    sample(1, "positive"),
    sample(-1, "negative"),
    html("span", {}, `the further from zero, the stronger the colour; each ${each} has a scale of its own`),
  );
}

/** Fills the page's container, in place of what is there while the page loads. */
export function mount(...parts) {
  const container = document.getElementById("explore");
  container.replaceChildren(...parts);
  container.dataset.ready = "yes";
}
