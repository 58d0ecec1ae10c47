"use strict";

/**
 * The classes of one or two segmentations by area, to search, to hide and to bring out.
 *
 * Event: `change` when `hidden` or `emphasized` have changed.
 */
class Legend extends EventTarget {
  hidden = new Set(); // Names of classes.
  emphasized = null; // Name of the class under the pointer or the focus.
  #search = element("input", {
    type: "search", placeholder: "Find a class", ariaLabel: "Find a class", className: "search",
  });
  #list = element("ul", { className: "classes" });
  #empty = element("p", { className: "empty", hidden: true }, "No class of this name.");
  #rows = new Map();

  constructor() {
    super();
    const all = element("button", { type: "button", onclick: () => this.#hide([]) }, "All");
    const none = element("button", {
      type: "button", onclick: () => this.#hide([...this.#rows.keys()]),
    }, "None");
    const head = element("div", { className: "legend-head" }, this.#search, all, none);
    this.element = element("section", { className: "legend", ariaLabel: "Classes" },
      head, this.#list, this.#empty);
    this.#search.addEventListener("input", () => this.#filter());
  }

  /** Lists the classes of each segmentation, from `classesFound`; hidden ones stay so. */
  list(found) {
    const names = [...new Set(found.flat().map(({ name }) => name))];
    const total = (name) => found.flat()
      .filter((one) => one.name === name)
      .reduce((sum, { share }) => sum + share, 0);
    names.sort((first, second) => total(second) - total(first));
    const largest = Math.max(...found.flat().map(({ share }) => share));
    this.#rows = new Map(names.map((name) => {
      const own = found.map((classes) => classes.find((one) => one.name === name));
      return [name, this.#row(name, own, largest)];
    }));
    this.emphasized = null;
    this.#list.replaceChildren(...this.#rows.values());
    this.#filter();
  }

  /** A row with the shares of a class in each segmentation, of which some may lack it. */
  #row(name, own, largest) {
    const { color } = own.find(Boolean);
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = `rgb(${color})`;
    const box = element("input", {
      type: "checkbox",
      checked: !this.hidden.has(name),
      onchange: () => {
        if (box.checked) this.hidden.delete(name);
        else this.hidden.add(name);
        this.#changed();
      },
    });
    const shares = own.map((found) => {
      const bar = element("span", { className: "bar" });
      bar.style.width = `${(100 * (found?.share ?? 0)) / largest}%`;
      bar.style.background = `rgb(${color})`;
      return element("span", { className: "share" },
        element("span", { className: "bar-track" }, bar),
        element("span", { className: "number" }, found ? percent(found.share) : "–"));
    });
    const [first] = own;
    const hint = first?.confidence == null ? "" : `${percent(first.confidence)} sure on average`;
    const label = element("label", { title: hint }, box, swatch,
      element("span", { className: "name" }, name), ...shares);
    const row = element("li", {}, label);
    const emphasize = (value) => {
      this.emphasized = value;
      this.#changed();
    };
    row.addEventListener("pointerenter", ({ pointerType }) => {
      if (pointerType === "mouse") emphasize(name);
    });
    row.addEventListener("pointerleave", () => this.emphasized === name && emphasize(null));
    box.addEventListener("focus", () => box.matches(":focus-visible") && emphasize(name));
    box.addEventListener("blur", () => this.emphasized === name && emphasize(null));
    return row;
  }

  #filter() {
    const wanted = this.#search.value.trim().toLowerCase();
    let matches = 0;
    for (const [name, row] of this.#rows) {
      row.hidden = !name.toLowerCase().includes(wanted);
      matches += row.hidden ? 0 : 1;
    }
    this.#empty.hidden = matches > 0;
  }

  /** Hides classes, of those that the search shows, and shows the others of these. */
  #hide(names) {
    for (const [name, row] of this.#rows) {
      if (row.hidden) continue;
      if (names.includes(name)) this.hidden.add(name);
      else this.hidden.delete(name);
      row.querySelector("input").checked = !this.hidden.has(name);
    }
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
