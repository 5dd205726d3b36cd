// SPDX-License-Identifier: Apache-2.0
// The route of one key: the mount and the stores that a get calls, as a picture and as a table.
import { get } from "./api.js";
import { empty, failed, h, head, scroller, show } from "./dom.js";
import { bytes, latency, mountName } from "./format.js";
import { outcomes, routePicture } from "./route_picture.js";

/** The stores of a route in the order of the tree, with their depth. */
function hops(store, depth = 0) {
  return [{ store, depth }, ...(store.children ?? []).flatMap((child) => hops(child, depth + 1))];
}

function table(found) {
  return scroller(h("table", {},
    h("thead", {}, h("tr", {}, ["Store", "Result", "Order", "Time", "About"].map((name) => h("th", {}, name)))),
    h("tbody", {}, hops(found.store).map(({ store, depth }) => h("tr", {},
      h("td", {}, "\u00a0\u00a0\u00a0".repeat(depth), depth > 0 && "└ ", store.driver),
      h("td", {}, h("span", { class: `chip ${outcomes[store.outcome].chip}` }, outcomes[store.outcome].label)),
      h("td", {}, store.order ?? "–"),
      h("td", {}, store.time === undefined ? "–" : latency(store.time / 1e6)),
      h("td", { class: "wrap small" }, store.message && h("div", {}, store.message),
        store.about && h("code", {}, JSON.stringify(store.about))))))));
}

function summary(found) {
  const pairs = [["Mount", mountName(found.mount)], ["Key inside the store", found.inside],
    ["Result", found.status === "ok" ? `found in ${found.layer.driver}` : found.message ?? found.status]];
  if (found.meta) pairs.push(["Size", bytes(found.meta.size)]);
  if (found.read_only) pairs.push(["Access", "read-only"]);
  return h("dl", { class: "pairs" }, pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function open(main, rest) {
  const input = h("input", { type: "text", id: "explain-key", "aria-label": "Key", placeholder: "A key, such as users/1", autocomplete: "off",
    spellcheck: "false", required: true });
  const place = h("div");
  show(main, head("Explain"), h("section", { class: "card", "aria-label": "Route of a key" },
    h("form", { class: "find", onsubmit: (event) => {
      event.preventDefault();
      const target = "#/explain/" + input.value.trim().split("/").map(encodeURIComponent).join("/");
      if (location.hash === target) explain(input.value.trim());
      else location.hash = target;
    } }, input, h("button", { type: "submit", class: "primary" }, "Explain")),
    place));

  async function explain(key) {
    input.value = key;
    if (!key) {
      show(place, empty("Which way does a key go?",
        "Explain does one get of the key and shows each store that it calls, with its result and its time. The get counts like any other."));
      return;
    }
    try {
      const found = await get(`explain?key=${encodeURIComponent(key.replaceAll("/", ":"))}`);
      show(place, h("div", { class: "route", tabindex: "0", role: "region", "aria-label": "Picture of the route" }, routePicture(found)),
        h("div", { class: "pad" }, summary(found)), table(found));
    } catch (error) {
      show(place, failed(error, () => explain(key)));
    }
  }

  explain(rest);
  return {
    move(key) {
      explain(key);
      return true;
    },
  };
}
