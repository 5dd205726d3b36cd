// SPDX-License-Identifier: Apache-2.0
// Changes as they come, with a filter and a pause.
import { keyUrl } from "./api.js";
import { h, head, show } from "./dom.js";
import { clock, count } from "./format.js";
import { firstFolder, mayRead } from "./session.js";

const most = 1000; // events kept

const kinds = { update: "info", remove: "warn", resync: "bad", limited: "warn" };

export function open(main, rest) {
  let events = []; // the newest first
  let paused = null; // while paused: how many came meanwhile
  let source = null;
  let drawing = 0;
  let base = rest || firstFolder();
  const types = new Set(["update", "remove"]);

  const body = h("tbody");
  const state = h("span", { class: "chip dot", role: "status" }, "connecting");
  const amount = h("span", { class: "muted small" });
  const folder = h("input", { type: "text", "aria-label": "Base", placeholder: "every key", autocomplete: "off", spellcheck: "false" });
  folder.value = base;
  const filter = h("input", { type: "search", "aria-label": "Filter by key", placeholder: "Filter by key", oninput: () => draw() });
  const pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => setPause(paused === null) }, "Pause");
  const none = h("div", { class: "empty" }, h("strong", {}, "No events yet"),
    h("p", {}, "A change of a key below the base appears here as soon as it happens."));
  const table = h("table", {},
    h("thead", {}, h("tr", {}, h("th", {}, "Time"), h("th", {}, "Event"), h("th", {}, "Key"), h("th", {}, "Cause"))), body);
  const check = (type, label) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: true,
    onchange(event) {
      event.target.checked ? types.add(type) : types.delete(type);
      draw();
    } }), label);

  show(main, head("Events", state, pause, h("button", { type: "button", onclick: () => {
    events = [];
    draw();
  } }, "Clear")),
  h("section", { class: "card", "aria-label": "Events" },
    h("form", { class: "filters", onsubmit: (event) => {
      event.preventDefault();
      base = folder.value.trim();
      if (base && !base.endsWith("/")) base += "/";
      folder.value = base;
      listen();
    } }, h("span", { class: "pair" }, folder, h("button", { type: "submit" }, "Watch")), filter, check("update", "updates"), check("remove", "removes"), amount),
    h("div", { class: "events scroll", tabindex: "0", role: "region", "aria-label": "List of events" }, table, none)));

  function row(event) {
    const href = event.key && "#/keys/" + event.key.split("/").map(encodeURIComponent).join("/");
    return h("tr", {}, h("td", { class: "small" }, clock(event.time)),
      h("td", {}, h("span", { class: `chip ${kinds[event.type]}` }, event.type)),
      h("td", { class: "mono wrap" }, event.key ? event.type === "update" ? h("a", { href }, event.key) : event.key : event.text),
      h("td", { class: "muted small" }, event.cause ?? ""));
  }

  const fits = (event) => !event.key || (types.has(event.type) && event.key.includes(filter.value));

  function draw() {
    cancelAnimationFrame(drawing);
    drawing = requestAnimationFrame(() => {
      const shown = events.filter(fits);
      show(body, shown.slice(0, 300).map(row));
      none.hidden = shown.length > 0;
      table.hidden = shown.length === 0;
      amount.textContent = paused === null ? `${count(shown.length)} events` : `${count(paused)} new while paused`;
    });
  }

  function setPause(on) {
    paused = on ? 0 : null;
    pause.textContent = on ? "Resume" : "Pause";
    pause.setAttribute("aria-pressed", String(on));
    if (!on) {
      events = [...waiting, ...events].slice(0, most);
      waiting = [];
    }
    draw();
  }

  let waiting = []; // what came while paused, the newest first
  function take(event) {
    if (paused === null) {
      events.unshift(event);
      if (events.length > most) events.length = most;
    } else {
      ++paused;
      waiting.unshift(event);
      if (waiting.length > most) waiting.length = most;
    }
    draw();
  }

  function say(kind, text) {
    state.className = `chip dot ${kind}`;
    state.textContent = text;
  }

  function listen() {
    source?.close();
    if (!mayRead(base)) return say("bad", "your token may not watch this base");
    say("", "connecting");
    source = new EventSource(keyUrl(base));
    source.onopen = () => say("ok", "live");
    source.onerror = () => (source.readyState === EventSource.CLOSED
      ? say("bad", "the host refused the stream") : say("warn", "connecting again"));
    for (const type of ["update", "remove", "resync", "limited"]) {
      source.addEventListener(type, ({ data }) => {
        const found = JSON.parse(data);
        const text = type === "resync" ? `${found.missed ?? "Some"} events were lost` : found.message;
        take({ type, time: Date.now(), key: found.key, cause: found.cause, text });
      });
    }
  }

  draw();
  listen();
  return {
    close() {
      source?.close();
      cancelAnimationFrame(drawing);
    },
  };
}
