"use strict";

/**
 * Makes an element. Texts become text nodes, never markup.
 *
 * @param {string} tag
 * @param {object} properties - Such as `className`, `hidden` or `onclick`; attributes that have no
 *     property, such as `aria-pressed` and `data-…`, are set too.
 * @param {...(Node|string)} children
 */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in made) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** Makes one of `ICONS`. */
function icon(name) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  made.setAttribute("class", "icon");
  made.setAttribute("viewBox", "0 0 24 24");
  made.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  made.append(path);
  return made;
}

const ICONS = {
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  whole: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
};

/** A fraction as whole percent, or `<1%`. */
function percent(fraction) {
  return fraction > 0 && fraction < 0.01 ? "<1%" : `${Math.round(100 * fraction)}%`;
}
