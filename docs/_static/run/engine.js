// Python in the page, through a small interface: start, run, stop. Nothing else here knows how it works.

const FOLDER = new URL("./engine/", import.meta.url);

// A whole WebAssembly module: magic number, version, one function type with a reference to an exception in it. CPython
// is compiled to catch exceptions in the way of the current standard, which has this type.
const MODERN = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 1, 0x69, 0]);

/** What this browser lacks to run Python, in words; empty when it has all of it. */
export function missing() {
  const lacks = [];
  if (typeof WebAssembly !== "object") lacks.push("WebAssembly");
  else if (!WebAssembly.validate(MODERN)) lacks.push("exceptions in WebAssembly");
  if (typeof Worker !== "function" || !knowsModuleWorkers()) lacks.push("module workers");
  if (typeof DecompressionStream !== "function") lacks.push("DecompressionStream");
  return lacks.join(", ");
}

function knowsModuleWorkers() {
  let asked = false; // a browser that knows them reads the option
  const options = { get type() { asked = true; return "module"; } };
  try {
    new Worker("data:text/javascript,", options).terminate();
  } catch { /* forbidden by the site's security policy, but the option was read */ }
  return asked;
}

/** The number of bytes to download, as the build measured it. */
export async function downloadSize(signal) {
  const sizes = await (await fetched("engine.json", signal)).json();
  return Object.values(sizes).reduce((a, b) => a + b);
}

async function fetched(name, signal) {
  const response = await fetch(new URL(name, FOLDER), { signal });
  if (!response.ok) throw new Error(`${name} could not be downloaded (${`${response.status} ${response.statusText}`.trim()})`);
  return response;
}

/** What `start` and `run` throw when `stop` was called. */
export class Stopped extends Error {}

export class Engine {
  #worker = null;
  #files = null; // {module, library, project}: kept, so that a restart downloads nothing
  #downloading = null; // what cancels a download
  #waiting = null; // {resolve, reject} of the request that the worker is busy with
  #started = false;

  /** Whether Python is there to run code. */
  get started() {
    return this.#started;
  }

  /**
   * Download what is not here yet, and start Python.
   * @param {object} on functions to call: `progress(done, total)` with bytes, `starting()` when the download is
   *   complete, `output(text)`, and `data(objects)` with what Python sends to the page.
   */
  async start(on) {
    if (!this.#files) {
      const cancel = (this.#downloading = new AbortController());
      try {
        this.#files = await download(on.progress, cancel.signal);
        cancel.signal.throwIfAborted(); // stopped while the program was compiled: nothing was left to cancel
      } catch (error) {
        cancel.abort(); // the other files
        throw cancel.signal.reason instanceof Stopped ? cancel.signal.reason : error;
      } finally {
        this.#downloading = null;
      }
    }
    on.starting();
    const worker = (this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" }));
    worker.onmessage = ({ data }) => {
      if (worker !== this.#worker) return; // a message that was on its way when the worker was stopped
      if (data.data) {
        on.output(data.output);
        on.data(data.data);
      } else if (data.ended) this.#end(new Error(data.ended));
      else this.#settle("resolve", data.done);
    };
    worker.onerror = (event) => this.#end(new Error(event.message || "the worker could not be loaded"));
    await this.#ask({ start: this.#files });
    this.#started = true;
  }

  /** Run Python code; what it defines is there for the next run. True when it raised nothing. */
  run(code) {
    return this.#ask({ run: code });
  }

  /** End Python, or its download, at once. What was defined is lost. `start` starts it afresh. */
  stop() {
    this.#downloading?.abort(new Stopped("stopped"));
    this.#end(new Stopped("stopped"));
  }

  #ask(message) {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#worker.postMessage(message);
    });
  }

  #settle(how, value) {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.[how](value);
  }

  #end(error) {
    this.#worker?.terminate();
    this.#worker = null;
    this.#started = false;
    this.#settle("reject", error);
  }
}

/** All files. The program is compiled while it arrives. */
async function download(progress, signal) {
  const total = await downloadSize(signal);
  let done = 0;
  const counted = async (name) => {
    const response = await fetched(name, signal);
    const count = new TransformStream({
      transform(chunk, controller) {
        progress((done += chunk.length), total);
        controller.enqueue(chunk);
      },
    });
    return response.body.pipeThrough(count);
  };
  const bytes = async (name) => new Response(await counted(name)).arrayBuffer();
  const compile = async (name) => {
    const program = (await counted(name)).pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compileStreaming(new Response(program, { headers: { "Content-Type": "application/wasm" } }));
  };
  const [module, library, project] = await Promise.all([
    compile("python.wasm.gz"), bytes("library.zip"), bytes("resnet_scratch.zip"),
  ]);
  return { module, library, project };
}
