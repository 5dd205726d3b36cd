// SPDX-License-Identifier: Apache-2.0
// Builds elements. Text always becomes a text node, so nothing that a client stored is ever parsed as HTML.

/**
 * Makes an element. A property `on…` is a listener, a boolean sets or leaves out an attribute, and null and undefined
 * are left out. Children are elements, texts, numbers or lists of them.
 */
export function h(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

/** The same for SVG. */
export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

function fill(element, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, children);
  return element;
}

function add(element, children) {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    if (Array.isArray(child)) add(element, child);
    else element.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces the content of an element. */
export function show(element, ...children) {
  element.replaceChildren();
  add(element, children);
  return element;
}

/** A button that is switched off while its action runs. */
export function button(label, action, properties = {}) {
  const made = h("button", { type: "button", ...properties }, label);
  made.addEventListener("click", async (event) => {
    made.disabled = true;
    try {
      await action(event);
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

/** A state without content, with what to do about it. */
export function empty(title, ...text) {
  return h("div", { class: "empty" }, h("strong", {}, title), ...text.map((line) => h("p", {}, line)));
}

/** A failure in the place of the content. */
export function failed(error, retry) {
  return h("div", { class: "empty", role: "alert" },
    h("strong", {}, "This could not be loaded"),
    h("p", {}, error.message),
    retry && button("Try again", retry));
}

/** The head of a view: its title, and its tools at the right. */
export function head(title, ...tools) {
  document.title = `${title} · Omnistore`;
  return h("div", { class: "head" }, h("h1", {}, title), h("span", { class: "spring" }), ...tools);
}

/** A table that scrolls sideways if it is too wide, by the keyboard too. */
export const scroller = (table) => h("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table" }, table);

/** Buttons of which one is pressed. `options` is [[value, label], …]. */
export function segments(label, options, value, choose) {
  const group = h("div", { class: "segments", role: "group", "aria-label": label });
  for (const [each, text] of options) {
    group.append(h("button", {
      type: "button", "aria-pressed": String(each === value),
      onclick(event) {
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === event.currentTarget));
        choose(each);
      },
    }, text));
  }
  return group;
}

/** Calls a function now and then in each period, while the page is visible, until the result is called. */
export function every(milliseconds, run) {
  let timer = 0;
  let ended = false;
  const tick = async () => {
    clearTimeout(timer);
    if (ended) return;
    if (!document.hidden) await run();
    if (!ended) timer = setTimeout(tick, milliseconds);
  };
  const woken = () => document.hidden || tick();
  document.addEventListener("visibilitychange", woken);
  tick();
  return () => {
    ended = true;
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", woken);
  };
}
