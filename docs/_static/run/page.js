// The page "Train in the page": its blocks of code become cells, all run by one Python.

import { Cell } from "./cell.js";
import { downloadSize, Engine, missing, Stopped } from "./engine.js";

const engine = new Engine();
let busy = null; // the cell that runs
let arrived = false; // whether Python has been downloaded

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

const told = {
  progress: (done, total) => {
    const tenth = Math.floor((10 * done) / total) * 10; // words that change ten times are not too much to listen to
    busy?.say(`Downloading Python: ${tenth} % of ${megabytes(total)} MB.`, done / total);
  },
  starting: () => {
    arrived = true;
    busy?.say("Starting Python.");
  },
  output: (text) => busy?.print(text),
  data: (points) => points.forEach((point) => busy?.chart.add(point)),
};

async function run(cell) {
  if (busy) return;
  busy = cell;
  for (const each of cells) each.enable({ run: false, stop: each === cell });
  cell.clear();
  let began = performance.now();
  const clock = setInterval(() => (cell.clock.textContent = seconds(performance.now() - began)), 100);
  try {
    if (!engine.started) {
      cell.say("Preparing Python.");
      await engine.start(told);
    }
    cell.say("Running.");
    began = performance.now();
    const right = await engine.run(cell.code);
    cell.show(); // or the words below could come first
    const words = cell.chart.words && ` ${cell.chart.words[0].toUpperCase()}${cell.chart.words.slice(1)}.`;
    cell.say(`${right ? "Done" : "Python raised an error, shown below,"} after ${seconds(performance.now() - began)}.${words}`);
  } catch (error) {
    if (error instanceof Stopped) cell.say("Stopped. What the cells defined is gone; the next run starts Python again.");
    else if (!arrived) cell.say(`Python could not be downloaded: ${error.message}. Check the connection, and run the cell again.`);
    else cell.say(`Python has ended: ${error.message}. The next run starts it again.`);
  } finally {
    clearInterval(clock);
    cell.clock.textContent = "";
    busy = null;
    for (const each of cells) each.enable({ run: true, stop: false });
  }
}

const cells = [];
const notice = document.getElementById("run-notice"); // says that nothing works without this script
const lacks = missing();
if (lacks) {
  notice.textContent = `This browser cannot run Python in a page: it lacks ${lacks}. A current version of Chrome, Edge, ` +
    "Firefox or Safari can. The code below is from the tutorials, which run on your own machine.";
} else {
  notice.remove();
  for (const place of document.querySelectorAll(".run-cell")) {
    const title = place.closest("section").querySelector("h1, h2, h3").firstChild.textContent;
    cells.push(new Cell(place, title, { run, stop: () => engine.stop() }));
  }
  downloadSize().then((bytes) => {
    document.getElementById("run-size").textContent = ` (${megabytes(bytes)} MB)`;
  }, () => {}); // the same error is shown when a cell is run
}
