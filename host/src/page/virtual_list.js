// SPDX-License-Identifier: Apache-2.0
// A list of any length, of which only the visible lines are in the document. It is a listbox for screen readers: the
// focus stays on the list, and the arrow keys move its active line.
import { h } from "./dom.js";

const lineHeight = 32;
const beyond = 8; // lines drawn above and below what is visible

export class VirtualList {
  /**
   * `draw(item)` returns the children of a line, and `kind(item)` its class. `pick(item)` is called for a click or
   * Enter, `more()` when the end comes near, and `seen(items)` when the visible lines rest.
   */
  constructor({ label, draw, kind, pick, more, seen, up }) {
    Object.assign(this, { draw, kind, pick, more, seen, up });
    this.items = [];
    this.complete = true;
    this.active = -1;
    this.selected = null;
    this.lines = new Map();
    this.space = h("div", { class: "space", role: "presentation" });
    this.element = h("div", {
      class: "list", role: "listbox", tabindex: "0", "aria-label": label,
      onscroll: () => this.paint(), onkeydown: (event) => this.onKey(event),
    }, this.space);
    this.resized = new ResizeObserver(() => this.paint());
    this.resized.observe(this.element);
  }

  close() {
    this.resized.disconnect();
    clearTimeout(this.resting);
  }

  /** Shows other items from the top. */
  reset(items, complete) {
    this.items = items;
    this.complete = complete;
    this.active = -1;
    this.element.scrollTop = 0;
    this.repaint();
  }

  append(items, complete) {
    for (const item of items) this.items.push(item);
    this.complete = complete;
    this.paint();
  }

  select(item) {
    this.selected = item;
    this.repaint();
  }

  /** Draws the visible lines anew, since what they show has changed. */
  repaint() {
    this.space.replaceChildren();
    this.lines.clear();
    this.paint();
  }

  paint() {
    this.space.style.height = `${this.items.length * lineHeight}px`;
    const top = this.element.scrollTop;
    const height = this.element.clientHeight;
    const first = Math.max(0, Math.floor(top / lineHeight) - beyond);
    const end = Math.min(this.items.length, Math.ceil((top + height) / lineHeight) + beyond);
    for (const [at, line] of this.lines) {
      if (at >= first && at < end) continue;
      line.remove();
      this.lines.delete(at);
    }
    for (let at = first; at < end; ++at) if (!this.lines.has(at)) this.lines.set(at, this.line(at));
    if (!this.complete && end >= this.items.length - 50) this.more();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.seen(this.items.slice(first, end)), 60);
  }

  line(at) {
    const item = this.items[at];
    const line = h("div", {
      class: `line ${this.kind(item)} ${at === this.active ? "active" : ""}`, role: "option", id: `line-${at}`,
      "aria-selected": String(item === this.selected), "aria-posinset": at + 1,
      "aria-setsize": this.complete ? this.items.length : -1,
      onclick: () => {
        this.activate(at);
        this.pick(item);
      },
    }, ...this.draw(item));
    line.style.top = `${at * lineHeight}px`;
    this.space.append(line);
    return line;
  }

  activate(at) {
    this.lines.get(this.active)?.classList.remove("active");
    this.active = at;
    const top = at * lineHeight;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + lineHeight > scrollTop + clientHeight) this.element.scrollTop = top + lineHeight - clientHeight;
    this.paint();
    this.lines.get(at)?.classList.add("active");
    this.element.setAttribute("aria-activedescendant", `line-${at}`);
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / lineHeight) - 1);
    const last = this.items.length - 1;
    const to = { ArrowDown: this.active + 1, ArrowUp: this.active - 1, PageDown: this.active + page,
      PageUp: this.active - page, Home: 0, End: last }[event.key];
    if (to !== undefined && last >= 0) this.activate(Math.min(Math.max(to, 0), last));
    else if (event.key === "Enter" && this.items[this.active] !== undefined) this.pick(this.items[this.active]);
    else if (event.key === "Backspace" || event.key === "ArrowLeft") this.up();
    else return;
    event.preventDefault();
  }
}
