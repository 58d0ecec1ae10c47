"use strict";

const ZOOM_STEP = 1.4;
const PAN_STEP = 0.1;
const TIP_DISTANCE = 14; // CSS pixels.
const TAP_DISTANCE = 6; // CSS pixels that a finger may move while it taps.

/**
 * A canvas with an image and a layer over it, which can be zoomed, moved and pointed at.
 *
 * Events: `point` with the `detail` `{x, y}` in pixels of the image, or null when the pointer
 * leaves; `step` with 1 or -1 to step through regions.
 */
class Stage extends EventTarget {
  #canvas = element("canvas", {
    tabIndex: 0,
    role: "application",
    ariaRoleDescription: "image viewer",
  });
  #tip = element("div", { className: "tip", hidden: true });
  #pointers = new Map();
  #pinch = null;
  #moved = 0;
  #isRequested = false;
  #painting = { image: null, width: 1, height: 1, layer: null, opacity: 1, region: null };

  /** @param {View} view - The visible part, which other stages may share. */
  constructor(view) {
    super();
    this.view = view;
    this.caption = element("figcaption", { className: "caption", hidden: true });
    this.element = element("figure", { className: "stage" }, this.#canvas, this.#tip, this.caption);
    view.addEventListener("change", () => this.#request());
    new ResizeObserver(() => this.#request()).observe(this.element);
    this.#listen();
  }

  /**
   * Changes what is drawn: `image`, `width`, `height`, `layer`, `opacity`, and the `region` that
   * lights up, with `left`, `top`, its `outline` and a canvas `light`.
   */
  paint(changes) {
    Object.assign(this.#painting, changes);
    this.#request();
  }

  /** Describes the image to those who do not see it. */
  describe(text) {
    this.#canvas.ariaLabel = text;
  }

  /** Shows a tip beside a point of the image; without a text, hides it. */
  showTip(point, color, title, ...texts) {
    this.#tip.hidden = !title;
    if (!title) return;
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = color;
    const lines = texts.map((text) => element("span", {}, text));
    this.#tip.replaceChildren(element("strong", {}, swatch, title), ...lines);
    const { scale, left, top } = this.#placement();
    const [x, y] = [left + point.x * scale, top + point.y * scale];
    const beside = (at, size, room) => {
      const start = at > room / 2 ? at - TIP_DISTANCE - size : at + TIP_DISTANCE;
      return Math.max(0, Math.min(start, room - size));
    };
    const { offsetWidth, offsetHeight } = this.#tip;
    const { clientWidth, clientHeight } = this.element;
    this.#tip.style.transform = `translate(${beside(x, offsetWidth, clientWidth)}px, ` +
      `${beside(y, offsetHeight, clientHeight)}px)`;
  }

  /** Scale and offset in CSS pixels at which the image is drawn. */
  #placement() {
    const { width, height } = this.#painting;
    const [across, down] = [this.element.clientWidth, this.element.clientHeight];
    const fitting = Math.min(across / width, down / height);
    this.view.span = { x: across / (fitting * width), y: down / (fitting * height) };
    const scale = fitting * this.view.zoom;
    return {
      scale,
      left: across / 2 - this.view.center.x * width * scale,
      top: down / 2 - this.view.center.y * height * scale,
    };
  }

  #request() {
    if (this.#isRequested) return;
    this.#isRequested = true;
    requestAnimationFrame(() => {
      this.#isRequested = false;
      this.#draw();
    });
  }

  #draw() {
    const { image, width, height, layer, opacity, region } = this.#painting;
    const density = window.devicePixelRatio;
    const canvas = this.#canvas;
    canvas.width = Math.max(1, Math.round(this.element.clientWidth * density));
    canvas.height = Math.max(1, Math.round(this.element.clientHeight * density));
    canvas.style.touchAction = this.view.isWhole ? "pan-y" : "none";
    if (!image) return;
    const { scale, left, top } = this.#placement();
    const context = canvas.getContext("2d");
    context.setTransform(density * scale, 0, 0, density * scale, density * left, density * top);
    context.imageSmoothingEnabled = scale < 3;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, width, height);
    if (layer) {
      context.globalAlpha = opacity;
      context.drawImage(layer, 0, 0);
      context.globalAlpha = 1;
    }
    if (region) {
      context.drawImage(region.light, region.left, region.top);
      context.lineCap = "square";
      for (const [color, size] of [["#000c", 4], ["#fff", 2]]) {
        context.strokeStyle = color;
        context.lineWidth = size / scale;
        context.stroke(region.outline);
      }
    }
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("pointerdown", (event) => this.#press(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(kind, (event) => this.#release(event));
    }
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.#point(null);
    });
    canvas.addEventListener("dblclick", (event) =>
      this.view.zoomBy(ZOOM_STEP ** 2, this.#fractionAt(event)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.view.zoomBy(2 ** (-event.deltaY / 300), this.#fractionAt(event));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  #press(event) {
    this.#canvas.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, event);
    this.#moved = 0;
    this.#pinch = null;
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      this.#point(this.#pixelAt(event));
      return;
    }
    this.#pointers.set(event.pointerId, event);
    this.#moved += Math.hypot(event.clientX - before.clientX, event.clientY - before.clientY);
    if (this.#pointers.size > 1) {
      this.#pinchTo();
    } else if (!this.view.isWhole) {
      const { scale } = this.#placement();
      const { width, height } = this.#painting;
      this.view.moveTo(
        this.view.center.x - (event.clientX - before.clientX) / (scale * width),
        this.view.center.y - (event.clientY - before.clientY) / (scale * height),
      );
    }
  }

  #pinchTo() {
    const [first, second] = [...this.#pointers.values()];
    const distance = Math.hypot(
      first.clientX - second.clientX, first.clientY - second.clientY);
    const middle = this.#fractionAt({
      clientX: (first.clientX + second.clientX) / 2,
      clientY: (first.clientY + second.clientY) / 2,
    });
    if (this.#pinch) this.view.zoomBy(distance / this.#pinch, middle);
    this.#pinch = distance;
  }

  #release(event) {
    const isTap = this.#pointers.size === 1 && this.#moved < TAP_DISTANCE;
    this.#pointers.delete(event.pointerId);
    this.#pinch = null;
    if (isTap && event.type === "pointerup") this.#point(this.#pixelAt(event));
  }

  #key(event) {
    const actions = {
      ArrowLeft: () => this.view.pan(-PAN_STEP, 0),
      ArrowRight: () => this.view.pan(PAN_STEP, 0),
      ArrowUp: () => this.view.pan(0, -PAN_STEP),
      ArrowDown: () => this.view.pan(0, PAN_STEP),
      "+": () => this.view.zoomBy(ZOOM_STEP),
      "=": () => this.view.zoomBy(ZOOM_STEP),
      "-": () => this.view.zoomBy(1 / ZOOM_STEP),
      0: () => this.view.reset(),
      n: () => this.dispatchEvent(new CustomEvent("step", { detail: 1 })),
      p: () => this.dispatchEvent(new CustomEvent("step", { detail: -1 })),
      Escape: () => this.#point(null),
    };
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  }

  #fractionAt({ clientX, clientY }) {
    const { left, top } = this.#canvas.getBoundingClientRect();
    const place = this.#placement();
    const { width, height } = this.#painting;
    return {
      x: (clientX - left - place.left) / (place.scale * width),
      y: (clientY - top - place.top) / (place.scale * height),
    };
  }

  /** The pixel of the image at a pointer; null beside the image. */
  #pixelAt(event) {
    const { x, y } = this.#fractionAt(event);
    const { width, height } = this.#painting;
    const isInside = x >= 0 && x < 1 && y >= 0 && y < 1;
    return isInside ? { x: Math.floor(x * width), y: Math.floor(y * height) } : null;
  }

  #point(pixel) {
    this.dispatchEvent(new CustomEvent("point", { detail: pixel }));
  }
}
