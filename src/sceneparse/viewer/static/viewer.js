"use strict";

const NARROW = "(max-width: 800px)"; // As in viewer.css.

/**
 * Shows a segmentation, or two of the same image side by side, with everything to look at it.
 *
 * Put its `element` into a page, and call `show`.
 */
class Viewer {
  #view = new View();
  #stages = [new Stage(this.#view), new Stage(this.#view)];
  #stagesElement = element("div", { className: "stages" });
  #legend = new Legend();
  #live = element("div", { className: "visually-hidden", ariaLive: "polite" });
  #opacity = element("input", { type: "range", min: 0, max: 100, value: 60, id: "opacity" });
  #opacityText = element("output", { htmlFor: "opacity" }, "60%");
  #layers = element("fieldset", { className: "layers" });
  #scale = element("div", { className: "scale", hidden: true },
    element("span", {}, "unsure"), element("span", { className: "ramp" }), element("span", {}, "sure"));
  #summary = element("p", { className: "summary" });
  #shown = null; // {name, segmentations, titles}
  #layer = "labels";
  #regions = []; // Of each segmentation, computed when first needed.
  #step = -1;
  #paintings = []; // Of each segmentation, the canvas of the layer.

  constructor() {
    const zoom = element("div", { className: "zoom" },
      this.#button("plus", "Zoom in", () => this.#view.zoomBy(ZOOM_STEP)),
      this.#button("minus", "Zoom out", () => this.#view.zoomBy(1 / ZOOM_STEP)),
      this.#button("whole", "Whole image", () => this.#view.reset()));
    this.#stagesElement.append(...this.#stages.map((stage) => stage.element), zoom);
    new ResizeObserver(() => this.#arrange()).observe(this.#stagesElement);
    const opacity = element("label", { className: "opacity", htmlFor: "opacity" },
      element("span", {}, "Opacity"), this.#opacity, this.#opacityText);
    const downloads = element("div", { className: "downloads" },
      this.#textButton("Mask", "Download the mask: a PNG of class ids", () => this.#saveMask()),
      this.#textButton("Overlay", "Download the overlay as a PNG", () => this.#saveOverlay()));
    const panel = element("aside", { className: "panel", ariaLabel: "Layers and classes" },
      this.#layers, opacity, this.#scale, this.#summary, this.#legend.element, downloads);
    this.element = element("div", { className: "viewer" }, this.#stagesElement, panel, this.#live);
    this.#opacity.addEventListener("input", () => {
      this.#opacityText.value = `${this.#opacity.value}%`;
      this.#paint({ opacity: this.#opacity.value / 100 });
    });
    this.#legend.addEventListener("change", () => this.#repaint());
    for (const stage of this.#stages) {
      stage.addEventListener("point", ({ detail }) => this.#point(detail));
      stage.addEventListener("step", ({ detail }) => this.#stepThroughRegions(detail));
    }
  }

  /**
   * Shows segmentations of one image.
   *
   * @param {string} name - Of the image.
   * @param {Segmentation[]} segmentations - One, or two of the same size to compare.
   * @param {string[]} titles - What made each; shown if there are two.
   */
  show(name, segmentations, titles) {
    const before = this.#shown?.segmentations[0];
    this.#shown = { name, segmentations, titles };
    this.#regions = [];
    this.#step = -1;
    const isSameImage = before?.image === segmentations[0].image;
    if (!isSameImage) this.#view.reset();
    const found = segmentations.map(classesFound);
    this.#legend.list(found);
    this.#listLayers(segmentations);
    this.#stages.forEach((stage, index) => {
      const segmentation = segmentations[index];
      stage.element.hidden = !segmentation;
      stage.paint({ image: null });
      if (!segmentation) return;
      const { image, width, height } = segmentation;
      stage.paint({ image, width, height, region: null, opacity: this.#opacity.value / 100 });
      stage.showTip(null);
      stage.caption.hidden = segmentations.length < 2;
      stage.caption.textContent = titles[index] ?? "";
      stage.describe(`${name}: ${spoken(found[index])}. Arrow keys move, plus and minus zoom, ` +
        "N and P step through the regions.");
    });
    this.#arrange();
    this.#summary.textContent = this.#summarized(found);
    this.#live.textContent = `${name}: ${spoken(found[0])}`;
    this.#repaint();
  }

  /** Puts two images where they are larger: side by side, or one above the other. */
  #arrange() {
    if (!this.#shown) return;
    const { clientWidth, clientHeight, classList, style } = this.#stagesElement;
    const [{ width, height }, second] = this.#shown.segmentations;
    style.setProperty("--aspect", width / height);
    const beside = Math.min(clientWidth / 2 / width, clientHeight / height);
    const above = Math.min(clientWidth / width, clientHeight / 2 / height);
    const isNarrow = matchMedia(NARROW).matches && width > height;
    classList.toggle("is-stacked", Boolean(second) && (isNarrow || above > beside));
  }

  #summarized(found) {
    const [first, second] = this.#shown.segmentations;
    const size = `${first.width}×${first.height}`;
    if (second) return `${size} · same class in ${percent(agreementOf(first, second))} of the pixels`;
    const noun = found[0].length === 1 ? "class" : "classes";
    return `${size} · ${found[0].length} ${noun} · ${first.seconds.toFixed(2)} s`;
  }

  #listLayers(segmentations) {
    const available = {
      image: "Image",
      labels: "Classes",
      ...(segmentations.every(({ confidence }) => confidence) && { confidence: "Confidence" }),
      ...(segmentations.length > 1 && { difference: "Difference" }),
    };
    if (!(this.#layer in available)) this.#layer = "labels";
    const choices = Object.entries(available).map(([value, text]) => {
      const input = element("input", {
        type: "radio", name: "layer", value, checked: value === this.#layer,
        onchange: () => {
          this.#layer = value;
          this.#repaint();
        },
      });
      return element("label", {}, input, element("span", {}, text));
    });
    const caption = element("legend", { className: "visually-hidden" }, "Layer");
    this.#layers.replaceChildren(caption, ...choices);
  }

  /** Paints the layer anew, once it or the shown classes have changed. */
  #repaint() {
    const { segmentations } = this.#shown;
    const { hidden, emphasized } = this.#legend;
    const painters = {
      image: () => null,
      labels: (segmentation) => paintedLabels(segmentation, hidden, emphasized),
      confidence: paintedConfidence,
      difference: () => paintedDifference(...segmentations),
    };
    this.#paintings = segmentations.map(painters[this.#layer]);
    this.#scale.hidden = this.#layer !== "confidence";
    this.#opacity.disabled = this.#layer === "image";
    this.#paintings.forEach((layer, index) => this.#stages[index].paint({ layer }));
  }

  #paint(changes) {
    for (const stage of this.#stages) stage.paint(changes);
  }

  #regionsAt(index) {
    this.#regions[index] ??= regionsOf(this.#shown.segmentations[index]);
    return this.#regions[index];
  }

  /** Lights up the region at a pixel of the image in each stage; none without a pixel. */
  #point(pixel) {
    this.#shown?.segmentations.forEach((segmentation, index) => {
      const stage = this.#stages[index];
      const { labels, classes, confidence, width } = segmentation;
      const at = pixel && pixel.y * width + pixel.x;
      const found = pixel && classes[labels[at]];
      if (!found || this.#legend.hidden.has(found.name)) {
        stage.paint({ region: null });
        stage.showTip(null);
        return;
      }
      const { ids, regions } = this.#regionsAt(index);
      const region = regions[ids[at]];
      region.outline ??= outlineOf(ids, width, ids[at], region);
      region.light ??= paintedRegion(ids, width, ids[at], region);
      stage.paint({ region });
      const share = percent(region.pixels / labels.length);
      const sureness = confidence
        ? `${percent(confidence[at] / 255)} sure here, ${percent(region.confidence)} in the region`
        : "";
      const texts = [sureness, `${share} of the image`].filter(Boolean);
      stage.showTip(pixel, `rgb(${found.color})`, found.name, ...texts);
    });
  }

  /** Lights up the next region by size, and says it aloud. */
  #stepThroughRegions(direction) {
    const [segmentation] = this.#shown.segmentations;
    const { ids, regions } = this.#regionsAt(0);
    const order = regions
      .filter(({ label }) => segmentation.classes[label])
      .sort((first, second) => second.pixels - first.pixels);
    if (order.length === 0) return;
    this.#step = (this.#step + direction + order.length + (this.#step < 0 && direction < 0)) %
      order.length;
    const region = order[this.#step];
    const pixel = pixelInside(ids, segmentation.width, regions.indexOf(region), region);
    this.#point(pixel);
    const sureness = region.confidence === null ? "" : `, ${percent(region.confidence)} sure`;
    this.#live.textContent = `Region ${this.#step + 1} of ${order.length}: ` +
      `${segmentation.classes[region.label].name}, ` +
      `${percent(region.pixels / segmentation.labels.length)} of the image${sureness}`;
  }

  async #saveMask() {
    const { name, segmentations, titles } = this.#shown;
    for (const [index, segmentation] of segmentations.entries()) {
      save(await indexPng(segmentation), fileName(name, segmentations, titles[index], "mask"));
    }
  }

  async #saveOverlay() {
    const { name, segmentations, titles } = this.#shown;
    for (const [index, segmentation] of segmentations.entries()) {
      const layer = this.#paintings[index];
      const image = await overlayPng(segmentation, layer, this.#opacity.value / 100);
      save(image, fileName(name, segmentations, titles[index], "overlay"));
    }
  }

  #button(image, label, onclick) {
    return element("button", { type: "button", title: label, ariaLabel: label, onclick }, icon(image));
  }

  #textButton(text, title, onclick) {
    return element("button", { type: "button", title, onclick }, icon("download"), text);
  }
}

/** The largest classes as a sentence. */
function spoken(found) {
  const named = found.slice(0, 5).map(({ name, share }) => `${name} ${percent(share)}`);
  return `${found.length} ${found.length === 1 ? "class" : "classes"}: ${named.join(", ")}`;
}

/** A pixel of a region, near the middle of its widest run in its middle row. */
function pixelInside(ids, width, number, { left, right, top, bottom }) {
  const y = Math.floor((top + bottom) / 2);
  let best = { length: 0, x: left };
  for (let x = left, start = left; x <= right + 1; x++) {
    if (x <= right && ids[y * width + x] === number) continue;
    if (x - start > best.length) best = { length: x - start, x: Math.floor((start + x) / 2) };
    start = x + 1;
  }
  return { x: best.x, y };
}

function fileName(name, segmentations, title, kind) {
  const stem = name.replace(/\.[^.]*$/, "");
  const maker = segmentations.length > 1 ? `_${title.replace(/[^\w.-]+/g, "-")}` : "";
  return `${stem}${maker}_${kind}.png`;
}

/** Lets the browser save a file. */
function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
