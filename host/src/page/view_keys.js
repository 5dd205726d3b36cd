// SPDX-License-Identifier: Apache-2.0
// The keys: folders and keys at the left, the chosen key at the right.
import { list, stat } from "./api.js";
import { toast } from "./dialogs.js";
import { button, empty, failed, h, head, show } from "./dom.js";
import { bytes, count, duration } from "./format.js";
import { deleteFolder } from "./folder_delete.js";
import { openDetail } from "./key_detail.js";
import { createKey, uploadFiles } from "./key_new.js";
import { firstFolder, mayRead, mayWrite } from "./session.js";
import { VirtualList } from "./virtual_list.js";

const pageSize = 1000;
const lastPoint = "\u{10ffff}"; // every key with a prefix is before the prefix and this

const folderOf = (key) => key.slice(0, key.lastIndexOf("/", key.length - 2) + 1);
const isFolder = (key) => key.endsWith("/");
export const hrefOf = (key) => "#/keys/" + key.split("/").map(encodeURIComponent).join("/");

function crumbs(folder) {
  const parts = folder.split("/").filter(Boolean);
  return h("nav", { class: "crumbs", "aria-label": "Folder" }, h("a", { href: hrefOf("") }, "all keys"),
    parts.map((part, i) => ["/", h("a", { href: hrefOf(parts.slice(0, i + 1).join("/") + "/") }, part)]));
}

