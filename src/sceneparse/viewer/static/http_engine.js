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
 * @property {CanvasImageSource} image - The image, upright, of the same width and height.
 * @property {number} seconds - How long it took.
 */

/**
 * What computes segmentations. A page creates one with `createEngine()`.
 *
 * @typedef {object} Engine
 * @property {() => Promise<{id: string, name: string, description: string}[]>} models - Gets ready,
 *     and lists the models, or settings of one model, to choose from.
 * @property {(image: Blob, options: {model: string, signal: AbortSignal}) => Promise<Segmentation>}
 *     segment - Segments an image. Rejects with an `Error` whose message is for people.
 * @property {string} note - Where images go, in one sentence.
 */

/** @returns {Engine} */
function createEngine() {
  return {
    note: "Images are sent to the server that this page comes from.",
    async models() {
      const answer = await fetch("v1/labels");
      return (await answer.json()).models;
    },
    async segment(_image, _options) {
      throw new Error("not yet");
    },
  };
}
