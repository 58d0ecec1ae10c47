"use strict";

// Segmentations that are kept: that many pixels of all images and models together.
const KEPT_PIXELS = 150e6;

/** The page: images come in, an engine segments them, the viewer shows them. */
class Page {
  #engine;
  #viewer = new Viewer();
  #models = [];
  #items = []; // {file, name, thumbnail, tile, results: Map of model id to Segmentation}
  #current = null;
  #work = null; // The AbortController of the running segmentation.

  /** @param {Engine} engine */
  constructor(engine) {
    this.#engine = engine;
    byId("viewer").append(this.#viewer.element);
    byId("note").textContent = engine.note;
    const hasTouch = matchMedia("(pointer: coarse)").matches;
    byId("photo").parentElement.hidden = !hasTouch;
    if (hasTouch) byId("drop-hint").textContent = "Choose images, or take a photo.";
    this.#listen();
    this.#start();
  }

  async #start() {
    try {
      this.#models = await this.#engine.models((text) => this.#showBusy(text));
    } catch (error) {
      this.#fail(error, () => this.#start());
      return;
    }
    this.#showBusy(null);
    this.#showMessage(null);
    byId("welcome").hidden = this.#items.length > 0;
    byId("work").hidden = this.#items.length === 0;
    const options = () => this.#models.map(({ id, name }) => element("option", { value: id }, name));
    byId("model").replaceChildren(...options());
    byId("other").replaceChildren(element("option", { value: "" }, "nothing"), ...options());
    byId("compare").hidden = this.#models.length < 2;
    byId("models").hidden = false;
    this.#describe();
    if (this.#current) this.#show(this.#current);
  }

  #describe() {
    byId("about-models").replaceChildren(...this.#models.flatMap(({ name, description }) => [
      element("dt", {}, name), element("dd", {}, description)]));
    byId("about-notices").replaceChildren(...(this.#engine.notices ?? []).map(({ title, text }) =>
      element("details", {}, element("summary", {}, title), element("pre", {}, text))));
  }

  #listen() {
    for (const id of ["choose", "photo"]) {
      byId(id).addEventListener("change", ({ target }) => {
        this.#add([...target.files]);
        target.value = ""; // The same file can be chosen again.
      });
    }
    for (const id of ["model", "other"]) {
      byId(id).addEventListener("change", () => this.#current && this.#show(this.#current));
    }
    byId("about-open").addEventListener("click", () => byId("about").showModal());
    document.addEventListener("paste", ({ clipboardData }) => {
      this.#add([...(clipboardData?.files ?? [])]);
    });
    const root = document.documentElement;
    document.addEventListener("dragover", (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      root.classList.add("is-dropping");
    });
    document.addEventListener("dragleave", ({ relatedTarget }) => {
      if (!relatedTarget) root.classList.remove("is-dropping");
    });
    document.addEventListener("drop", (event) => {
      event.preventDefault();
      root.classList.remove("is-dropping");
      this.#add([...event.dataTransfer.files]);
    });
    for (const button of document.querySelectorAll("[data-example]")) {
      button.addEventListener("click", () => this.#addExample(button));
    }
  }

  async #addExample(button) {
    const image = button.querySelector("img");
    const answer = await fetch(image.src);
    this.#add([new File([await answer.blob()], button.dataset.example, { type: "image/jpeg" })]);
  }

  #add(files) {
    if (files.length === 0) return;
    const items = files.map((file) => ({
      file,
      name: file.name || "image",
      thumbnail: URL.createObjectURL(file),
      results: new Map(),
    }));
    this.#items.push(...items);
    byId("welcome").hidden = true;
    byId("work").hidden = false;
    this.#drawStrip();
    this.#show(items[0]);
  }

  #remove(item) {
    const index = this.#items.indexOf(item);
    this.#items.splice(index, 1);
    URL.revokeObjectURL(item.thumbnail);
    this.#drawStrip();
    const next = this.#items[Math.min(index, this.#items.length - 1)];
    if (!next) {
      this.#work?.abort();
      this.#current = null;
      this.#showMessage(null);
      this.#showBusy(null);
      byId("work").hidden = true;
      byId("welcome").hidden = false;
      byId("choose").focus();
    } else if (item === this.#current) {
      this.#show(next);
    }
  }

  #drawStrip() {
    const tiles = this.#items.map((item) => {
      const image = element("img", { src: item.thumbnail, alt: "" });
      // The server reads formats that the browser does not show.
      image.addEventListener("error", () => image.replaceWith(
        element("span", { className: "no-thumbnail" }, item.name.split(".").pop())));
      const choose = element("button", {
        type: "button", className: "tile", title: item.name, ariaLabel: item.name,
        onclick: () => this.#show(item),
      }, image);
      const remove = element("button", {
        type: "button", className: "remove", title: "Remove", ariaLabel: `Remove ${item.name}`,
        onclick: () => this.#remove(item),
      }, icon("close"));
      item.tile = element("li", {}, choose, remove);
      return item.tile;
    });
    const more = element("button", {
      type: "button", className: "tile more", title: "Add images", ariaLabel: "Add images",
      onclick: () => byId("choose").click(),
    }, icon("plus"));
    byId("strip").replaceChildren(...tiles, element("li", {}, more));
    this.#markCurrent();
  }

  #markCurrent() {
    for (const item of this.#items) {
      const isCurrent = item === this.#current;
      item.tile.querySelector(".tile").setAttribute("aria-current", String(isCurrent));
    }
  }

  /** Shows an image with the chosen models, which segment it first if they have not yet. */
  async #show(item) {
    this.#work?.abort();
    const work = (this.#work = new AbortController());
    this.#current = item;
    this.#markCurrent();
    this.#showMessage(null);
    const models = [byId("model").value, byId("other").value].filter(Boolean);
    if (models.length === 0) return; // The engine is not ready; `#start` shows the image then.
    try {
      for (const model of models) {
        if (item.results.has(model)) continue;
        this.#showBusy(`Segmenting ${item.name}…`);
        const found = await this.#engine.segment(item.file, { model, signal: work.signal });
        work.signal.throwIfAborted();
        item.results.set(model, found);
      }
    } catch (error) {
      if (!work.signal.aborted) this.#fail(error, () => this.#show(item), item);
      return;
    }
    this.#showBusy(null);
    byId("viewer").hidden = false;
    const names = new Map(this.#models.map(({ id, name }) => [id, name]));
    const segmentations = models.map((model) => item.results.get(model));
    for (const other of segmentations) other.image = segmentations[0].image;
    this.#viewer.show(item.name, segmentations, models.map((model) => names.get(model)));
    this.#forgetOld();
  }

  /** Drops the segmentations of other images, those added first, if all are too many. */
  #forgetOld() {
    const pixelsOf = ({ results }) =>
      [...results.values()].reduce((sum, { labels }) => sum + labels.length, 0);
    let total = this.#items.reduce((sum, item) => sum + pixelsOf(item), 0);
    for (const item of this.#items) {
      if (total <= KEPT_PIXELS || item === this.#current) continue;
      total -= pixelsOf(item);
      item.results.clear();
    }
  }

  /** Says what went wrong, of an image if there is one, and offers what can be done. */
  #fail(error, retry, item = null) {
    this.#showBusy(null);
    byId("viewer").hidden = true;
    byId("welcome").hidden = true;
    byId("work").hidden = false;
    const actions = [element("button", { type: "button", onclick: retry }, "Try again")];
    const remove = { type: "button", onclick: () => this.#remove(item) };
    if (item) actions.push(element("button", remove, "Remove"));
    this.#showMessage([
      ...(item ? [element("h2", {}, item.name)] : []),
      element("p", {}, error.message),
      element("p", { className: "actions" }, ...actions),
    ]);
  }

  #showMessage(content) {
    byId("message").hidden = content === null;
    byId("message").replaceChildren(...(content ?? []));
  }

  #showBusy(text) {
    byId("busy").hidden = text === null;
    byId("busy-text").textContent = text ?? "";
  }
}

function byId(id) {
  return document.getElementById(id);
}

new Page(createEngine());