export function open(main, rest, parameters) {
  const start = rest === "" && !mayRead("") ? firstFolder() : rest;
  let folder = isFolder(start) ? start : folderOf(start);
  let search = parameters.get("prefix") ?? "";
  let metas = new Map();
  let cursor = null;
  let loading = null;
  let stats = null;
  let detail = null;

  const status = h("div", { class: "status", role: "status" });
  const blank = h("div", { class: "blank", hidden: true });
  const title = h("div", { class: "title" });
  const field = h("input", { type: "search", placeholder: "Search by prefix", "aria-label": "Search keys by prefix",
    spellcheck: "false", autocomplete: "off" });
  const keys = new VirtualList({
    label: "Keys",
    kind: (key) => (isFolder(key) ? "folder" : "key-line"),
    draw: (key) => line(key),
    pick: (key) => (location.hash = hrefOf(key)),
    more: () => next(),
    seen: (items) => lookAt(items),
    up: () => folder && (location.hash = hrefOf(folderOf(folder))),
  });
  const browser = h("section", { class: "card browser", "aria-label": "Browse" }, title,
    h("form", { class: "find", role: "search", onsubmit: (event) => {
      event.preventDefault();
      const folders = folder.split("/").map(encodeURIComponent).join("/");
      location.hash = `#/keys/${folders}${field.value ? "?prefix=" + encodeURIComponent(field.value) : ""}`;
    } }, field, h("button", { type: "submit" }, "Search")), keys.element, blank, status);
  const panel = h("section", { class: "card detail", "aria-label": "Chosen key" });
  const frame = h("div", { class: "keys" }, browser, panel);
  const tools = h("div", { class: "actions" });
  show(main, head("Keys", tools), frame);

  function line(key) {
    const shown = search ? key : key.slice(folder.length);
    const meta = metas.get(key);
    const left = meta?.expiry ? meta.expiry - Date.now() : null;
    return [h("span", { class: "key", title: key }, shown), h("span", { class: "number" }, meta ? bytes(meta.size) : ""),
      h("span", { class: "number expiry" }, left === null ? "" : duration(left))];
  }

  /** Fetches the sizes and expiries of the visible keys. */
  async function lookAt(items) {
    const unknown = items.filter((key) => !isFolder(key) && !metas.has(key));
    if (unknown.length === 0) return;
    stats?.abort();
    const mine = (stats = new AbortController());
    try {
      const found = await stat(unknown, mine.signal);
      if (stats !== mine) return;
      for (const key of unknown) metas.set(key, found.get(key) ?? null);
      keys.repaint();
    } catch {
      // The list is of use without sizes; the next rest of the list tries again.
    }
  }

  async function next() {
    if (loading || keys.complete) return;
    await load(false);
  }

  async function load(fresh) {
    if (fresh) loading?.abort();
    const mine = (loading = new AbortController());
    const asked = { limit: pageSize };
    if (search) Object.assign(asked, { start: search, end: search + lastPoint });
    else asked.folders = "";
    if (!fresh && cursor) asked.cursor = cursor;
    try {
      const page = await list(search ? folderOf(search) : folder, asked, mine.signal);
      cursor = page.cursor;
      loading = null;
      if (fresh) keys.reset(page.keys, !cursor);
      else keys.append(page.keys, !cursor);
      say(page.skipped);
    } catch (error) {
      if (error.name === "AbortError") return;
      loading = null;
      keys.complete = true;
      if (!fresh) return toast(error.message, "bad");
      stand(failed(error, () => load(true)));
      show(status, "Not loaded");
    }
  }

  /** Shows something in the place of the list, or the list if it is null. */
  function stand(content) {
    show(blank, content);
    blank.hidden = content === null;
    keys.element.hidden = content !== null;
  }

  function say(skipped) {
    const amount = keys.items.length;
    stand(amount > 0 ? null : search ? empty(`No key begins with “${search}”`, "A prefix is a whole key from its start, such as users/1.")
      : empty(folder ? "This folder is empty" : "There are no keys yet", mayWrite(folder) ? "Create one here, or upload a file." : ""));
    const what = search ? `with the prefix “${search}”` : folder ? "in this folder" : "at the top";
    show(status,
      h("span", {}, `${count(amount)}${keys.complete ? "" : "+"} ${what}`),
      skipped && h("span", { class: "chip warn", title: skipped }, "some stores could not be read"));
  }

  function drawTools() {
    const target = search ? folderOf(search) : folder;
    const files = h("input", { type: "file", multiple: true, hidden: true, "aria-label": "Files to upload",
      onchange: () => uploadFiles(target, [...files.files], done) });
    show(tools, mayWrite(target)
      ? [!search && folder && button("Delete folder", () => deleteFolder(folder, done), { class: "danger" }),
        button("Upload", () => files.click()), files,
        button("New key", () => createKey(target, done), { class: "primary" })]
      : h("span", { class: "chip" }, "Your token only reads here"));
  }

  /** A key was made: the list shows it, and the detail opens it. */
  async function done(key) {
    await load(true);
    if (key) location.hash = hrefOf(key);
  }

  function showKey(key) {
    detail?.close();
    detail = null;
    frame.classList.toggle("shows-key", Boolean(key));
    keys.select(key || null);
    if (key) {
      detail = openDetail(panel, key, {
        back: hrefOf(folder) + (search ? `?prefix=${encodeURIComponent(search)}` : ""),
        changed() {
          metas.delete(key);
          keys.repaint();
        },
        gone() {
          metas.delete(key);
          load(true);
        },
      });
    } else {
      show(panel, h("div", { class: "empty" }, h("strong", {}, "No key is chosen"),
        h("p", {}, "Choose a key to see its value and its meta.")));
    }
  }

  function go(path, prefix, fresh) {
    const key = isFolder(path) || path === "" ? null : path;
    const into = key ? search || folder && key.startsWith(folder) && folderOf(key) === folder ? folder : folderOf(key) : path;
    const searches = key ? search : prefix;
    if (fresh || into !== folder || searches !== search) {
      folder = into;
      search = searches;
      metas = new Map();
      cursor = null;
      stand(null);
      keys.reset([], true);
      show(status, "Loading …");
      load(true);
    }
    field.value = search;
    show(title, crumbs(folder));
    drawTools();
    showKey(key);
  }

  browser.addEventListener("dragover", (event) => {
    if (!mayWrite(folder)) return;
    event.preventDefault();
    browser.classList.add("dropping");
  });
  browser.addEventListener("dragleave", () => browser.classList.remove("dropping"));
  browser.addEventListener("drop", (event) => {
    event.preventDefault();
    browser.classList.remove("dropping");
    if (mayWrite(folder)) uploadFiles(folder, [...event.dataTransfer.files], done);
  });

  go(start, search, true);
  return {
    move(path, now) {
      go(path === "" && !mayRead("") ? firstFolder() : path, now.get("prefix") ?? "", false);
      return true;
    },
    close() {
      loading?.abort();
      stats?.abort();
      detail?.close();
      keys.close();
    },
  };
}
