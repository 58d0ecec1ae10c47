"use strict";

/**
 * Lists the classes of a segmentation, the largest first.
 *
 * @param {object} segmentation Its labels, of which those from `classes.length` on are void; its
 *     confidence in 0..255, or null; its classes with name and color.
 * @returns {object[]} Label, name, color, share of the pixels in 0..1, and mean confidence in 0..1,
 *     or null.
 */
function classesFound(segmentation) {
  const { labels, confidence, classes } = segmentation;
  const pixels = new Float64Array(classes.length + 1);
  const sums = new Float64Array(classes.length + 1);
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const label = Math.min(labels[pixel], classes.length);
    pixels[label] += 1;
    if (confidence) sums[label] += confidence[pixel];
  }
  return classes
    .map(({ name, color }, label) => ({
      label,
      name,
      color,
      share: pixels[label] / labels.length,
      confidence: confidence ? sums[label] / pixels[label] / 255 : null,
    }))
    .filter((found) => found.share > 0)
    .sort((first, second) => second.share - first.share);
}

/**
 * Divides a label map into regions: connected pixels of one label (4-neighbourhood), void too.
 *
 * @returns {{ids: Int32Array, regions: object[]}} The number of the region of each pixel, and of
 *     each region its label, number of pixels, mean confidence in 0..1, and bounding box, whose right
 *     and bottom are the last column and row.
 */
function regionsOf({ labels, confidence, width, height }) {
  const ids = new Int32Array(labels.length);
  // Union-find with path halving.
  const parents = [];
  const rootOf = (id) => {
    while (parents[id] !== id) id = parents[id] = parents[parents[id]];
    return id;
  };
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      const left = x > 0 && labels[pixel - 1] === labels[pixel] ? ids[pixel - 1] : -1;
      const above = y > 0 && labels[pixel - width] === labels[pixel] ? ids[pixel - width] : -1;
      if (left < 0 && above < 0) {
        ids[pixel] = parents.push(parents.length) - 1;
      } else if (left < 0 || above < 0 || left === above) {
        ids[pixel] = Math.max(left, above);
      } else {
        const [low, high] = [rootOf(left), rootOf(above)].sort((a, b) => a - b);
        parents[high] = low;
        ids[pixel] = low;
      }
    }
  }
  const numbers = new Int32Array(parents.length).fill(-1);
  const regions = [];
  for (let y = 0, pixel = 0; y < height; y++) {
    for (let x = 0; x < width; x++, pixel++) {
      const root = rootOf(ids[pixel]);
      if (numbers[root] < 0) {
        numbers[root] = regions.length;
        regions.push({ label: labels[pixel], pixels: 0, sum: 0, left: x, top: y, right: x, bottom: y });
      }
      const region = regions[(ids[pixel] = numbers[root])];
      region.pixels += 1;
      if (confidence) region.sum += confidence[pixel];
      if (x < region.left) region.left = x;
      if (x > region.right) region.right = x;
      region.bottom = y;
    }
  }
  for (const region of regions) {
    region.confidence = confidence ? region.sum / region.pixels / 255 : null;
  }
  return { ids, regions };
}

/** Returns the outline of a region as a path along the edges of its pixels. */
function outlineOf(ids, width, number, { left, top, right, bottom }) {
  const path = new Path2D();
  const isInside = (x, y) =>
    x >= left && x <= right && y >= top && y <= bottom && ids[y * width + x] === number;
  const addRuns = (from, to, isEdge, add) => {
    let start = -1;
    for (let at = from; at <= to; at++) {
      const isOne = at < to && isEdge(at);
      if (isOne && start < 0) start = at;
      if (!isOne && start >= 0) {
        add(start, at);
        start = -1;
      }
    }
  };
  for (let y = top; y <= bottom + 1; y++) {
    addRuns(left, right + 1, (x) => isInside(x, y) !== isInside(x, y - 1), (start, end) => {
      path.moveTo(start, y);
      path.lineTo(end, y);
    });
  }
  for (let x = left; x <= right + 1; x++) {
    addRuns(top, bottom + 1, (y) => isInside(x, y) !== isInside(x - 1, y), (start, end) => {
      path.moveTo(x, start);
      path.lineTo(x, end);
    });
  }
  return path;
}

/** Returns the share of pixels of equal classes, or both void, in two segmentations of one size. */
function agreementOf(first, second) {
  const same = labelComparer(first, second);
  let equal = 0;
  for (let pixel = 0; pixel < first.labels.length; pixel++) {
    equal += same(first.labels[pixel], second.labels[pixel]) ? 1 : 0;
  }
  return equal / first.labels.length;
}

/** Returns a function that compares labels of two segmentations, which may number classes differently. */
function labelComparer(first, second) {
  const indices = new Map(second.classes.map(({ name }, label) => [name, label]));
  const translated = first.classes.map(({ name }) => indices.get(name) ?? -1);
  const isVoid = (label) => label >= second.classes.length;
  return (one, other) => (one < translated.length ? translated[one] === other : isVoid(other));
}
