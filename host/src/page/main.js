// SPDX-License-Identifier: Apache-2.0
// Begins the page: logs in, draws the frame, and shows the view that the URL's fragment names.
import { onLoggedOut } from "./api.js";
import { h, show, svg } from "./dom.js";
import { showLogin } from "./login.js";
import * as session from "./session.js";

const views = [
  { name: "mounts", label: "Mounts", icon: "M8 2 14 5 8 8 2 5zM2 8l6 3 6-3M2 11l6 3 6-3", may: session.seesMounts },
  { name: "keys", label: "Keys", icon: "M2 4h4l1.5 2H14v7H2z", may: session.seesKeys },
  { name: "events", label: "Events", icon: "M1.5 8h3L7 3l2.5 10L11.5 8h3", may: session.seesKeys },
  { name: "explain", label: "Explain", icon: "M3 3h4v4H3zM9 9h4v4H9zM5 7v4h4", may: session.seesMounts },
  { name: "slow", label: "Slow", icon: "M8 2a6 6 0 1 0 .01 0M8 5v3l2 2", may: session.seesMounts },
  { name: "config", label: "Config", icon: "M4 2h6l3 3v9H4zM6 7h5M6 10h5", may: session.seesAll },
  { name: "plugins", label: "Plugins", icon: "M6 2v3M10 2v3M4 5h8v3a4 4 0 0 1-8 0zM8 12v2", may: session.seesAll },
];

const app = document.getElementById("app");
const bar = app.querySelector(".bar");
const main = document.getElementById("main");
let dispose = null;
let shown = 0;
let themeChanged = () => {};

const icon = (path) => svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" },
  svg("path", { d: path, fill: "none", stroke: "currentColor", "stroke-width": "1.4", "stroke-linejoin": "round",
    "stroke-linecap": "round" }));

function theme() {
  const root = document.documentElement;
  const other = () => (root.dataset.theme === "dark" ? "light" : "dark");
  const label = () => (other() === "light" ? "Light" : "Dark");
  const made = h("button", {
    type: "button", class: "small",
    onclick() {
      root.dataset.theme = other();
      try {
        localStorage.setItem("omnistore-theme", root.dataset.theme);
      } catch {
        // The choice holds until the page is loaded again.
      }
      dispatchEvent(new Event("omnistore-theme"));
    },
  }, label());
  themeChanged = () => (made.textContent = label());
  return made;
}

function drawFrame() {
  const state = session.session();
  const items = views.filter((view) => view.may());
  const nav = h("nav", { class: "nav", "aria-label": "Views" }, h("ul", {}, items.map((view) =>
    h("li", {}, h("a", { href: `#/${view.name}`, "data-view": view.name }, icon(view.icon), view.label)))));
  const leave = state.logged_in && h("button", {
    type: "button", class: "small",
    async onclick() {
      await session.logOut();
      begin();
    },
  }, "Log out");
  show(bar,
    h("button", { type: "button", class: "skip", onclick: () => main.focus() }, "Skip to content"),
    h("a", { class: "brand", href: "#/" }, h("img", { src: "page/icon.svg", alt: "", width: 22, height: 22 }), "Omnistore"),
    session.isKnown() && nav,
    h("div", { class: "foot" },
      h("div", { class: "row" }, theme(), leave),
      h("span", { class: "muted small version" }, `Version ${state.version}`)));
}

/** The fragment "#/keys/a/b?prefix=c" has the view "keys", the rest "a/b" and the parameter prefix. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...rest] = path.split("/");
  const view = views.find((each) => each.name === name && each.may()) ?? views.find((each) => each.may());
  return { view, rest: rest.map(decodeURIComponent).join("/"), parameters: new URLSearchParams(query) };
}

async function draw() {
  if (!session.session() || !session.isKnown()) return;
  const { view, rest, parameters } = place();
  for (const link of bar.querySelectorAll("[data-view]")) {
    if (link.dataset.view === view.name) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView?.({ block: "nearest", inline: "nearest" });
    } else {
      link.removeAttribute("aria-current");
    }
  }
  const turn = ++shown;
  const module = await import(`./view_${view.name}.js`);
  if (turn !== shown) return;
  // A view that is shown already may take the new place by itself.
  if (dispose?.view === view.name && dispose.move?.(rest, parameters)) return;
  dispose?.();
  const made = module.open(main, rest, parameters) ?? (() => {});
  dispose = Object.assign(() => made.close?.(), { view: view.name, move: made.move });
}

async function begin() {
  dispose?.();
  dispose = null;
  ++shown;
  const failure = await session.begin();
  drawFrame();
  if (session.isKnown()) return draw();
  showLogin(main, failure, begin);
}

onLoggedOut(begin);
addEventListener("omnistore-theme", () => themeChanged());
addEventListener("hashchange", () => (/^#code=/.test(location.hash) ? begin() : draw()));
begin().catch((error) => show(main, h("p", { class: "note bad", role: "alert" }, error.message)));
