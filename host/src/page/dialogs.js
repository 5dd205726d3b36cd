// SPDX-License-Identifier: Apache-2.0
// Short messages, and questions in a dialog.
import { h, show } from "./dom.js";

export function toast(message, kind = "") {
  const made = h("div", { class: `toast ${kind}` }, message);
  document.getElementById("toasts").append(made);
  setTimeout(() => made.remove(), kind === "bad" ? 12_000 : 4_000);
}

/**
 * Opens a dialog. `body(close)` returns its content; close(value) ends it. Returns the value, or undefined if the
 * dialog was left by Escape.
 */
export function openDialog(title, body) {
  return new Promise((resolve) => {
    let result;
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" });
    const close = (value) => {
      result = value;
      dialog.close();
    };
    show(dialog, h("h2", { id: "dialog-title" }, title), ...[body(close)].flat());
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(result);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Returns true if the person agrees. */
export async function confirm(title, text, label, danger = false) {
  return (await openDialog(title, (close) => [
    h("p", {}, text),
    h("div", { class: "actions end" },
      h("button", { type: "button", onclick: () => close(false) }, "Cancel"),
      h("button", { type: "button", class: danger ? "primary danger" : "primary", onclick: () => close(true) }, label)),
  ])) === true;
}
