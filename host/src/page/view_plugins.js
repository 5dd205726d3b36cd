// SPDX-License-Identifier: Apache-2.0
// The drivers with their files, capabilities and manuals, and the plugin files that cannot be used.
import { get } from "./api.js";
import { empty, failed, h, head, scroller, show } from "./dom.js";
import { bytes, duration } from "./format.js";

const chips = { native: "ok", emulated: "warn", no: "" };

function typeOf(schema) {
  if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  const several = schema.oneOf ?? schema.anyOf;
  if (several) return several.map(typeOf).join(" | ");
  const type = [schema.type ?? "any"].flat().join(" | ");
  return type === "array" && schema.items ? `list of ${typeOf(schema.items)}` : type;
}

function optionRows(schema, prefix = "") {
  return Object.entries(schema.properties ?? {}).flatMap(([name, option]) => [
    h("tr", {}, h("td", { class: "mono" }, prefix + name), h("td", { class: "small" }, typeOf(option),
      schema.required?.includes(name) && h("div", {}, h("span", { class: "chip info" }, "required")),
      option.secret && h("div", {}, h("span", { class: "chip" }, "secret"))),
    h("td", { class: "mono small" }, option.default === undefined ? "–" : JSON.stringify(option.default)),
    h("td", {}, option.description ?? "")),
    ...optionRows(option, `${prefix}${name}.`),
  ]);
}

function limitText([name, value]) {
  const shown = name.endsWith("_size") ? bytes(value) : name.endsWith("ttl") || name === "ttl_grain" ? duration(value) : String(value);
  return `${name.replaceAll("_", " ")} ${shown}`;
}

function manual(driver) {
  const rows = optionRows(driver.schema);
  return h("section", {}, h("h2", { class: "sub" }, "Manual"), rows.length === 0 ? h("p", { class: "muted" }, "This driver has no options.")
    : scroller(h("table", { class: "manual" },
      h("thead", {}, h("tr", {}, ["Option", "Type", "Default", "Description"].map((name) => h("th", {}, name)))), h("tbody", {}, rows))));
}

function plugin(driver) {
  const facts = [["File", h("span", { class: "mono" }, driver.file)], ["SHA-256", h("span", { class: "mono" }, driver.sha256)], ["Plugin", `${driver.plugin} ${driver.plugin_version}, ABI ${driver.abi}`],
    ["Threads", driver.threads + (driver.never_blocks ? ", never blocks" : "")], ["Keeps values after", driver.keeps]];
  const limits = Object.entries(driver.limits);
  if (limits.length > 0) facts.push(["Limits", limits.map(limitText).join(", ")]);
  if (driver.children.max > 0) facts.push(["Layers", driver.children.min === driver.children.max ? driver.children.min : `${driver.children.min} to ${driver.children.max > 1e6 ? "any number" : driver.children.max}`]);
  return h("details", { class: "plugin" },
    h("summary", {}, h("strong", {}, driver.name), h("span", { class: "muted" }, driver.version), h("span", {}, driver.summary)),
    h("div", { class: "body" },
      h("dl", { class: "pairs" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      h("section", {}, h("h2", { class: "sub" }, "Capabilities"), h("div", { class: "chips" }, Object.entries(driver.capabilities).map(([name, how]) =>
        h("span", { class: `chip ${chips[how]}` }, `${name}: ${how}`)))),
      manual(driver)));
}

function rejectCard(rejects) {
  return h("section", { class: "card", "aria-label": "Files that cannot be used" }, h("div", { class: "title" }, h("h2", {}, "Files that cannot be used")),
    scroller(h("table", {}, h("thead", {}, h("tr", {}, ["File", "Reason", "What to do"].map((name) => h("th", {}, name)))),
      h("tbody", {}, rejects.map((each) => h("tr", {}, h("td", { class: "mono wrap" }, each.file), h("td", { class: "wrap" }, each.reason), h("td", { class: "wrap" }, each.advice)))))));
}

export function open(main) {
  async function load() {
    show(main, head("Plugins"), h("p", { class: "loading", role: "status" }, "Loading …"));
    try {
      const { drivers, rejects, searched } = await get("drivers");
      show(main, head("Plugins", h("span", { class: "muted" }, `${drivers.length} drivers`)),
        h("section", { class: "card", "aria-label": "Drivers" }, drivers.length > 0 ? drivers.map(plugin)
          : empty("No driver was found", `These places were searched: ${searched.join(", ")}`)),
        rejects.length > 0 && rejectCard(rejects));
    } catch (error) {
      show(main, head("Plugins"), failed(error, load));
    }
  }
  load();
}
