// SPDX-License-Identifier: Apache-2.0
// The mounts with their layers as a tree, and the last hour of the chosen one.
import { get } from "./api.js";
import { empty, every, failed, h, head, scroller, show } from "./dom.js";
import { bytes, count, duration, latency, mountName, percent } from "./format.js";
import { openHistory } from "./history.js";

const period = 5_000;

/** Joins what /mounts and /stats know of a store and the stores below it: a list of rows. */
function rowsOf(store, stats, isOpen, level, path) {
  const children = store.children ?? [];
  const row = { driver: store.driver, version: store.version, file: store.file, stats, isOpen, level, path, layers: children.length };
  const below = children.flatMap((child, i) => rowsOf(child, stats?.layers?.[i], isOpen, level + 1, [...path, i]));
  return [row, ...below];
}

/** The bytes and keys that a store reports of itself. A layer's are those of the stores below it. */
function sizeOf({ stats, isOpen, layers }) {
  const { bytes: size, keys } = stats?.gauges ?? {};
  const parts = [];
  if (size !== undefined) parts.push(bytes(size));
  if (keys !== undefined) parts.push(keys === 1 ? "1 key" : `${count(keys)} keys`);
  if (parts.length > 0) return parts.join(" · ");
  return h("span", { class: "muted" }, !stats || !isOpen ? "–" : layers > 0 ? "see its layers" : "not reported");
}

/** The reasons of /ready by mount: "mount NAME: DRIVER: MESSAGE". */
async function reasons() {
  const body = await get("ready").catch((error) => error.body);
  const found = new Map();
  for (const reason of body?.reasons ?? []) {
    const match = /^mount (.*?): (.*)$/s.exec(reason);
    if (match) found.set(match[1] === "(root)" ? "" : match[1], match[2]);
  }
  return found;
}

function stateOf(mount, reason) {
  if (!mount.available) return ["bad", "not open", mount.reason];
  if (reason) return ["bad", "failing", reason];
  return ["ok", mount.read_only ? "read-only" : "open", ""];
}

function cells(row) {
  const { stats } = row;
  const time = stats && [stats.read_latency, stats.write_latency].filter((each) => each.count > 0);
  const worst = (name) => (time?.length ? Math.max(...time.map((each) => each[name])) : null);
  return [
    h("td", { class: "number" }, stats && stats.reads > 0 ? percent(stats.hit_rate) : "–"),
    h("td", { class: "number" }, time?.length ? `${latency(worst("p50"))} / ${latency(worst("p99"))}` : "–"),
    h("td", { class: "number" }, stats ? stats.errors > 0 ? h("span", { class: "chip bad" }, count(stats.errors)) : "0" : "–"),
    h("td", { class: "number" }, sizeOf(row)),
    h("td", { class: "wide", title: row.file }, `${row.driver} ${row.version}`),
  ];
}

function mountRows(mount, stats, reason, chosen, choose) {
  const rows = rowsOf(mount.store, stats, mount.available, 1, []);
  const [kind, label, why] = stateOf(mount, reason);
  return rows.map((row, i) => {
    const isMount = i === 0;
    return h("tr", {
      "aria-level": row.level, "data-level": row.level, tabindex: "-1",
      class: isMount ? "pick mount" : "layer",
      "aria-selected": isMount ? String(mount.mountpoint === chosen) : null,
      "data-mount": isMount ? mount.mountpoint : null,
      onclick: isMount ? () => choose(mount.mountpoint) : null,
    },
    h("td", {}, h("span", { class: "twig" }, !isMount && h("span", { class: "elbow", "aria-hidden": "true" }),
      h("span", { class: "name" }, isMount ? mountName(mount.mountpoint) : row.driver))),
    h("td", {}, isMount && h("span", { class: `chip dot ${kind}` }, label), isMount && why &&
      h("div", { class: "reason small" }, why)),
    ...cells(row));
  });
}

/** Moves the focus between the rows of the tree; Enter and Space choose. */
function onKey(event) {
  const rows = [...event.currentTarget.querySelectorAll("tbody tr")];
  const at = rows.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
  if (next !== undefined && rows[next]) rows[next].focus();
  else if ((event.key === "Enter" || event.key === " ") && at >= 0) rows[at].click();
  else return;
  event.preventDefault();
}

