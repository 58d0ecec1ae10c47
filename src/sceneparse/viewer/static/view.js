"use strict";

const MAX_ZOOM = 40;

/** What part of an image is visible: shared by stages that show the same image side by side. */
class View extends EventTarget {
  constructor() {
    super();
    // Of each side, how much a stage would show if the image were longer: 1 where it just fits.
    this.span = { x: 1, y: 1 };
    this.reset();
  }

  /** Shows the whole image. */
  reset() {
    this.zoom = 1; // Relative to the whole image.
    this.center = { x: 0.5, y: 0.5 }; // In fractions of width and height.
    this.dispatchEvent(new Event("change"));
  }

  get isWhole() {
    return this.zoom === 1;
  }

  /** Moves by fractions of the visible part. */
  pan(x, y) {
    this.moveTo(this.center.x + x / this.zoom, this.center.y + y / this.zoom);
  }

  /** Zooms by a factor, and keeps a point of the image, in fractions, where it is. */
  zoomBy(factor, fixed = this.center) {
    const before = this.zoom;
    this.zoom = Math.min(Math.max(before * factor, 1), MAX_ZOOM);
    const kept = before / this.zoom;
    this.moveTo(
      fixed.x + (this.center.x - fixed.x) * kept,
      fixed.y + (this.center.y - fixed.y) * kept,
    );
  }

  moveTo(x, y) {
    const inside = (value, span) => {
      const margin = Math.min(0.5, (0.5 * span) / this.zoom);
      return Math.min(Math.max(value, margin), 1 - margin);
    };
    this.center = { x: inside(x, this.span.x), y: inside(y, this.span.y) };
    this.dispatchEvent(new Event("change"));
  }
}
