// SPDX-License-Identifier: Apache-2.0
// One key: its meta, its value in several forms, and what may be done with it.
import { keyUrl, read, remove, setTtl, stat, userText } from "./api.js";
import { confirm, openDialog, toast } from "./dialogs.js";
import { button, failed, h, segments, show } from "./dom.js";
import { bytes, duration, moment } from "./format.js";
import { editKey, longestEdit } from "./key_edit.js";
import { formsOf, render } from "./preview.js";
import { mayWrite } from "./session.js";

const longestPreview = 256 * 1024;
const longestImage = 16 * 1024 * 1024;

/** The time that is left, once a second. */
function countdown(expiry) {
  const text = h("dd", { "data-expiry": "" });
  const tick = () => {
    const left = expiry - Date.now();
    text.textContent = left > 0 ? `in ${duration(left)}` : "expired";
    text.title = moment(expiry);
  };
  tick();
  const timer = setInterval(tick, 1000);
  return [text, () => clearInterval(timer)];
}

export function openDetail(panel, key, { back, changed, gone }) {
  let stops = [];
  let closed = false;
  let picture = null;

  const stopAll = () => {
    for (const stop of stops) stop();
    stops = [];
    if (picture) URL.revokeObjectURL(picture);
    picture = null;
  };

  function pairs(meta, value) {
    const made = h("dl", { class: "pairs" });
    const add = (name, content) => made.append(h("dt", {}, name), content instanceof Node ? content : h("dd", {}, content));
    add("Size", bytes(meta.size ?? value.total));
    add("Changed", meta.mtime ? moment(meta.mtime) : "–");
    if (meta.expiry) {
      const [text, stop] = countdown(meta.expiry);
      stops.push(stop);
      add("Expires", text);
    } else {
      add("Expires", "never");
    }
    add("ETag", meta.etag ? h("dd", { class: "mono" }, meta.etag) : "–");
    if (value.user) add("User meta", h("dd", { class: "mono" }, userText(value.user)));
    return made;
  }

  async function askTtl(meta) {
    const input = h("input", { type: "text", id: "ttl", placeholder: "such as 90s, 5m, 7d; 0 for ever", autocomplete: "off" });
    const ttl = await openDialog("Set the expiry", (close) => h("form", {
      class: "form", onsubmit(event) {
        event.preventDefault();
        close(input.value.trim());
      },
    },
    h("div", { class: "field" }, h("label", { for: "ttl" }, "Expires after"), input,
      h("span", { class: "muted small" }, meta.expiry ? `Now it expires at ${moment(meta.expiry)}.` : "Now it never expires.")),
    h("div", { class: "actions end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Set"))));
    if (!ttl) return;
    try {
      await setTtl(key, ttl);
      toast("The expiry is set");
      changed();
      await load();
    } catch (error) {
      toast(error.message, "bad");
    }
  }

  async function askRemove(meta) {
    if (!await confirm("Delete this key?", `${key} is removed for every client.`, "Delete", true)) return;
    try {
      await remove(key, meta.etag ? `"${meta.etag}"` : null);
      toast(`Deleted ${key}`);
      gone();
      location.hash = back;
    } catch (error) {
      if (error.status !== 412) return toast(error.message, "bad");
      toast("Somebody changed this key since you opened it, so it was not deleted", "bad");
      await load();
    }
  }

  function actions(meta, value) {
    const copy = navigator.clipboard && formsOf(value.bytes).includes("text") && value.bytes.length === value.total &&
      button("Copy", () => navigator.clipboard.writeText(new TextDecoder().decode(value.bytes)).then(
        () => toast("The value is in the clipboard"), (error) => toast(error.message, "bad")));
    const tools = [copy, h("a", { class: "button", href: keyUrl(key), download: key.slice(key.lastIndexOf("/") + 1) }, "Download")];
    if (!mayWrite(key)) return tools;
    const isText = formsOf(value.bytes).includes("text");
    const whole = value.bytes.length === value.total;
    const edit = button("Edit", () => {
      stopAll();
      editKey(panel, key, value, meta, { saved: () => (changed(), load()), left: load });
    });
    if (!isText || !whole || value.total > longestEdit) {
      edit.disabled = true;
      edit.title = isText ? "It is too long to be edited here; upload a file" : "It is not text; upload a file";
    }
    return [edit, button("Expiry", () => askTtl(meta)), ...tools,
      button("Delete", () => askRemove(meta), { class: "danger" })];
  }

  function preview(value) {
    const forms = formsOf(value.bytes);
    const place = h("div");
    const cut = value.bytes.length < value.total;
    const draw = async (form) => {
      let whole = value;
      if (form === "image" && cut && value.total <= longestImage) whole = await read(key) ?? value;
      if (picture) URL.revokeObjectURL(picture);
      const made = render(form, whole.bytes);
      picture = made.picture ?? null;
      show(place, made.element);
    };
    const names = { json: "JSON", text: "Text", hex: "Hex", image: "Image" };
    draw(forms[0]);
    return h("div", { class: "preview" },
      h("div", { class: "tools" }, segments("Form of the preview", forms.map((form) => [form, names[form]]), forms[0], draw),
        cut && h("span", { class: "chip warn" }, `the first ${bytes(value.bytes.length)} of ${bytes(value.total)}`)),
      place);
  }

  async function load() {
    stopAll();
    try {
      const [metas, value] = await Promise.all([stat([key]), read(key, longestPreview)]);
      if (closed) return;
      const name = h("div", { class: "title" }, h("a", { class: "button back", href: back }, "Back"),
        h("h2", { class: "name" }, key));
      if (!value) {
        show(panel, name, h("div", { class: "empty" }, h("strong", {}, "There is no such key"),
          h("p", {}, "It may have expired, or somebody removed it.")));
        return;
      }
      const meta = metas.get(key) ?? {};
      show(panel, name, h("div", { class: "pad" }, pairs(meta, value), h("div", { class: "actions" }, actions(meta, value))),
        preview(value));
    } catch (error) {
      if (!closed) show(panel, failed(error, load));
    }
  }

  show(panel, h("p", { class: "empty", role: "status" }, "Loading …"));
  load();
  return {
    close() {
      closed = true;
      stopAll();
    },
  };
}