function facts(stats) {
  const items = [];
  if (stats.process) {
    items.push(["Up for", duration(stats.time - stats.process.start_time * (stats.process.start_time < 1e11 ? 1000 : 1))],
      ["Memory", bytes(stats.process.resident_bytes)],
      ["Connections", count(stats.listeners.reduce((sum, each) => sum + each.connections, 0))],
      ["Requests waiting", count(stats.threads.waiting)],
      ["Threads stuck", count(stats.threads.stuck)]);
  }
  const sum = (name) => stats.mounts.reduce((total, mount) => total + mount[name], 0);
  items.push(["Operations", count(sum("reads") + sum("writes") + sum("removes") + sum("lists"))], ["Errors", count(sum("errors"))]);
  return items.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)));
}

function drainingCard(draining) {
  return h("section", { class: "card" }, h("div", { class: "title" }, h("h2", {}, "Stores that close")),
    scroller(h("table", {},
      h("thead", {}, h("tr", {}, ["Mount", "Driver", "State", "For", "Waits for"].map((name) => h("th", {}, name)))),
      h("tbody", {}, draining.map((store) => h("tr", {}, h("td", {}, mountName(store.mountpoint)), h("td", {}, store.driver),
        h("td", {}, store.state), h("td", {}, duration(store.age * 1000)), h("td", { class: "wrap" }, store.waits_for)))))));
}

export function open(main, rest) {
  let chosen = rest || null;
  let last = null;
  const factList = h("dl", { class: "facts" });
  const body = h("tbody");
  const table = h("table", { class: "tree", role: "treegrid", "aria-label": "Mounts and their layers", onkeydown: onKey },
    h("thead", {}, h("tr", {}, h("th", {}, "Mount"), h("th", {}, "State"), h("th", { class: "number" }, "Hit rate"),
      h("th", { class: "number" }, "p50 / p99"), h("th", { class: "number" }, "Errors"), h("th", { class: "number" }, "Size"),
      h("th", { class: "wide" }, "Plugin"))), body);
  const sizeNote = h("p", { class: "muted small pad", hidden: true }, "Size: a store whose size is “not reported” cannot tell it "
    + "without reading everything. This command counts its keys and bytes: ", h("code", {}, "omnistore inspect"));
  const treeCard = h("section", { class: "card", "aria-label": "Mounts" });
  const drains = h("div", { hidden: true });
  const historyCard = h("section", { class: "card", "aria-label": "The last hour" });
  const content = h("div", { class: "stack" }, factList, treeCard, drains, historyCard);
  show(main, head("Mounts"), h("p", { class: "loading", role: "status" }, "Loading …"));
  const history = openHistory(historyCard);

  const choose = (point) => {
    chosen = point;
    globalThis.history.replaceState(null, "", `#/mounts/${encodeURIComponent(point)}`);
    history.choose(point);
    draw();
  };

  function draw() {
    const { mounts, stats, why } = last;
    if (mounts.mounts.length === 0) {
      show(treeCard, empty("Nothing is mounted", "Add a mount to the config, and reload it."));
      return;
    }
    if (!table.isConnected) show(treeCard, scroller(table), sizeNote);
    const focused = body.contains(document.activeElement) ? [...body.children].indexOf(document.activeElement) : -1;
    const byPoint = new Map(stats.mounts.map((each) => [each.mountpoint, each]));
    show(body, mounts.mounts.map((mount) =>
      mountRows(mount, byPoint.get(mount.mountpoint), why.get(mount.mountpoint), chosen, choose)));
    sizeNote.hidden = !body.textContent.includes("not reported");
    const entry = body.children[focused >= 0 ? focused : 0];
    entry?.setAttribute("tabindex", "0");
    if (focused >= 0) entry?.focus();
  }

  async function load() {
    try {
      const [mounts, stats, why] = await Promise.all([get("mounts"), get("stats"), reasons()]);
      last = { mounts, stats, why };
      if (chosen === null || !mounts.mounts.some((each) => each.mountpoint === chosen)) {
        chosen = mounts.mounts[0]?.mountpoint ?? null;
      }
      if (!content.isConnected) show(main, head("Mounts"), content);
      show(factList, facts(stats));
      draw();
      drains.hidden = !mounts.draining?.length;
      show(drains, mounts.draining?.length ? drainingCard(mounts.draining) : null);
      historyCard.hidden = chosen === null;
      if (chosen !== null) history.choose(chosen);
    } catch (error) {
      show(main, head("Mounts"), failed(error, load));
    }
  }

  const stop = every(period, load);
  return {
    close() {
      stop();
      history.close();
    },
  };
}
