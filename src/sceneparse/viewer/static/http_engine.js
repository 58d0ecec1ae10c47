"use strict";

/**
 * A segmentation of one image.
 *
 * @typedef {object} Segmentation
 * @property {number} width
 * @property {number} height
 * @property {Uint8Array|Uint16Array} labels - Train id of each pixel, row by row. Ids that are no
 *     index of `classes` are void.
 * @property {?Uint8Array} confidence - Of each pixel, 0..255 for 0..1; null if there is none.
 * @property {{id: number, name: string, color: number[]}[]} classes - By train id; `id` is that of
 *     the masks of the data set.
 * @property {number} [voidId] - Id of void pixels in masks; without it, the largest possible one.
 * @property {CanvasImageSource} image - The image, upright, of the same width and height.
 * @property {number} seconds - How long it took.
 */

/**
 * What computes segmentations. A page creates one with `createEngine()`.
 *
 * @typedef {object} Engine
 * @property {(onProgress: (text: string) => void) => Promise<Model[]>} models - Gets ready, and
 *     lists the models, or settings of one model, to choose from: `{id, name, description}`.
 * @property {(image: Blob, options: {model: string, signal: AbortSignal}) => Promise<Segmentation>}
 *     segment - Segments an image. Rejects with an `Error` whose message is for people.
 * @property {string} note - Where images go, in one sentence.
 * @property {{title: string, text: string}[]} [notices] - Licences and terms.
 */

const TOKEN_KEY = "sceneparse-token";

/**
 * Makes the engine that asks the server from which the page comes.
 *
 * @returns {Engine}
 */
function createEngine() {
  const models = new Map();
  return {
    note: "Images are sent to the server that this page comes from, and are not kept there.",
    async models() {
      const answer = await ask("v1/labels");
      for (const model of (await answer.json()).models) models.set(model.id, model);
      return [...models.values()];
    },
    async segment(image, { model, signal }) {
      const ownImage = createImageBitmap(image, { imageOrientation: "from-image" })
        .catch(() => null); // Browsers read fewer formats than the server.
      const found = await segmented(image, model, "labels,confidence", signal);
      const { width, height, layers, seconds } = found;
      const [labels, confidence] = await Promise.all([
        pixelsOf(layers.labels), pixelsOf(layers.confidence)]);
      let shown = await ownImage;
      if (shown?.width !== width || shown?.height !== height) {
        shown = await imageOf((await segmented(image, model, "image", signal)).layers.image);
      }
      const { classes, void_id: voidId } = models.get(model);
      return { width, height, labels, confidence, classes, voidId, image: shown, seconds };
    },
  };
}

/** Sends an image, and returns the answer with some layers. */
async function segmented(image, model, layers, signal) {
  const answer = await ask(`v1/segment?${new URLSearchParams({ model, layers })}`, {
    method: "POST", body: image, signal,
    headers: { Accept: "application/json", "Content-Type": "application/octet-stream" },
  });
  return answer.json();
}

/** Asks the server, with a token if it wants one. */
async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is it still running?");
  }
  if (answer.ok) return answer;
  if (answer.status === 401) {
    sessionStorage.setItem(TOKEN_KEY, await askForToken());
    return ask(path, options);
  }
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.error ?? `The server answered with status ${answer.status}.`);
}

/** Asks the user for the token of the server. */
function askForToken() {
  return new Promise((resolve, reject) => {
    const input = element("input", { type: "password", autocomplete: "off", required: true });
    const form = element("form", { method: "dialog" },
      element("label", {}, "This server needs a token: ", input),
      element("button", { className: "primary" }, "Continue"));
    const dialog = element("dialog", { className: "token", ariaLabel: "Token" }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (input.value) resolve(input.value);
      else reject(new Error("This server needs a token."));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Unpacks the pixels of a layer: base64 of zlib of its values, row by row. */
async function pixelsOf({ data, dtype }) {
  const deflated = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate"));
  const values = await new Response(inflated).arrayBuffer();
  return dtype === "uint16" ? new Uint16Array(values) : new Uint8Array(values);
}

function imageOf({ type, data }) {
  const image = new Image();
  image.src = `data:${type};base64,${data}`;
  return image.decode().then(() => image);
}
