"use strict";

/** Stops of the scale of confidence, from 0 to 1: dark where a model is unsure (viridis). */
const CONFIDENCE_COLORS = [
  [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141],
  [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37],
];
const DIFFERENCE_COLOR = [235, 64, 82];
const FADED_ALPHA = 40;
const LIGHT_ALPHA = 70;

/** A colour as a pixel of a little-endian `ImageData`. */
function pixelOf([red, green, blue], alpha = 255) {
  return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Returns a canvas of a size whose pixels `fill` has set. */
function painted({ width, height }, fill) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  fill(new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Paints the labels of a segmentation in their colours, with light lines between classes.
 *
 * @param {Segmentation} segmentation
 * @param {Set<string>} hidden - Names of classes that stay transparent.
 * @param {?string} emphasized - Name of a class beside which all others fade; null for none.
 */
function paintedLabels(segmentation, hidden, emphasized = null) {
  const { labels, classes, width } = segmentation;
  const alphaOf = (name) => {
    if (hidden.has(name)) return 0;
    return emphasized !== null && name !== emphasized ? FADED_ALPHA : 255;
  };
  const table = new Uint32Array(65536);
  const edges = new Uint32Array(65536);
  classes.forEach(({ name, color }, label) => {
    table[label] = pixelOf(color, alphaOf(name));
    edges[label] = pixelOf(color.map((value) => (value + 2 * 255) / 3), alphaOf(name));
  });
  const hasLines = Math.min(width, segmentation.height) >= 128;
  return painted(segmentation, (pixels) => {
    for (let pixel = 0; pixel < pixels.length; pixel++) {
      const label = labels[pixel];
      const isEdge = hasLines && ((pixel % width !== 0 && labels[pixel - 1] !== label) ||
        (pixel >= width && labels[pixel - width] !== label));
      pixels[pixel] = (isEdge ? edges : table)[label];
    }
  });
}

/** Paints the confidence of a segmentation, from dark for 0 to light for 1. */
function paintedConfidence(segmentation) {
  const last = CONFIDENCE_COLORS.length - 1;
  const table = Uint32Array.from({ length: 256 }, (_, value) => {
    const at = (value / 255) * last;
    const below = Math.min(Math.floor(at), last - 1);
    const mixed = CONFIDENCE_COLORS[below].map(
      (start, channel) => start + (at - below) * (CONFIDENCE_COLORS[below + 1][channel] - start));
    return pixelOf(mixed.map(Math.round));
  });
  return painted(segmentation, (pixels) => {
    segmentation.confidence.forEach((value, pixel) => (pixels[pixel] = table[value]));
  });
}

/** Paints a region white, at the size of its bounding box. */
function paintedRegion(ids, width, number, { left, top, right, bottom }) {
  const size = { width: right - left + 1, height: bottom - top + 1 };
  const light = pixelOf([255, 255, 255], LIGHT_ALPHA);
  return painted(size, (pixels) => {
    for (let pixel = 0; pixel < pixels.length; pixel++) {
      const at = (top + Math.floor(pixel / size.width)) * width + left + (pixel % size.width);
      if (ids[at] === number) pixels[pixel] = light;
    }
  });
}

/** Paints the pixels in which two segmentations of one image differ. */
function paintedDifference(first, second) {
  const same = labelComparer(first, second);
  const color = pixelOf(DIFFERENCE_COLOR);
  return painted(first, (pixels) => {
    first.labels.forEach((label, pixel) => {
      if (!same(label, second.labels[pixel])) pixels[pixel] = color;
    });
  });
}

/** Draws an image with a painted layer over it, at the size of the image, as a PNG. */
async function overlayPng(segmentation, layer, opacity) {
  const canvas = document.createElement("canvas");
  canvas.width = segmentation.width;
  canvas.height = segmentation.height;
  const context = canvas.getContext("2d");
  context.drawImage(segmentation.image, 0, 0, canvas.width, canvas.height);
  context.globalAlpha = opacity;
  if (layer) context.drawImage(layer, 0, 0);
  return new Promise((resolve, reject) => {
    const done = (blob) => (blob ? resolve(blob) : reject(new Error("The image is too large.")));
    canvas.toBlob(done, "image/png");
  });
}
