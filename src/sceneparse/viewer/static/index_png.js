"use strict";

/**
 * Writes a label map as a grey PNG of the ids of its data set, as `sceneparse predict` does.
 *
 * @param {Segmentation} segmentation
 * @returns {Promise<Blob>} 8 bits a pixel, or 16 if an id is above 255.
 */
async function indexPng({ labels, classes, width, height, voidId }) {
  const ids = classes.map(({ id }) => id);
  const empty = voidId ?? (labels.BYTES_PER_ELEMENT === 1 ? 255 : 65535);
  const bytes = Math.max(...ids, empty) > 255 ? 2 : 1;
  const rows = new Uint8Array(height * (1 + width * bytes));
  for (let y = 0, at = 0, pixel = 0; y < height; y++) {
    at += 1; // The filter of the row: none.
    for (let x = 0; x < width; x++, pixel++) {
      const id = ids[labels[pixel]] ?? empty;
      if (bytes === 2) rows[at++] = id >> 8;
      rows[at++] = id & 255;
    }
  }
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 8 * bytes);
  const deflated = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Blob([
    new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]),
    pngChunk("IHDR", new Uint8Array(header.buffer)),
    pngChunk("IDAT", new Uint8Array(await new Response(deflated).arrayBuffer())),
    pngChunk("IEND", new Uint8Array(0)),
  ], { type: "image/png" });
}

function pngChunk(kind, content) {
  const chunk = new Uint8Array(content.length + 12);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, content.length);
  chunk.set(new TextEncoder().encode(kind), 4);
  chunk.set(content, 8);
  view.setUint32(content.length + 8, crc32(chunk.subarray(4, content.length + 8)));
  return chunk;
}

/** The checksum of PNG (ISO 3309), bit by bit of each byte by a table. */
function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  return crc;
});
