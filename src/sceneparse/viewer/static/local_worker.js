"use strict";

/* The worker of `local_engine.js`: it runs after ONNX Runtime's script, in the same file. */

(() => {
  // They take 2 GB of memory, and minutes.
  const MAX_PIXELS = 64e6;
  const MAX_NETWORK_PIXELS = 8e6;
  // Canvases of phones hold few pixels, so an image is read tile by tile.
  const TILE = 2048;
  let session = null;

  /** A mistake in an image, after which the worker goes on. */
  class ImageError extends Error {}

  async function inflated(base64) {
    const bytes = decoded(base64);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  function decoded(base64) {
    if (Uint8Array.fromBase64) {
      return Uint8Array.fromBase64(base64);
    }
    const letters = atob(base64);
    const bytes = new Uint8Array(letters.length);
    for (let index = 0; index < bytes.length; index++) {
      bytes[index] = letters.charCodeAt(index);
    }
    return bytes;
  }

  function context(width, height) {
    // Without transparency, transparent pixels are blended with what was drawn before.
    const options = { alpha: false, willReadFrequently: true };
    return new OffscreenCanvas(width, height).getContext("2d", options);
  }

  /** Some browsers give pages false pixels, against tracking. */
  function checkThatPixelsAreTrue() {
    const canvas = context(16, 16);
    const drawn = canvas.createImageData(16, 16);
    drawn.data.forEach((_, index, data) => {
      data[index] = index % 4 === 3 ? 255 : (index * 37) % 256;
    });
    canvas.putImageData(drawn, 0, 0);
    const read = canvas.getImageData(0, 0, 16, 16).data;
    if (read.some((value, index) => Math.abs(value - drawn.data[index]) > 2)) {
      throw new Error(
        "This browser hides the pixels of images from pages, as a protection against tracking. " +
          "Allow this page to read them (canvas data), or use another browser.",
      );
    }
  }

  async function start({ loader, binary, model }) {
    checkThatPixelsAreTrue();
    postMessage({ progress: "Unpacking the model…" });
    const { wasm } = ort.env;
    const module = new Blob([await inflated(loader)], { type: "text/javascript" });
    wasm.wasmPaths = { mjs: URL.createObjectURL(module) };
    wasm.proxy = false;
    // Threads share memory, which pages from disk may not.
    wasm.numThreads = 1;
    ort.env.logLevel = "error";
    const [wasmBinary, weights] = await Promise.all([inflated(binary), inflated(model)]);
    wasm.wasmBinary = wasmBinary;
    postMessage({ progress: "Starting the model…" });
    session = await ort.InferenceSession.create(weights, { executionProviders: ["wasm"] });
    wasm.wasmBinary = undefined;
    return {};
  }

  async function bitmapOf(image) {
    let bitmap;
    try {
      // Upright by default; the values as they are stored, whatever the colour profile.
      const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
      bitmap = await createImageBitmap(image, options);
    } catch {
      throw new ImageError(
        "This is not an image that this browser can read, or it is damaged. Use a JPEG or PNG.",
      );
    }
    const { width, height } = bitmap;
    if (width * height > MAX_PIXELS) {
      bitmap.close();
      throw new ImageError(
        `This image has ${width}×${height} pixels; at most ${MAX_PIXELS / 1e6} million are ` +
          "possible here. Scale it down.",
      );
    }
    return bitmap;
  }

  /** @returns {Uint8Array} RGB, row by row, transparent pixels blended with white. */
  function pixelsOf(bitmap) {
    const { width, height } = bitmap;
    const rgb = new Uint8Array(3 * width * height);
    const [columns, rows] = [Math.min(width, TILE), Math.min(height, TILE)];
    const canvas = context(columns, rows);
    canvas.fillStyle = "white";
    for (let top = 0; top < height; top += rows) {
      for (let left = 0; left < width; left += columns) {
        canvas.fillRect(0, 0, columns, rows);
        canvas.drawImage(bitmap, -left, -top);
        const tile = canvas.getImageData(0, 0, columns, rows).data;
        const [right, bottom] = [Math.min(columns, width - left), Math.min(rows, height - top)];
        for (let y = 0; y < bottom; y++) {
          let to = 3 * ((top + y) * width + left);
          let from = 4 * y * columns;
          for (let x = 0; x < right; x++, from += 4) {
            rgb[to++] = tile[from];
            rgb[to++] = tile[from + 1];
            rgb[to++] = tile[from + 2];
          }
        }
      }
    }
    return rgb;
  }

  /** Height and width for the network, as `Resize.network_size` has them. */
  function networkSize({ kind, size, stride }, width, height, scale) {
    if (kind === "stretch" && scale === 1) {
      return [size, size];
    }
    const short = Math.min(width, height);
    const rounded = (length) =>
      Math.max(1, Math.floor((length * size * scale) / (short * stride) + 0.5)) * stride;
    return kind === "stretch" ? [rounded(short), rounded(short)] : [rounded(height), rounded(width)];
  }

  async function segment({ image, setting, resize }) {
    const bitmap = await bitmapOf(image);
    const { width, height } = bitmap;
    const integers = (...values) => BigInt64Array.from(values, BigInt);
    const size = networkSize(resize, width, height, setting.scale);
    if (setting.views * size[0] * size[1] > MAX_NETWORK_PIXELS) {
      bitmap.close();
      throw new ImageError(
        `This image of ${width}×${height} pixels is too long for the model here. Cut it in parts.`,
      );
    }
    const inputs = {
      images: new ort.Tensor("uint8", pixelsOf(bitmap), [1, height, width, 3]),
      size: new ort.Tensor("int64", integers(...size), [2]),
      decide: new ort.Tensor("bool", [true], []),
      views: new ort.Tensor("int64", integers(setting.views), [1]),
    };
    const outputs = await session.run(inputs, ["labels", "confidence"]);
    const labels = outputs.labels.data;
    const confidence = new Uint8ClampedArray(labels.length);
    outputs.confidence.data.forEach((value, index) => {
      confidence[index] = 255 * value;
    });
    return { width, height, labels, confidence: new Uint8Array(confidence.buffer), image: bitmap };
  }

  function messageOf(error) {
    const text = error?.message ?? String(error);
    if (error instanceof ImageError || session === null) {
      return session === null ? `The model does not start in this browser. ${text}` : text;
    }
    return /alloc|memory|RangeError/i.test(`${error?.name} ${text}`)
      ? "This image needs more memory than the browser gives. Scale it down."
      : `The model failed on this image (${text}).`;
  }

  self.onmessage = async ({ data }) => {
    try {
      if (data.start) {
        postMessage({ result: await start(data.start) });
      } else {
        const result = await segment(data.segment);
        const { labels, confidence, image } = result;
        postMessage({ result }, [labels.buffer, confidence.buffer, image]);
      }
    } catch (error) {
      postMessage({ error: messageOf(error), isUsable: error instanceof ImageError });
    }
  };
})();
