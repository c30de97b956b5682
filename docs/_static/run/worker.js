// CPython in a worker of its own, so that the page stays responsive while it computes.
//
// It is told one thing at a time: first {start}, then {run} as often as wanted. It answers with
// {ready}, {output, data}, {done} and, when Python itself has ended, {ended}.

import { ConsoleStdout, Directory, File, OpenFile, PreopenDirectory, WASI } from "./engine/host/index.js";

const ARGUMENTS = ["/usr/local/bin/python.wasm"]; // Python looks for its library relative to this
const ENVIRONMENT = ["PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1", "HOME=/tmp", "TMPDIR=/tmp", "NO_COLOR=1"];
const PROJECT = "/usr/local/lib/resnet_scratch.zip";
const WINDOW = 50, MOST_POSTS = 100; // at most MOST_POSTS messages in WINDOW milliseconds: the page keeps up

// What Python runs before anything else. `_host` is this program's one way to the page: bytes go out, bytes come back.
const PRELUDE = `
import sys
sys.path.insert(0, "${PROJECT}")

def show_loss(step, loss):
    "Draws one point of the loss curve under the cell."
    import _host, json, math
    loss = float(loss)  # JSON has neither infinity nor "not a number"
    _host.call(json.dumps({"step": int(step), "loss": loss if math.isfinite(loss) else None}).encode())
`;

let python; // the exports of the program
let output = "", data = []; // not yet sent to the page: text, and what came through `_host.call`
let opened = 0, posts = 0; // when the present window began, and the messages sent in it

self.onmessage = async ({ data: request }) => {
  try {
    if (request.start) {
      python = await start(request.start);
      if (turn(PRELUDE) !== 0) throw new Error("Python started, but its library could not be read");
      self.postMessage({ ready: true });
    } else {
      const right = turn(request.run) === 0;
      post();
      self.postMessage({ done: right });
    }
  } catch (error) {
    post();
    self.postMessage({ ended: error.message || String(error) });
  }
};

/** The program with its library in a file system that exists only in memory. */
async function start({ module, library, project }) {
  const files = new Map([["python315.zip", new File(library)], ["resnet_scratch.zip", new File(project)]]);
  const folders = (name, contents) => new Map([[name, new Directory(contents)]]);
  const root = folders("usr", folders("local", folders("lib", files)));
  root.set("tmp", new Directory(new Map()));
  const wasi = new WASI(ARGUMENTS, ENVIRONMENT, [
    new OpenFile(new File([])), // nothing to read from a keyboard
    consoleFile(),
    consoleFile(),
    new PreopenDirectory("/", root),
  ], { debug: false });
  const instance = await WebAssembly.instantiate(module, {
    wasi_snapshot_preview1: wasi.wasiImport,
    host: { call: (...addresses) => answer(instance.exports, ...addresses) },
  });
  wasi.initialize(instance);
  return instance.exports;
}

/** A file whose text the page shows. */
function consoleFile() {
  const decoder = new TextDecoder(); // keeps the first bytes of a character until the others arrive
  return new ConsoleStdout((bytes) => {
    output += decoder.decode(bytes, { stream: true });
    postSoon();
  });
}

/** Send the page what there is: at once or, after many messages, with the first message of the next window. */
function postSoon() {
  const now = performance.now();
  if (now - opened > WINDOW) [opened, posts] = [now, 0];
  if (posts++ < MOST_POSTS) post();
}

function post() {
  if (output || data.length) self.postMessage({ output, data });
  [output, data] = ["", []];
}

/** What Python's `_host.call` does: it sends the page an object, as JSON, and gets two bytes back. */
function answer(exports, at, length, resultAt, resultLengthAt) {
  const bytes = new Uint8Array(exports.memory.buffer, at >>> 0, length >>> 0).slice();
  data.push(JSON.parse(new TextDecoder().decode(bytes)));
  postSoon();
  const result = write(exports, new TextEncoder().encode("ok"));
  const view = new DataView(exports.memory.buffer); // only now: writing may have moved the memory
  view.setUint32(resultAt >>> 0, result, true);
  view.setUint32(resultLengthAt >>> 0, 2, true);
  return 0;
}

/** Run some code in Python's main module, which keeps its variables; 0 when it raised nothing. */
function turn(code) {
  const bytes = new TextEncoder().encode(code);
  return python.turn(write(python, bytes), bytes.length);
}

/** Copy bytes into the program's memory, and return where they are. */
function write(exports, bytes) {
  const at = exports.host_alloc(bytes.length) >>> 0;
  new Uint8Array(exports.memory.buffer).set(bytes, at);
  return at;
}
