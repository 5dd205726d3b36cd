// SPDX-License-Identifier: Apache-2.0
// The latest slow operations.
import { get } from "./api.js";
import { empty, every, failed, h, head, scroller, show } from "./dom.js";
import { latency, moment, mountName } from "./format.js";

const period = 5_000;

function row(each) {
  const key = each.key.replaceAll(":", "/");
  return h("tr", {}, h("td", { class: "small still" }, moment(each.time)), h("td", { class: "number" }, latency(each.milliseconds / 1000)),
    h("td", { class: "mono wrap" }, h("a", { href: "#/explain/" + key.split("/").map(encodeURIComponent).join("/") }, key)),
    h("td", { class: "still" }, each.operation),
    h("td", {}, mountName(each.mountpoint)), h("td", {}, each.driver),
    h("td", { class: "wrap" }, each.error && h("span", { class: "chip bad" }, "failed"), each.error && h("div", { class: "small" }, each.error)));
}

export function open(main) {
  const limit = h("span", { class: "muted" });
  const place = h("section", { class: "card", "aria-label": "Slow operations" }, h("p", { class: "empty", role: "status" }, "Loading …"));
  show(main, head("Slow operations", limit), place);

  async function load() {
    try {
      const { threshold, operations } = await get("slow");
      limit.textContent = threshold > 0 ? `Slower than ${latency(threshold / 1000)}` : "";
      if (operations.length > 0) {
        show(place, scroller(h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "When"),
          h("th", { class: "number" }, "Time"), ["Key", "Operation", "Mount", "Driver", "Failure"].map((name) => h("th", {}, name)))),
        h("tbody", {}, operations.map(row)))));
      } else if (threshold > 0) {
        show(place, empty("No operation was slow", `Operations that take longer than ${latency(threshold / 1000)} appear here.`));
      } else {
        show(place, empty("Slow operations are not recorded",
          "Set \"log\": {\"slow\": 100} in the config and reload it: operations that take longer than 100 ms then appear here and in the log."));
      }
    } catch (error) {
      show(place, failed(error, load));
    }
  }

  return { close: every(period, load) };
}
