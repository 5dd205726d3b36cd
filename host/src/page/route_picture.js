// SPDX-License-Identifier: Apache-2.0
// Draws the route of a key as a tree from left to right.
import { svg } from "./dom.js";
import { latency, mountName } from "./format.js";

export const outcomes = {
  hit: { label: "hit", chip: "ok", look: "hit" },
  miss: { label: "miss", chip: "warn", look: "miss" },
  failed: { label: "failed", chip: "bad", look: "failed" },
  passed_over: { label: "passed over", chip: "", look: "skipped" },
  not_asked: { label: "not called", chip: "", look: "skipped" },
};

const width = 168;
const height = 56;
const gapX = 48;
const gapY = 16;
const margin = 4;

const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

/** Gives each store its place: a column for its depth, and the middle of its children as its height. */
function place(store, depth, state) {
  const children = (store.children ?? []).map((child) => place(child, depth + 1, state));
  const y = children.length ? (children[0].y + children.at(-1).y) / 2 : state.row++ * (height + gapY);
  return { store, depth, y, children };
}

function box(x, y, look, first, second, third) {
  return svg("g", { class: look, transform: `translate(${x} ${y})` },
    svg("rect", { class: "box", width, height, rx: 8 }),
    svg("text", { class: "bold", x: 12, y: 23 }, short(first, 20)),
    svg("text", { class: "soft", x: 12, y: 42 }, short(second, 24)),
    third && svg("text", { class: "soft", x: width - 12, y: 23, "text-anchor": "end" }, third));
}

function wire(x1, y1, x2, y2, used) {
  const middle = (x1 + x2) / 2;
  return svg("path", { class: used ? "wire used" : "wire", d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` });
}

export function routePicture(found) {
  const state = { row: 0 };
  const root = place(found.store, 0, state);
  const drawn = [];
  const xOf = (depth) => margin + (depth + 2) * (width + gapX);
  let deepest = 0;

  const drawStore = ({ store, depth, y, children }) => {
    deepest = Math.max(deepest, depth);
    const outcome = outcomes[store.outcome];
    const time = store.time === undefined ? "" : ` · ${latency(store.time / 1e6)}`;
    for (const child of children) {
      drawn.push(wire(xOf(depth) + width, y + height / 2 + margin, xOf(depth + 1), child.y + height / 2 + margin,
        child.store.order !== undefined));
      drawStore(child);
    }
    drawn.push(box(xOf(depth), y + margin, outcome.look, store.driver, outcome.label + time, store.order ? `#${store.order}` : null));
  };
  drawn.push(wire(margin + width, root.y + height / 2 + margin, margin + width + gapX, root.y + height / 2 + margin, true),
    wire(margin + 2 * width + gapX, root.y + height / 2 + margin, xOf(0), root.y + height / 2 + margin, true),
    box(margin, root.y + margin, "", found.key.replaceAll(":", "/"), "the key"),
    box(margin + width + gapX, root.y + margin, "", mountName(found.mount), found.prefix ? `mount, prefix ${found.prefix}` : "mount"));
  drawStore(root);
  const full = { width: xOf(deepest) + width + margin, height: state.row * (height + gapY) - gapY + 2 * margin };
  const result = found.status === "ok" ? `found in ${found.layer.driver}` : found.message ?? found.status;
  return svg("svg", { ...full, viewBox: `0 0 ${full.width} ${full.height}`, role: "img",
    "aria-label": `Route of ${found.key}: mount ${mountName(found.mount)}, ${result}. The table below has each store.` }, drawn);
}
