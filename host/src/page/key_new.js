// SPDX-License-Identifier: Apache-2.0
// Makes keys: from a form, and from files.
import { write } from "./api.js";
import { confirm, openDialog, toast } from "./dialogs.js";
import { h } from "./dom.js";

export async function createKey(folder, done) {
  const key = await openDialog("New key", (close) => {
    const name = h("input", { type: "text", id: "new-key", required: true, autocomplete: "off", spellcheck: "false" });
    name.value = folder;
    const text = h("textarea", { id: "new-value", spellcheck: "false", rows: 8 });
    const ttl = h("input", { type: "text", id: "new-ttl", autocomplete: "off", placeholder: "the mount's default" });
    const problem = h("p", { class: "note bad", role: "alert", hidden: true });
    return h("form", {
      class: "form",
      async onsubmit(event) {
        event.preventDefault();
        problem.hidden = true;
        const made = name.value.trim();
        try {
          await write(made, text.value, { absent: true, ttl: ttl.value.trim() });
          close(made);
        } catch (error) {
          problem.hidden = false;
          problem.textContent = error.status === 412 ? "This key exists already. Choose it in the list to edit it." : error.message;
        }
      },
    },
    problem,
    h("div", { class: "field" }, h("label", { for: "new-key" }, "Key"), name,
      h("span", { class: "muted small" }, "Folders end with /")),
    h("div", { class: "field" }, h("label", { for: "new-value" }, "Value"), text),
    h("div", { class: "field" }, h("label", { for: "new-ttl" }, "Expires after"), ttl,
      h("span", { class: "muted small" }, "Such as 90s, 5m or 7d; 0 for ever")),
    h("div", { class: "actions end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Create")));
  });
  if (!key) return;
  toast(`Created ${key}`);
  await done(key);
}

/** Uploads files into a folder. A key that exists is replaced only if the person agrees. */
export async function uploadFiles(folder, files, done) {
  let last = null;
  for (const file of files) {
    const key = folder + file.name;
    try {
      await write(key, file, { absent: true }).catch(async (error) => {
        if (error.status !== 412) throw error;
        if (!await confirm("Replace this key?", `${key} exists already.`, "Replace", true)) return;
        await write(key, file);
      });
      last = key;
      toast(`Uploaded ${key}`);
    } catch (error) {
      toast(`${key}: ${error.message}`, "bad");
    }
  }
  await done(files.length === 1 ? last : null);
}
