// SPDX-License-Identifier: Apache-2.0
// Deletes all keys below a folder, after its name was typed.
import { request, keyUrl } from "./api.js";
import { openDialog, toast } from "./dialogs.js";
import { h } from "./dom.js";

export async function deleteFolder(folder, done) {
  const agreed = await openDialog("Delete this folder?", (close) => {
    const name = h("input", { type: "text", id: "folder-name", autocomplete: "off", spellcheck: "false", oninput: () => check() });
    const go = h("button", { type: "submit", class: "primary danger", disabled: true }, "Delete all keys");
    const check = () => (go.disabled = name.value !== folder);
    return h("form", {
      class: "form",
      onsubmit(event) {
        event.preventDefault();
        close(true);
      },
    },
    h("p", {}, `Every key below ${folder} is removed for every client, also those that the list does not show yet.`),
    h("div", { class: "field" }, h("label", { for: "folder-name" }, `Type ${folder} to confirm`), name),
    h("div", { class: "actions end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"), go));
  });
  if (!agreed) return;
  try {
    await request(keyUrl(folder), { method: "DELETE" });
    toast(`Deleted all keys below ${folder}`);
  } catch (error) {
    toast(error.message, "bad");
  }
  await done();
}
