"use strict";

/**
 * Creates the engine of a page that is one file: it computes in the browser, with the model that
 * the file holds.
 *
 * `viewer/single_file.py` puts into the page what this reads: a JSON block `model-facts`, and the
 * blocks `data-worker`, `data-loader`, `data-binary` and `data-model`, which are gzip in base64.
 *
 * @returns {Engine} As `http_engine.js` describes it.
 */
function createEngine() {
  // After a larger image, the worker ends, because the memory of WebAssembly never shrinks.
  const KEPT_PIXELS = 16e6;
  const NEEDED = ["DecompressionStream", "OffscreenCanvas", "Worker", "WebAssembly"];
  const facts = JSON.parse(document.getElementById("model-facts").textContent);
  let url = null;
  let starting = null;
  let queue = Promise.resolve();

  function block(name) {
    return document.getElementById(`data-${name}`).textContent;
  }

  /** @returns {Promise<string>} The URL of the worker's script. */
  async function workerUrl() {
    if (!url) {
      const bytes = Uint8Array.from(atob(block("worker")), (letter) => letter.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      const script = await new Response(stream).text();
      url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    }
    return url;
  }

  /** Sends a message to the worker, and waits until it is done with it. */
  function ask(worker, message, { signal, onProgress } = {}) {
    return new Promise((resolve, reject) => {
      const end = (error) => {
        // Nothing else stops a computation, and after an error its memory is in an unknown state.
        worker.terminate();
        starting = null;
        reject(error);
      };
      const abort = () => end(signal.reason);
      signal?.addEventListener("abort", abort, { once: true });
      worker.onerror = (event) => {
        event.preventDefault();
        end(new Error(`This browser cannot run the model (${event.message || "no worker"}).`));
      };
      worker.onmessage = ({ data }) => {
        if (data.progress) {
          onProgress?.(data.progress);
          return;
        }
        signal?.removeEventListener("abort", abort);
        if (data.result) {
          resolve(data.result);
        } else if (data.isUsable) {
          reject(new Error(data.error));
        } else {
          end(new Error(data.error));
        }
      };
      worker.postMessage(message);
    });
  }

  async function start(onProgress) {
    const missing = NEEDED.filter((name) => !(name in window));
    if (missing.length > 0) {
      throw new Error(
        `This browser is too old for this page: it lacks ${missing.join(", ")}. Use Chrome or ` +
          "Edge 91, Firefox 114, Safari 16.4, or a later version.",
      );
    }
    if (document.readyState === "loading") {
      onProgress?.("Reading the model…");
      await new Promise((done) => document.addEventListener("DOMContentLoaded", done));
    }
    if (!document.getElementById("data-end")) {
      throw new Error("This file is incomplete: copy or download it again.");
    }
    const worker = new Worker(await workerUrl());
    const data = { loader: block("loader"), binary: block("binary"), model: block("model") };
    await ask(worker, { start: data }, { onProgress });
    return worker;
  }

  function ready(onProgress) {
    starting ??= start(onProgress).catch((error) => {
      starting = null;
      throw error;
    });
    return starting;
  }

  async function run(image, setting, signal) {
    signal?.throwIfAborted();
    const worker = await ready();
    signal?.throwIfAborted();
    const begin = performance.now();
    const { resize } = facts;
    const result = await ask(worker, { segment: { image, setting, resize } }, { signal });
    const seconds = (performance.now() - begin) / 1000;
    if (result.width * result.height > KEPT_PIXELS) {
      worker.terminate();
      starting = null;
    }
    return { ...result, classes: facts.classes, seconds };
  }

  return {
    note: "Images stay on this device: the page computes in your browser and sends nothing.",
    notices: facts.notices,
    async models(onProgress) {
      await ready(onProgress);
      return facts.settings.map(({ id, name, description }) => ({ id, name, description }));
    },
    async segment(image, { model, signal } = {}) {
      const setting = facts.settings.find(({ id }) => id === model) ?? facts.settings[0];
      const turn = queue.then(() => run(image, setting, signal));
      queue = turn.catch(() => {});
      if (!signal) {
        return turn;
      }
      // An image that waits for its turn is given up at once.
      const aborted = new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
      return Promise.race([turn, aborted]);
    },
  };
}
