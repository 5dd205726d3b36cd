// SPDX-License-Identifier: Apache-2.0
// What a browser sees that is not logged in: the ways in.
import { h, show } from "./dom.js";
import { logIn, session } from "./session.js";

export function showLogin(main, failure, done) {
  document.title = "Log in · Omnistore";
  const state = session();
  const wrong = h("p", { class: "note bad", role: "alert", hidden: !failure }, failure?.message ?? "");
  show(main, h("div", { class: "card login" }, h("div", { class: "pad" },
    h("h1", {}, "Log in"),
    wrong,
    state.tokens ? tokenForm(wrong, done) : userNote(state),
    h("div", {},
      h("h2", {}, "By a link"),
      h("p", { class: "muted" }, "When the host starts, ", h("code", {}, "omnistore serve"),
        " prints a link to this page. The link logs one browser in, once, within ten minutes. ",
        "On the host's machine, this command prints a new one:"),
      h("p", {}, h("code", {}, "omnistore login"))))));
  main.querySelector("input")?.focus();
}

function tokenForm(wrong, done) {
  const input = h("input", { type: "password", id: "token", autocomplete: "off", required: true, spellcheck: "false" });
  return h("form", {
    class: "form",
    async onsubmit(event) {
      event.preventDefault();
      wrong.hidden = true;
      try {
        await logIn(input.value.trim());
        await done();
      } catch (error) {
        wrong.hidden = false;
        wrong.textContent = error.message;
        input.select();
      }
    },
  },
  h("div", { class: "field" },
    h("label", { for: "token" }, "Token"),
    input,
    h("span", { class: "muted small" }, "A token of ", h("code", {}, "admin.tokens"), " or ",
      h("code", {}, "server.http.tokens"), " in the host's config. The browser keeps a cookie, not the token.")),
  h("div", {}, h("button", { type: "submit", class: "primary" }, "Log in")));
}

const userNote = (state) => h("p", {}, "This listener has no tokens, so it serves only root and the user that the host "
  + `runs as (uid ${state.uid}). Open this page as that user, or by a link. `,
h("code", {}, "admin.tokens"), " in the host's config can let others in.");
