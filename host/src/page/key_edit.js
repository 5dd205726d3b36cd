// SPDX-License-Identifier: Apache-2.0
// Edits a value. The write is bound to the value that was seen: a conflict is shown, and nothing is overwritten.
import { read, write } from "./api.js";
import { toast } from "./dialogs.js";
import { h, show } from "./dom.js";
import { textOf } from "./preview.js";

export const longestEdit = 1024 * 1024;

export function editKey(panel, key, value, meta, { saved, left }) {
  let base = value; // the version that the next write replaces
  const text = h("textarea", { id: "value", spellcheck: "false", rows: 18 });
  text.value = textOf(value.bytes);
  const ttl = h("input", { type: "text", id: "edit-ttl", autocomplete: "off", placeholder: "the mount's default" });
  // A write sets the expiry anew, so the time that is left is what keeps it as it is.
  if (meta.expiry) ttl.value = `${Math.max(1, Math.ceil((meta.expiry - Date.now()) / 1000))}s`;
  else ttl.value = "0";
  const problem = h("div", { hidden: true, role: "alert" });
  const save = h("button", { type: "submit", class: "primary" }, "Save");

  function conflict(theirs) {
    const gone = theirs === null;
    const shown = gone ? null : textOf(theirs.bytes);
    problem.hidden = false;
    show(problem, h("div", { class: "note warn" },
      h("h3", {}, gone ? "Somebody removed this key while you edited it" : "Somebody changed this key while you edited it"),
      h("p", {}, "Nothing was overwritten. Your text is still in the editor."),
      !gone && h("div", { class: "conflict" },
        h("div", {}, h("h3", {}, "Stored now"), h("pre", { tabindex: "0" }, shown ?? "(not text)")),
        h("div", {}, h("h3", {}, "Yours"), h("pre", { tabindex: "0" }, text.value))),
      h("div", { class: "actions" },
        h("button", { type: "button", onclick: left }, "Discard mine"),
        h("button", { type: "button", onclick: () => {
          base = theirs;
          problem.hidden = true;
          save.textContent = gone ? "Save as a new key" : "Save over the stored version";
          text.focus();
        } }, "Keep editing mine"))));
  }

  async function submit(event) {
    event.preventDefault();
    save.disabled = true;
    problem.hidden = true;
    try {
      await write(key, text.value, { etag: base?.etag, absent: base === null, ttl: ttl.value.trim(), user: value.user });
      toast(`Saved ${key}`);
      saved();
    } catch (error) {
      if (error.status === 412) {
        conflict(await read(key));
      } else {
        problem.hidden = false;
        show(problem, h("p", { class: "note bad" }, error.message));
      }
    } finally {
      save.disabled = false;
    }
  }

  show(panel, h("div", { class: "title" }, h("h2", { class: "name" }, key)),
    h("form", { class: "pad form", onsubmit: submit },
      problem,
      !value.etag && h("p", { class: "note warn" },
        "This store has no etags: a change that somebody makes meanwhile would be overwritten."),
      h("div", { class: "field" }, h("label", { for: "value" }, "Value"), text),
      h("div", { class: "field" }, h("label", { for: "edit-ttl" }, "Expires after"), ttl,
        h("span", { class: "muted small" }, "Such as 90s, 5m or 7d; 0 for ever")),
      h("div", { class: "actions" }, save, h("button", { type: "button", onclick: left }, "Cancel"))));
  text.focus();
}
